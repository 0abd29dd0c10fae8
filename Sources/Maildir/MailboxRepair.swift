// SPDX-License-Identifier: Apache-2.0
import Posix
import Quota

/// How a mailbox is repaired.
package struct RepairMode: OptionSet, Sendable {
  package let rawValue: Int
  package init(rawValue: Int) { self.rawValue = rawValue }
  /// Nothing is written.
  package static let dryRun = RepairMode(rawValue: 1)
  /// A wrong ledger is replaced, even if the mailbox may be in use.
  package static let force = RepairMode(rawValue: 2)
  /// The limit in another program's ledger is corrected even if the file is younger than an hour, because the
  /// administrator requested it.
  package static let limitAtOnce = RepairMode(rawValue: 4)
}

extension OpenMailbox {
  /// Counts the mailbox and repairs its ledger while mail is delivered and read.
  ///
  /// Differences are appended, because replacing the file loses the entries of every program that has the old
  /// one open. A total that is too low is raised at once; one that is too high is lowered only if the mailbox
  /// is at rest. An invalid ledger is replaced.
  /// - Throws: `countUnfinished` if the mailbox kept changing.
  package mutating func repair(_ mode: RepairMode) throws(MaildirError) -> RepairResult {
    ledger.mayBeReadOnly = mode.contains(.dryRun)
    var result = try repairInTurn(mode)
    if result.drift != .some(.none) { result.cause = cause(of: result) }
    return result
  }

  /// Compares the sizes in the names of messages with those of the files, without a lock.
  package func checkSizes() throws(MaildirError) -> (count: Int, example: String) {
    var count = MaildirCount(of: maildir, rule, checksSizes: true, until: deadline)
    _ = try count.look(all: true)
    return (count.wrongSizes, count.wrongSizeExample)
  }

  private mutating func repairInTurn(_ mode: RepairMode) throws(MaildirError) -> RepairResult {
    let turn = try waitForTurn(seconds: 30)
    defer { turn.flockRelease() }
    if !mode.contains(.dryRun) { try shortenIfFull() }
    let result = try countAndRepair(mode)
    if result.action != .replaced, result.fault == nil, !mode.contains(.dryRun) { try correctLimit(mode) }
    // Lines that programs have appended to a file that was replaced meanwhile.
    ledger.carryOver()
    return result
  }

  private mutating func countAndRepair(_ mode: RepairMode) throws(MaildirError) -> RepairResult {
    // On a network file system everything is counted under the lock, and deliveries wait for it.
    var count = MaildirCount(of: maildir, rule, until: maildir.isOnNetwork ? deadline.slice(seconds: 60) : deadline)
    for _ in 0..<8 {
      if !maildir.isOnNetwork { try count.lookUntilSettled() }
      // On a network file system the lock is a file, which a dry run does not create.
      let locks = !(maildir.isOnNetwork && mode.contains(.dryRun))
      if locks { try lock() }
      defer { if locks { unlock() } }
      try ledger.takeSnapshot()
      // The sum first, then the count: a message recorded between them is at worst counted twice, never missed.
      let text = try ledger.read()
      guard try confirm(&count, seconds: 1) else { continue }
      (unreadable, linked) = (count.unreadable, count.linked)
      let result: RepairResult? =
        switch text {
        case .failure(let fault): try replace(fault, &count, mode)
        case .success(let text): try correct(text, &count, mode)
        }
      if let result { return result }
    }
    throw .countUnfinished
  }

  /// - Returns: nil if the mailbox has changed meanwhile, and must be counted again.
  private mutating func replace(
    _ fault: LedgerFault, _ count: inout MaildirCount, _ mode: RepairMode
  ) throws(MaildirError) -> RepairResult? {
    guard !ledger.snapshotIsDirectory else { throw .ledgerIsDirectory }
    let counted = count.usage
    if !mode.contains(.dryRun), try !publish(&count) { return nil }
    return RepairResult(before: nil, fault: fault, counted: counted, after: counted, action: .replaced)
  }

  /// - Returns: as `replace` does.
  private mutating func correct(
    _ text: LedgerText, _ count: inout MaildirCount, _ mode: RepairMode
  ) throws(MaildirError) -> RepairResult? {
    let before = text.contents.usage
    let counted = count.usage
    let wasReplaced = text.contents.hasCountedMark ? try ledger.wasRestored() : true
    func result(_ action: RepairResult.Action, after: QuotaUsage) -> RepairResult {
      RepairResult(
        before: before, fault: nil, counted: counted, after: after, action: action, wasReplaced: wasReplaced)
    }
    guard before != counted else { return result(.exact, after: counted) }
    if mode.contains(.force) {
      if !mode.contains(.dryRun), try !publish(&count) { return nil }
      return result(.replaced, after: counted)
    }
    var missing = counted.minus(before)
    var action = RepairResult.Action.corrected
    if missing.bytes < 0 || missing.messages < 0, try !isAtRest(&count) {
      missing = missing.positive
      action = missing == .none ? .busy : .raised
    }
    if missing != .none, !mode.contains(.dryRun) { try ledger.append(LedgerContents.correction(missing)) }
    return result(action, after: before.plus(missing))
  }

  /// Whether nothing in the mailbox has changed for a minute. Only then can a total be lowered: otherwise another
  /// program may be about to publish a message that it has recorded, or to record one that it has removed.
  private func isAtRest(_ count: inout MaildirCount) throws(MaildirError) -> Bool {
    // A mailbox that could not be counted completely is not at rest either.
    guard count.unreadable.isEmpty, try !ledger.wasChanged(within: 60) else { return false }
    return try count.isAtRest()
  }

  /// Shortens a full file first. Otherwise that is done last: a file that was just replaced does not count as at rest.
  private mutating func shortenIfFull() throws(MaildirError) {
    try withNetworkLock { mailbox throws(MaildirError) in
      guard case .success(let text) = try mailbox.ledger.readUnlocked(), text.bytes.count > 5000 else { return }
      try mailbox.rewriteIfNeeded(text)
    }
  }

  /// Corrects the limit in the first line.
  private mutating func correctLimit(_ mode: RepairMode) throws(MaildirError) {
    ledger.carryOver()
    ledger.close()
    try withNetworkLock { mailbox throws(MaildirError) in
      guard case .success(let text) = try mailbox.ledger.readUnlocked() else { return }
      let atOnce = mode.contains(.limitAtOnce) && text.contents.limit != mailbox.limit.published
      try mailbox.rewriteIfNeeded(text, force: atOnce)
    }
  }

  /// Network file systems show another host's changes only to a process that opens the file under the lock; elsewhere
  /// `rewriteIfNeeded` takes the lock itself, and later.
  private mutating func withNetworkLock(
    _ body: (inout OpenMailbox) throws(MaildirError) -> Void
  ) throws(MaildirError) {
    guard maildir.isOnNetwork else { return try body(&self) }
    try lock()
    defer { unlock() }
    try body(&self)
  }
}
