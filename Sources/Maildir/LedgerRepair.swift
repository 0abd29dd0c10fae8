// SPDX-License-Identifier: Apache-2.0
package import Posix
package import Quota

/// What a count of a mailbox found, and what became of its ledger.
package struct LedgerRepair: Sendable, Equatable {
  /// What the ledger said, nil when it was of no use.
  package let before: QuotaUsage?
  package let fault: LedgerFault?
  /// What is there.
  package let counted: QuotaUsage
  /// What the ledger says now, nil when it is of no use still.
  package private(set) var after: QuotaUsage?
  package let action: Action
  package private(set) var cause: DriftCause?
  /// Another program or a backup put the ledger there.
  private let wasReplaced: Bool

  package init(
    before: QuotaUsage?, fault: LedgerFault?, counted: QuotaUsage, after: QuotaUsage?, action: Action,
    cause: DriftCause? = nil, wasReplaced: Bool = false
  ) {
    self.before = before
    self.fault = fault
    self.counted = counted
    self.after = after
    self.action = action
    self.cause = cause
    self.wasReplaced = wasReplaced
  }

  package enum Action: String, Sendable {
    /// The ledger was right.
    case exact
    /// The difference was appended.
    case corrected
    /// A new ledger was written.
    case replaced
    /// The ledger says too much, and the mailbox was in use: a message may be about to be noted or to go.
    case busy
    /// Only a part of the difference, the one that is too low, was appended for the same reason.
    case raised
  }

  /// How much the ledger said too much (positive) or too little; nil when it was of no use.
  package var drift: QuotaUsage? {
    before.map { $0.minus(counted) }
  }

  /// It says too little, and whoever put it there may have thrown entries away with the old one.
  fileprivate var lostEntries: Bool { wasReplaced && drift.map { $0.bytes < 0 || $0.messages < 0 } ?? false }

  func because(of cause: DriftCause?) -> LedgerRepair {
    var repair = self
    repair.cause = cause
    return repair
  }
}

/// Why a ledger differs from what is there, as far as that can be told.
package enum DriftCause: Equatable, Sendable {
  /// Exactly what this program's way of counting gives.
  case profile(CountingProfile)
  /// Exactly the messages that have the flag T.
  case trashedMessages
  /// Exactly the messages in the trash.
  case trash
  /// Lines that are torn or that this format does not have.
  case damaged(LedgerFault)
  /// Another program, or a backup, put the file there: entries of who still held the old one are lost.
  case replaced
  case unknown
}

extension MailboxAccount {
  package struct RepairMode: OptionSet, Sendable {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }
    /// Nothing is written.
    package static let dryRun = RepairMode(rawValue: 1)
    /// A ledger that is wrong is replaced, although the mailbox may be in use.
    package static let force = RepairMode(rawValue: 2)
    /// The limit in another program's ledger is corrected although the file is younger than an hour: somebody has asked
    /// for it.
    package static let limitAtOnce = RepairMode(rawValue: 4)
  }

  /// Counts the mailbox and mends its ledger while mail is delivered and read.
  ///
  /// Differences are appended, because a file that is put in the ledger's place loses the entries of every program that
  /// holds the old one open: what is too low at once, what is too high only when the mailbox is at rest. A ledger that
  /// is of no use is replaced.
  /// - Throws: `countUnfinished` when the mailbox changed again and again.
  package mutating func repair(
    _ maildir: inout Maildir, _ mode: RepairMode, until deadline: Deadline
  ) throws(MaildirError) -> LedgerRepair {
    ledger.readsSnapshots = mode.contains(.dryRun)
    let repair = try repairInTurn(&maildir, mode, until: deadline)
    guard repair.drift != .some(.none) else { return repair }
    return repair.because(of: cause(of: repair, in: maildir, until: deadline))
  }

  private mutating func repairInTurn(
    _ maildir: inout Maildir, _ mode: RepairMode, until deadline: Deadline
  ) throws(MaildirError) -> LedgerRepair {
    let turn = try waitForTurn(in: maildir, until: deadline.share(seconds: 30))
    defer { turn.flockRelease() }
    if !mode.contains(.dryRun) { try shortenIfFull(in: &maildir, until: deadline) }
    let repair = try countAndRepair(&maildir, mode, until: deadline)
    if repair.action != .replaced, repair.fault == nil, !mode.contains(.dryRun) {
      try correctLimit(in: &maildir, mode, until: deadline)
    }
    // What programs have noted in a file that was replaced meanwhile.
    ledger.carryOver()
    return repair
  }

  /// Compares the sizes in the names of messages with the files, without a lock.
  package func checkSizes(
    in maildir: borrowing Maildir, until deadline: Deadline
  ) throws(MaildirError) -> (count: Int, example: String) {
    var count = MaildirCount(rule, checksSizes: true)
    _ = try count.look(in: maildir, all: true, until: deadline)
    return (count.wrongSizes, count.wrongSizeExample)
  }

  private mutating func countAndRepair(
    _ maildir: inout Maildir, _ mode: RepairMode, until deadline: Deadline
  ) throws(MaildirError) -> LedgerRepair {
    var count = MaildirCount(rule)
    // Where all is counted under the lock, deliveries wait for it.
    let deadline = maildir.isOnNetwork ? deadline.share(seconds: 60) : deadline
    for _ in 0..<8 {
      if !maildir.isOnNetwork { try count.lookUntilSettled(in: maildir, until: deadline) }
      // On a network file system the lock is a file, which a dry run does not make.
      let locks = !(maildir.isOnNetwork && mode.contains(.dryRun))
      if locks { try lock(&maildir, until: deadline) }
      defer { if locks { unlock(&maildir) } }
      try ledger.mark(in: maildir)
      // The sum first, then the count: who notes a message between them has it counted twice, never not.
      let reading = try ledger.read(in: maildir)
      guard try confirm(&count, in: maildir, seconds: 1, until: deadline) else { continue }
      noteUnreadable(count.unreadable)
      switch reading {
      case .failure(let fault): return try replace(fault, count.usage, in: maildir, mode)
      case .success(let text): return try correct(text, &count, in: maildir, mode)
      }
    }
    throw .countUnfinished
  }

  private mutating func replace(
    _ fault: LedgerFault, _ counted: QuotaUsage, in maildir: borrowing Maildir, _ mode: RepairMode
  ) throws(MaildirError) -> LedgerRepair {
    guard ledger.marked?.kind != .directory else { throw .ledgerIsDirectory }
    if !mode.contains(.dryRun) { try publish(counted: counted, in: maildir) }
    return LedgerRepair(before: nil, fault: fault, counted: counted, after: counted, action: .replaced)
  }

  private mutating func correct(
    _ text: LedgerText, _ count: inout MaildirCount, in maildir: borrowing Maildir, _ mode: RepairMode
  ) throws(MaildirError) -> LedgerRepair {
    let before = text.contents.usage
    let counted = count.usage
    let wasReplaced = text.contents.isOurs ? try ledger.wasRestored() : true
    func repair(_ action: LedgerRepair.Action, after: QuotaUsage) -> LedgerRepair {
      LedgerRepair(
        before: before, fault: nil, counted: counted, after: after, action: action, wasReplaced: wasReplaced)
    }
    guard before != counted else { return repair(.exact, after: counted) }
    if mode.contains(.force) {
      if !mode.contains(.dryRun) { try publish(counted: counted, in: maildir) }
      return repair(.replaced, after: counted)
    }
    var missing = counted.minus(before)
    var action = LedgerRepair.Action.corrected
    if missing.bytes < 0 || missing.messages < 0 {
      if try !isAtRest(&count, in: maildir) {
        missing = QuotaUsage(bytes: max(0, missing.bytes), messages: max(0, missing.messages))
        action = missing == .none ? .busy : .raised
      }
    }
    if missing != .none, !mode.contains(.dryRun) { try ledger.append(LedgerContents.correction(missing)) }
    return repair(action, after: before.plus(missing))
  }

  private func isAtRest(
    _ count: inout MaildirCount, in maildir: borrowing Maildir
  ) throws(MaildirError) -> Bool {
    // Nor is one that could not be counted whole.
    guard count.unreadable.isEmpty, try !ledger.wasChanged(within: 60) else { return false }
    return try count.isAtRest(in: maildir)
  }

  /// A file that has no room for another entry is shortened first. (A file that was replaced just now is not at rest, so
  /// otherwise that comes last.)
  private mutating func shortenIfFull(
    in maildir: inout Maildir, until deadline: Deadline
  ) throws(MaildirError) {
    try withNetworkLock(&maildir, until: deadline) { account, maildir throws(MaildirError) in
      guard case .success(let text) = try account.ledger.readUnlocked(in: maildir), text.bytes.count > 5000 else {
        return
      }
      try account.rewriteIfNeeded(text, in: &maildir, until: deadline)
    }
  }

  /// Corrects the limit in the first line.
  private mutating func correctLimit(
    in maildir: inout Maildir, _ mode: RepairMode, until deadline: Deadline
  ) throws(MaildirError) {
    ledger.carryOver()
    ledger.close()
    try withNetworkLock(&maildir, until: deadline) { account, maildir throws(MaildirError) in
      guard case .success(let text) = try account.ledger.readUnlocked(in: maildir) else { return }
      let atOnce = mode.contains(.limitAtOnce) && text.contents.limit != account.limit.published
      try account.rewriteIfNeeded(text, force: atOnce, in: &maildir, until: deadline)
    }
  }

  /// Network file systems show another host's changes only to who opens the file under the lock; elsewhere
  /// `rewriteIfNeeded` takes the lock itself, and later.
  private mutating func withNetworkLock(
    _ maildir: inout Maildir, until deadline: Deadline,
    _ body: (inout MailboxAccount, inout Maildir) throws(MaildirError) -> Void
  ) throws(MaildirError) {
    guard maildir.isOnNetwork else { return try body(&self, &maildir) }
    try lock(&maildir, until: deadline)
    defer { unlock(&maildir) }
    try body(&self, &maildir)
  }

  private func cause(
    of repair: LedgerRepair, in maildir: borrowing Maildir, until deadline: Deadline
  ) -> DriftCause? {
    guard let before = repair.before else {
      switch repair.fault {
      case .missing?, .unreadable?, .notAFile?, .unlimited?, nil: return nil
      case let fault?: return .damaged(fault)
      }
    }
    for (rule, cause) in rule.alternatives {
      var count = MaildirCount(rule)
      // One that refuses this Maildir, because of a symlink for instance, explains nothing.
      guard (try? count.look(in: maildir, all: true, until: deadline)) != nil else { continue }
      if count.usage == before { return cause }
    }
    return repair.lostEntries ? .replaced : .unknown
  }
}

extension CountingRule {
  /// Other ways of counting, and what a ledger that agrees with them tells.
  fileprivate var alternatives: [(CountingRule, DriftCause)] {
    var trashed = self
    trashed.countsTrashed.toggle()
    var trash = self
    trash.uncountedFolders = uncountedFolders.isEmpty ? [Array(".Trash".utf8)] : []
    var found: [(CountingRule, DriftCause)] = [(trashed, .trashedMessages), (trash, .trash)]
    for profile in CountingProfile.allCases where profile != self.profile {
      for folders in [uncountedFolders, trash.uncountedFolders] {
        let rule = CountingRule(
          profile: profile, uncountedFolders: folders, leavesOutSubfolders: leavesOutSubfolders, inboxOnly: inboxOnly)
        found.append((rule, .profile(profile)))
      }
    }
    return found
  }
}
