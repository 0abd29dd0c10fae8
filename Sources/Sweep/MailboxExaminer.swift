// SPDX-License-Identifier: Apache-2.0
import Maildir
import Posix
import Quota
import Text

/// Does the work on Maildirs, in a worker process that runs as their owner.
struct MailboxExaminer: ~Copyable {
  private let rule: CountingRule
  private let names: UniqueName
  private var finder = MaildirFinder()

  init(rule: CountingRule, names: UniqueName) {
    self.rule = rule
    self.names = names
  }

  /// Seconds that one mailbox may take.
  private static let timeLimit: Int64 = 3600

  /// What was seen and done before an error stays in the report.
  mutating func report(on task: MailboxTask) -> MailboxReport {
    var report = MailboxReport(.examined)
    do throws(MaildirError) { try examine(task, &report) } catch { report.state = Self.state(for: error) }
    return report
  }

  static func state(for error: MaildirError) -> MailboxReport.State {
    let text = error.shown
    switch error {
    case .missing, .unmade: return .absent
    case .missingPart: return .broken(text)
    case .wrongOwner(let user): return .foreign(user)
    case .ledgerIsDirectory: return .broken("\(text); remove it, and the next delivery creates the file")
    case .baseMissing, .baseEmpty, .foreignSymlink, .symlinkInside, .notADirectory:
      return .broken(text)
    case .countUnfinished: return .failed("it could not be counted: it kept changing, or took too long")
    case .replaced: return .failed("the Maildir was replaced in the meantime")
    case .system(let error) where error.number == Errno.ENOENT: return .failed("it vanished in the meantime (\(text))")
    case .system, .ledgerUnsteady, .appendedInPart, .possibleDuplicate: return .failed(text)
    }
  }

  private mutating func examine(_ task: MailboxTask, _ report: inout MailboxReport) throws(MaildirError) {
    let owner = CurrentProcess.effectiveUser
    let inspection = try MaildirInspection.look(
      &finder, base: task.base, components: task.components, owner: owner, limit: task.limit ?? .none)
    report.note(inspection)
    if task.work.contains(.synchronize), !task.synchronized.contains(inspection.device) {
      synchronize(inspection.device, task, &report)
    }
    if let time = task.suspectTime { report.isSuspect = inspection.lastChange.seconds >= time }
    let limit = task.limit ?? inspection.ledger.headerLimit
    guard limit != nil || !task.work.contains(.count) else {
      report.state = .failed("its limit is unknown, and maildirsize has none to keep; with --maildir, --limit sets one")
      return
    }
    let counts =
      limit.map {
        task.work.contains(.count) || report.isSuspect || task.work.contains(.countIfOdd) && report.isOdd(limit: $0)
      } ?? false
    guard counts || task.work.contains(.cleanTmp) else { return }
    let maildir = try Maildir.open(base: task.base, components: task.components, owner: owner, absent: .refused)
    if counts, let limit, !rule.inboxOnly { try count(task, limit, maildir, &report) }
    let stale = try StaleFiles.look(in: maildir)
    report.staleFiles = stale.names.count
    report.staleBytes = stale.bytes
    if task.work.contains(.cleanTmp) { report.removedFiles = try stale.remove(from: maildir) }
  }

  /// Without it there is no clean point; the mailbox is examined all the same.
  private mutating func synchronize(_ device: UInt64, _ task: MailboxTask, _ report: inout MailboxReport) {
    do {
      try finder.open(base: task.base, components: task.components).syncfs()
      report.synchronizedDevice = device
    } catch { report.isSynchronized = false }
  }

  private func count(
    _ task: MailboxTask, _ limit: QuotaLimit, _ maildir: Maildir, _ report: inout MailboxReport
  ) throws(MaildirError) {
    var mailbox = OpenMailbox(
      maildir, limit: limit, rule: rule, names: names, countTimeLimit: Self.timeLimit,
      until: Deadline(secondsFromNow: Self.timeLimit))
    var mode: RepairMode = []
    if !task.work.contains(.repair) { mode.insert(.dryRun) }
    if task.work.contains(.force) { mode.insert(.force) }
    if task.work.contains(.limitAtOnce) { mode.insert(.limitAtOnce) }
    report.repair = try mailbox.repair(mode)
    report.unreadable = mailbox.unreadable.map(\.text)
    report.linked = mailbox.linked.map(\.text)
    guard task.work.contains(.checkSizes) else { return }
    let check = try mailbox.checkSizes()
    report.wrongSizes = check.count
    report.wrongSizeExample = check.example
  }
}

extension MailboxReport {
  fileprivate mutating func note(_ inspection: MaildirInspection) {
    isInspected = true
    switch inspection.ledger.text {
    case .success(let text):
      usage = text.contents.usage
      headerLimit = text.contents.limit
      isOurs = text.contents.hasCountedMark
    case .failure(let fault): self.fault = fault
    }
    ledgerModified = inspection.ledgerModified?.seconds
    rightsFaults = inspection.rightsFaults
    hasFolderMark = inspection.hasFolderMark
  }

  /// Whether the ledger alone is a reason to count.
  fileprivate func isOdd(limit: QuotaLimit) -> Bool {
    // A mailbox without a limit needs no ledger.
    if fault == .missing, limit == .none { return false }
    guard let usage, fault == nil else { return true }
    return limit != .none && (limit.room(beside: usage) < 0 || headerLimit != limit.published)
  }
}
