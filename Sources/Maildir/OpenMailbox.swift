// SPDX-License-Identifier: Apache-2.0
package import Posix
package import Quota

/// A mailbox opened for one task: its Maildir, ledger, limit and deadline. It decides whether a message
/// fits, and maintains the ledger.
package struct OpenMailbox: ~Copyable {
  package let maildir: Maildir
  package var limit: QuotaLimit { ledger.limit }
  /// What is wrong with the ledger, nil while it is valid.
  package private(set) var fault: LedgerFault? {
    didSet { firstFault = firstFault ?? fault }
  }
  /// The first fault found in the ledger, even if it has been repaired since.
  package private(set) var firstFault: LedgerFault?
  /// Directories that a count could not read.
  package internal(set) var unreadable: [Path] = []
  /// Folders that a count left out because they are symlinks.
  package internal(set) var linked: [Path] = []
  /// Why the ledger could not be shortened, or its limit corrected. Mail is delivered all the same.
  package private(set) var rewriteError: MaildirError?
  /// Whether the usage was counted during this task.
  package private(set) var wasCounted = false
  /// When the total was counted by which a message was refused, nil if that is unknown.
  package private(set) var countedTime: Timestamp?
  /// Whether a count is written to the ledger, which then suffices for other messages. Not for those who only look.
  package var recordsCount = true
  /// Seconds to wait while another process counts the mailbox.
  package var turnTimeLimit: Int64 = 10

  let rule: CountingRule
  /// The time by which the task must be finished.
  package var deadline: Deadline
  var ledger: Ledger
  private let names: UniqueName
  /// Seconds.
  private let countTimeLimit: Int64

  /// - Parameters:
  ///   - countTimeLimit: seconds that a count may take.
  ///   - deadline: the time by which all work on this mailbox must be finished.
  package init(
    _ maildir: Maildir, limit: QuotaLimit, rule: CountingRule, names: UniqueName, countTimeLimit: Int64,
    until deadline: Deadline
  ) {
    self.maildir = maildir
    self.rule = rule
    self.names = names
    self.countTimeLimit = countTimeLimit
    self.deadline = deadline
    ledger = Ledger(of: maildir, limit: limit)
  }

  /// Whether a message may be stored.
  package enum Admission: Equatable {
    /// There is room beside this usage, nil if it is unknown. The Maildir is locked.
    case fits(beside: QuotaUsage?)
    /// There is no room, by a total counted less than 15 minutes ago. The Maildir is not locked.
    case overQuota(QuotaUsage)
  }

  /// The room in bytes, by the ledger; nil if the messages must be counted first. The ledger is read without
  /// a lock, except on network file systems: `admit` decides.
  package mutating func promisedRoom() throws(MaildirError) -> Int64? {
    guard !rule.inboxOnly else { return limit == .none ? .max : nil }
    // Network file systems show another host's changes only to a process that opens the file under the lock.
    if maildir.isOnNetwork { try lock() }
    defer { if maildir.isOnNetwork { unlock() } }
    guard case .success(let text) = try ledger.readUnlocked() else { return limit == .none ? .max : nil }
    do { try rewriteIfNeeded(text) } catch { rewriteError = error }
    return limit.room(beside: text.contents.usage)
  }

  /// Decides whether a message of `size` bytes fits. The messages are counted first if the ledger is invalid
  /// or would refuse it.
  package mutating func admit(messageOf size: Int64) throws(MaildirError) -> Admission {
    if let admission = try decideByLedger(size) { return admission }
    let turn = try waitForTurn(seconds: turnTimeLimit)
    defer { turn.flockRelease() }
    // Another process may have counted while we waited.
    if let admission = try decideByLedger(size) { return admission }
    return try decideByCount(size)
  }

  /// Records the message in the ledger. The Maildir must be locked.
  package func enter(messageOf size: Int64) throws(MaildirError) {
    guard fault == nil || wasCounted else { return }
    try ledger.append(LedgerContents.entry(of: size))
  }

  /// Cancels the entry, only in the same file: the message was not published.
  package func retract(messageOf size: Int64) throws(MaildirError) {
    guard fault == nil || wasCounted else { return }
    try ledger.append(LedgerContents.entry(of: size, removing: true))
  }

  /// Makes sure that the entry is in the current `maildirsize`, even if replaced, and releases the lock.
  ///
  /// The message is published, so a failure is not reported: it leaves the total too low until the next count.
  package mutating func settle(messageOf size: Int64) {
    do { try ledger.appendAgainIfReplaced(LedgerContents.entry(of: size)) } catch {}
    ledger.carryOver()
    unlock()
  }

  /// Releases the lock.
  package mutating func unlock() {
    // Network file systems show another host's changes only to a process that opens the file again.
    if maildir.isOnNetwork { ledger.close() }
    maildir.unlock()
  }

  /// Removes a published message that could not be made durable.
  ///
  /// The file is unlinked first, and its entry is cancelled only if that succeeded. A file that an IMAP
  /// server has moved meanwhile stays counted.
  package mutating func takeBack(
    _ name: Path, messageOf size: Int64, because error: SystemError
  ) -> MaildirError {
    do throws(MaildirError) {
      // The task's deadline does not apply: the message has been published.
      try maildir.lock(until: Deadline(secondsFromNow: 30))
      do { try maildir.new.unlinkat(name) } catch { throw .system(error) }
      try retract(messageOf: size)
    } catch {
      unlock()
      return .possibleDuplicate(because: error)
    }
    unlock()
    return .system(error)
  }

  /// At most one count per mailbox at a time: a lock on `cur/`, taken before the Maildir's own, never after it.
  func waitForTurn(seconds: Int64) throws(MaildirError) -> File {
    do {
      let current = try File(openat: maildir.directory, "cur", [.directory, .noFollow])
      try current.flockExclusive(until: deadline.slice(seconds: seconds))
      return current
    } catch { throw error.number == Errno.ETIMEDOUT ? .countUnfinished : .system(error) }
  }

  private mutating func decideByLedger(_ size: Int64) throws(MaildirError) -> Admission? {
    guard !rule.inboxOnly || limit == .none else { return nil }
    try lock()
    guard !rule.inboxOnly else { return .fits(beside: nil) }
    switch try ledger.read() {
    case .success(let text):
      fault = nil
      let usage = text.contents.usage
      if limit.admits(messageOf: size, beside: usage) { return .fits(beside: usage) }
      countedTime = try ledger.countedTime(text.contents)
      ledger.carryOver()
      unlock()
      return countedTime?.isWithin(seconds: 900) == true ? .overQuota(usage) : nil
    case .failure(let fault):
      self.fault = fault
      // Without a limit there is nothing to decide: an invalid ledger is left to the audit.
      if limit == .none { return .fits(beside: nil) }
      unlock()
      return nil
    }
  }

  /// Counts while deliveries continue, then counts again under the lock what has changed, and decides there.
  private mutating func decideByCount(_ size: Int64) throws(MaildirError) -> Admission {
    var count = MaildirCount(of: maildir, rule, until: deadline.slice(seconds: countTimeLimit))
    for _ in 0..<3 {
      if !maildir.isOnNetwork { try count.lookUntilSettled() }
      try lock(until: count.deadline)
      if !rule.inboxOnly { try ledger.takeSnapshot() }
      guard try confirm(&count, seconds: 2) else {
        unlock()
        continue
      }
      (unreadable, linked) = (count.unreadable, count.linked)
      wasCounted = true
      return try decide(size, &count)
    }
    throw .countUnfinished
  }

  /// Counts again under the lock what has changed, until nothing changes any more: at most 3 times and for
  /// `seconds`. Time stamps on network file systems prove nothing, so there everything is counted once.
  func confirm(_ count: inout MaildirCount, seconds: Int64) throws(MaildirError) -> Bool {
    if maildir.isOnNetwork {
      _ = try count.look(all: true)
      return true
    }
    let whole = count.deadline
    defer { count.deadline = whole }
    count.deadline = whole.slice(seconds: seconds)
    do {
      for _ in 0..<3 where try !count.look(all: false) { return true }
    } catch .countUnfinished where !whole.hasPassed {
      return false
    }
    return false
  }

  private mutating func decide(_ size: Int64, _ count: inout MaildirCount) throws(MaildirError) -> Admission {
    let usage = count.usage
    let fits = limit.admits(messageOf: size, beside: usage)
    if !rule.inboxOnly, recordsCount {
      do { _ = try publish(&count) } catch {
        // The count itself is valid: what it refuses is refused, whether or not it can be recorded.
        if fits { throw error }
      }
    }
    if fits { return .fits(beside: usage) }
    countedTime = .now
    ledger.carryOver()
    unlock()
    return .overQuota(usage)
  }

  /// Writes a counted total in place of the file that `Ledger.takeSnapshot` found.
  ///
  /// While that is written and synced, other programs may deliver whose entries are in the old file, in one that has
  /// replaced it meanwhile, or, if there was none, nowhere. So the directories are looked at once more. If any has
  /// grown by more than the lines that were carried over, or has changed at all where the old file was missing or not
  /// the one that was replaced, the total may be too low; with what has grown it would be too high after a move. So it
  /// is removed, and whoever needs a total next counts. The same holds if they cannot be looked at in time.
  /// - Returns: false if it was removed.
  mutating func publish(_ count: inout MaildirCount) throws(MaildirError) -> Bool {
    guard !ledger.snapshotIsDirectory else { throw .ledgerIsDirectory }
    let text = LedgerContents.counted(count.usage, limit: limit)
    let replacement = try LedgerReplacement.write(text, in: maildir, names: names)
    guard let carried = try ledger.install(counted: replacement) else {
      // Another program has just written its own ledger. If that one is invalid, too, nobody knows the total.
      if case .failure = try ledger.read() { throw .ledgerUnsteady }
      return true
    }
    // On network file systems that would be a second count.
    guard !maildir.isOnNetwork else { return true }
    count.deadline = deadline.slice(seconds: 2)
    do {
      let (gain, hasChanged) = try count.lookAgain()
      // A removal may hide a message that another program has stored meanwhile.
      let mayBeTooLow = ledger.hasReplacedSnapshot ? gain.minus(carried).positive != .none : hasChanged
      if !mayBeTooLow { return true }
    } catch {}
    maildir.directory.unlinkIfThere(LedgerFile.name)
    return false
  }

  /// Adds up the entries of a long ledger, before its length makes other programs recount, and corrects the
  /// limit in its first line. A ledger that was restored from a backup is marked as not counted.
  ///
  /// Another program's limit is corrected at most once an hour: that program may have a different one, and
  /// would recount the mailbox each time it found ours.
  mutating func rewriteIfNeeded(_ text: LedgerText, force: Bool = false) throws(MaildirError) {
    if text.bytes.count < 3600, !force {
      var isNeeded = try mayCorrectLimit(text.contents)
      if text.contents.hasCountedMark, !text.contents.isCompacted, try ledger.wasRestored() { isNeeded = true }
      guard isNeeded else { return }
    }
    // Written and synced before the lock is taken; lines appended meanwhile to the old file are added here.
    let sum = LedgerContents.compacted(text.contents.usage, limit: limit)
    var replacement = try LedgerReplacement.write(sum, in: maildir, names: names)
    let old = ledger.identity
    if !maildir.isOnNetwork { try lock() }
    defer { if !maildir.isOnNetwork { maildir.unlock() } }
    guard case .success(let now) = try ledger.read(), ledger.identity == old, now.bytes.starts(with: text.bytes)
    else { return }
    try replacement.append(now.bytes.dropFirst(text.bytes.count), summed: now.bytes.count)
    try ledger.install(compacted: replacement)
  }

  private func mayCorrectLimit(_ contents: LedgerContents) throws(MaildirError) -> Bool {
    guard contents.limit != limit.published else { return false }
    if contents.hasCountedMark { return true }
    return try !ledger.isYounger(than: 3600)
  }

  mutating func lock() throws(MaildirError) { try lock(until: deadline) }

  private mutating func lock(until deadline: Deadline) throws(MaildirError) {
    try maildir.lock(until: deadline.slice(seconds: 30))
    do { try maildir.checkPath() } catch {
      unlock()
      throw error
    }
  }
}
