// SPDX-License-Identifier: Apache-2.0
package import Posix
package import Quota

/// What a mailbox holds and may hold: decides whether a message fits, and keeps the ledger.
package struct MailboxAccount: ~Copyable {
  package let limit: QuotaLimit
  /// What is wrong with the ledger, nil while it is sound.
  package private(set) var fault: LedgerFault? {
    didSet { firstFault = firstFault ?? fault }
  }
  /// What was wrong with the ledger when it was first read, although it may have been mended since.
  package private(set) var firstFault: LedgerFault?
  /// Directories that a count could not read.
  package private(set) var unreadable: [Path] = []
  /// Why the ledger could not be shortened, or its limit not be corrected. Mail is delivered all the same.
  package private(set) var rewriteError: MaildirError?
  /// The usage was counted during this delivery.
  package private(set) var wasCounted = false

  let rule: CountingRule
  private let names: UniqueName
  /// Seconds.
  private let countTimeLimit: Int64
  var ledger: Ledger

  package init(limit: QuotaLimit, rule: CountingRule, names: UniqueName, countTimeLimit: Int64) {
    self.limit = limit
    self.rule = rule
    self.names = names
    self.countTimeLimit = countTimeLimit
    ledger = Ledger(limit: limit)
  }

  package enum Admission: Equatable {
    /// There is room beside this usage, nil when nobody knows it. The Maildir is locked.
    case fits(beside: QuotaUsage?)
    /// There is none, by a total counted less than 15 minutes ago. The Maildir is not locked.
    case overQuota(QuotaUsage)
  }

  /// The room that the ledger promises, bytes; nil when it must be counted first. Takes no lock (but on network file
  /// systems): `admit` decides.
  package mutating func promisedRoom(
    in maildir: inout Maildir, until deadline: Deadline
  ) throws(MaildirError) -> Int64? {
    guard !rule.inboxOnly else { return limit == .none ? .max : nil }
    // Network file systems show another host's changes only to who opens the file under the lock.
    if maildir.isOnNetwork { try lock(&maildir, until: deadline) }
    defer { if maildir.isOnNetwork { unlock(&maildir) } }
    guard case .success(let text) = try ledger.readUnlocked(in: maildir) else { return limit == .none ? .max : nil }
    do { try rewriteIfNeeded(text, in: &maildir, until: deadline) } catch { rewriteError = error }
    return limit.room(beside: text.contents.usage)
  }

  /// Decides whether a message of `size` bytes fits, counting the messages first when the ledger is of no use or would
  /// refuse.
  package mutating func admit(
    messageOf size: Int64, in maildir: inout Maildir, until deadline: Deadline
  ) throws(MaildirError) -> Admission {
    if let admission = try decideByLedger(size, in: &maildir, until: deadline) { return admission }
    let turn = try waitForTurn(in: maildir, until: deadline.share(seconds: 10))
    defer { turn.flockRelease() }
    // Who waited may find that the work is done.
    if let admission = try decideByLedger(size, in: &maildir, until: deadline) { return admission }
    return try decideByCount(size, in: &maildir, until: deadline)
  }

  /// Notes the message in the ledger. The Maildir must be locked.
  package func enter(messageOf size: Int64) throws(MaildirError) {
    guard fault == nil || wasCounted else { return }
    try ledger.append(LedgerContents.entry(of: size))
  }

  /// Takes the entry back, to the same file and no other: the message was not published.
  package func retract(messageOf size: Int64) throws(MaildirError) {
    guard fault == nil || wasCounted else { return }
    try ledger.append(LedgerContents.entry(of: size, removing: true))
  }

  /// Makes sure that the entry stands in the file that has the ledger's name now, and gives the lock back.
  ///
  /// What fails here leaves the total too low until the next count. The message is published, so nobody is told.
  package mutating func settle(messageOf size: Int64, in maildir: inout Maildir) {
    try? ledger.appendAgainIfReplaced(LedgerContents.entry(of: size), in: maildir)
    ledger.carryOver()
    unlock(&maildir)
  }

  /// Gives the lock back.
  package mutating func unlock(_ maildir: inout Maildir) {
    // Network file systems show another host's changes only to who opens the file anew.
    if maildir.isOnNetwork { ledger.close() }
    maildir.unlock()
  }

  /// Takes a published message out again that could not be made durable.
  ///
  /// The file goes first; only if that worked does its entry go, too. A file that an IMAP server took meanwhile stays
  /// counted.
  package mutating func takeBack(
    _ name: Path, messageOf size: Int64, from maildir: inout Maildir, because error: SystemError
  ) -> MaildirError {
    do throws(MaildirError) {
      try maildir.lock(until: Deadline(secondsFromNow: 30))
      do { try maildir.new.unlinkat(name) } catch { throw .system(error) }
      try retract(messageOf: size)
    } catch {
      unlock(&maildir)
      return .possibleDuplicate(because: error)
    }
    unlock(&maildir)
    return .system(error)
  }

  mutating func noteUnreadable(_ directories: [Path]) { unreadable = directories }

  /// One count a mailbox: a lock on `cur/`, taken before the Maildir's own, never after it.
  func waitForTurn(in maildir: borrowing Maildir, until deadline: Deadline) throws(MaildirError) -> File {
    do {
      let current = try File(openat: maildir.directory, "cur", [.directory, .noFollow])
      try current.flockExclusive(until: deadline)
      return current
    } catch { throw error.number == Errno.ETIMEDOUT ? .countUnfinished : .system(error) }
  }

  private mutating func decideByLedger(
    _ size: Int64, in maildir: inout Maildir, until deadline: Deadline
  ) throws(MaildirError) -> Admission? {
    guard !rule.inboxOnly || limit == .none else { return nil }
    try lock(&maildir, until: deadline)
    guard !rule.inboxOnly else { return .fits(beside: nil) }
    switch try ledger.read(in: maildir) {
    case .success(let text):
      fault = nil
      let usage = text.contents.usage
      if limit.admits(messageOf: size, beside: usage) { return .fits(beside: usage) }
      let isFresh = try ledger.isFresh(text.contents)
      unlock(&maildir)
      return isFresh ? .overQuota(usage) : nil
    case .failure(let fault):
      self.fault = fault
      // Without a limit there is nothing to decide: a ledger that is of no use is left to the audit.
      if limit == .none { return .fits(beside: nil) }
      unlock(&maildir)
      return nil
    }
  }

  /// Counts while deliveries go on, then under the lock once more what has changed, and decides there.
  private mutating func decideByCount(
    _ size: Int64, in maildir: inout Maildir, until deadline: Deadline
  ) throws(MaildirError) -> Admission {
    let deadline = deadline.share(seconds: countTimeLimit)
    var count = MaildirCount(rule)
    for _ in 0..<3 {
      if !maildir.isOnNetwork { try count.lookUntilSettled(in: maildir, until: deadline) }
      try lock(&maildir, until: deadline)
      if !rule.inboxOnly { try ledger.mark(in: maildir) }
      guard try confirm(&count, in: maildir, until: deadline) else {
        unlock(&maildir)
        continue
      }
      unreadable = count.unreadable
      wasCounted = true
      return try decide(size, counted: count.usage, in: &maildir)
    }
    throw .countUnfinished
  }

  /// Looks again, under the lock, until nothing changes any more: at most 3 times and for `seconds`. Stamps of network
  /// file systems tell nothing, so there everything is counted, once.
  func confirm(
    _ count: inout MaildirCount, in maildir: borrowing Maildir, seconds: Int64 = 2, until deadline: Deadline
  ) throws(MaildirError) -> Bool {
    if maildir.isOnNetwork {
      _ = try count.look(in: maildir, all: true, until: deadline)
      return true
    }
    let share = deadline.share(seconds: seconds)
    do {
      for _ in 0..<3 where try !count.look(in: maildir, all: false, until: share) { return true }
    } catch .countUnfinished where !deadline.hasPassed {
      return false
    }
    return false
  }

  private mutating func decide(
    _ size: Int64, counted usage: QuotaUsage, in maildir: inout Maildir
  ) throws(MaildirError) -> Admission {
    let fits = limit.admits(messageOf: size, beside: usage)
    if !rule.inboxOnly {
      do { try publish(counted: usage, in: maildir) } catch {
        // The count itself is good: what it refuses is refused, whether or not it can be written down.
        if fits { throw error }
      }
    }
    if fits { return .fits(beside: usage) }
    unlock(&maildir)
    return .overQuota(usage)
  }

  mutating func publish(counted usage: QuotaUsage, in maildir: borrowing Maildir) throws(MaildirError) {
    guard ledger.marked?.kind != .directory else { throw .ledgerIsDirectory }
    let text = LedgerContents.counted(usage, limit: limit)
    let replacement = try LedgerReplacement.write(text, in: maildir, names: names)
    let late = maildir.isOnNetwork ? try ledger.lateLines(in: maildir) : []
    if let late, try replacement.install(inPlaceOf: ledger.marked?.identity, in: maildir) {
      try ledger.adopt(replacement, carryingOver: .positive)
      if !late.isEmpty { try ledger.append(late) }
    } else if case .failure = try ledger.read(in: maildir) {
      // Another program has just written its own, and that one is of no use either.
      throw .ledgerUnsteady
    }
  }

  /// Adds up the entries of a ledger that has become long, before other programs count the mailbox because of it, and
  /// corrects the limit in its first line. One that was put back from a backup is marked as not counted.
  ///
  /// Another program's limit is corrected once an hour at most: it may have been told another one, and would count
  /// the mailbox each time it found ours.
  mutating func rewriteIfNeeded(
    _ text: LedgerText, force: Bool = false, in maildir: inout Maildir, until deadline: Deadline
  ) throws(MaildirError) {
    if text.bytes.count < 3600, !force {
      var isNeeded = try mayCorrectLimit(text.contents)
      if text.contents.isOurs, !text.contents.isCompacted, try ledger.wasRestored() { isNeeded = true }
      guard isNeeded else { return }
    }
    // Written and synced before the lock is taken; what is added to the old file meanwhile is added here, too.
    let sum = LedgerContents.compacted(text.contents.usage, limit: limit)
    var replacement = try LedgerReplacement.write(sum, in: maildir, names: names)
    let old = ledger.identity
    if !maildir.isOnNetwork { try lock(&maildir, until: deadline) }
    defer { if !maildir.isOnNetwork { maildir.unlock() } }
    guard case .success(let now) = try ledger.read(in: maildir), ledger.identity == old,
      now.bytes.starts(with: text.bytes)
    else { return }
    try replacement.append(now.bytes.dropFirst(text.bytes.count), summed: now.bytes.count)
    if maildir.isOnNetwork { ledger.close() }
    guard try replacement.install(inPlaceOf: old, in: maildir) else { return }
    try ledger.adopt(replacement, carryingOver: .all)
  }

  private func mayCorrectLimit(_ contents: LedgerContents) throws(MaildirError) -> Bool {
    guard contents.limit != limit.published else { return false }
    if contents.isOurs { return true }
    return try !ledger.isYounger(than: 3600)
  }

  mutating func lock(_ maildir: inout Maildir, until deadline: Deadline) throws(MaildirError) {
    try maildir.lock(until: deadline.share(seconds: 30))
    do { try maildir.checkPath() } catch {
      unlock(&maildir)
      throw error
    }
  }
}
