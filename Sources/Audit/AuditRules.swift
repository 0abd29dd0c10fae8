// SPDX-License-Identifier: Apache-2.0
package import Findings
import Maildir
import Posix
import Quota
package import Sweep
import Text

/// Turns the report on a mailbox into findings: values in, values out.
package struct AuditRules: Sendable {
  /// `--repair`: what was counted may already have been repaired.
  private let repairs: Bool

  package init(repairs: Bool) {
    self.repairs = repairs
  }

  package func findings(_ row: MailboxRow, _ report: MailboxReport) -> [Finding] {
    let finder = MailboxFinder(row: row, report: report, repairs: repairs)
    return row.faults.map { finder.finding(for: $0) } + finder.stateFindings
      + (report.isInspected ? finder.fileFindings + finder.ledgerFindings : [])
  }
}

/// The findings about one mailbox.
private struct MailboxFinder {
  let row: MailboxRow
  let report: MailboxReport
  let repairs: Bool

  private func finding(
    _ severity: Finding.Severity, _ kind: FindingKind, _ evidence: String, reason: String = "",
    remedy: Remedy? = nil, bytes: Int64? = nil, messages: Int64? = nil, isRepaired: Bool = false
  ) -> Finding {
    Finding(
      severity, kind, in: .mailboxes, .init(row.name, path: row.pathText), evidence, reason: reason, remedy: remedy,
      bytes: bytes, messages: messages, isRepaired: isRepaired)
  }

  /// This run has made the ledger agree with the messages.
  private var isRepaired: Bool {
    repairs && (report.repair.map { $0.action == .replaced || $0.action == .corrected } ?? false)
  }

  /// A mailbox without an address cannot be named to a command.
  private func recompute(_ remedy: Remedy) -> Remedy {
    row.address.isEmpty ? .advice("give its row an address, and run the audit again") : remedy
  }

  private static let correctRights = Remedy.advice(
    "correct its owner and mode (chown, chmod); mail may be deferred until then")

  func finding(for fault: MailboxRow.Fault) -> Finding {
    let correctRow = Remedy.advice("correct the row; mail is deferred until then")
    switch fault {
    case .null(let column):
      let consequence = column == .limit ? "virtual_mailbox_limit applies instead" : "no mail can be delivered"
      return finding(
        .warning, .nullInList, "its \(column.rawValue) in the list is NULL", reason: consequence,
        remedy: .advice("correct the row"))
    case .negative(let bytes):
      return finding(
        .notice, .negativeLimit, "its limit is \(bytes) bytes",
        reason: "PostfixAdmin writes that for \"not managed\"; virtual_mailbox_limit applies instead")
    case .notANumber(let text):
      return finding(.error, .badLimit, "its limit \"\(text)\" is not a whole number", remedy: correctRow)
    case .setAside(let bytes):
      return finding(
        .warning, .limitNotEnforced, "its limit of \(bytes) bytes is below message_size_limit",
        reason: "virtual_mailbox_limit applies instead, as with VDA",
        remedy: .advice(
          "set virtual_mailbox_limit_override = yes, or raise the limit; if the column is in MB, multiply it in the"
            + " query for deliveries and in mailbox_list_query, as quota::bigint * 1048576"))
    case .unused(let bytes):
      return finding(
        .warning, .limitNotEnforced, "the list gives it a limit of \(grouped(bytes)) bytes",
        reason: "virtual_mailbox_limit_maps is not set, so deliveries use virtual_mailbox_limit",
        remedy: .advice("set virtual_mailbox_limit_maps"))
    case .repeatsBase:
      return finding(
        .warning, .repeatedBase, "its path \"\(row.pathText)\" begins with virtual_mailbox_base",
        reason: "paths are relative to it, so mail goes to the base below the base",
        remedy: .advice("correct the rows or the query, and move the mail that has arrived there"))
    case .path(let reason):
      return finding(.error, .badPath, "its path \"\(row.pathText)\" is invalid: \(reason)", remedy: correctRow)
    }
  }

  var stateFindings: [Finding] {
    switch report.state {
    case .absent where row.hasCapitals:
      return [
        finding(
          .warning, .capitals, "no Maildir, and its address has capitals",
          reason: "Postfix asks in lower case, and a query that compares case does not find it", remedy: .lowerCase)
      ]
    case .absent:
      return [
        finding(.notice, .absent, "no Maildir", reason: "nothing has been delivered there yet, or it was removed")
      ]
    case .broken(let text) where !row.faults.contains(where: \.isPath):
      return [
        finding(
          .error, .brokenMaildir, text, remedy: .advice("repair it; mail to it is deferred until then"))
      ]
    case .foreign(let user):
      let name = user == 0 ? "root" : "\(User.name(of: user)) (uid \(user))"
      return [
        finding(
          .error, .wrongRights, "the Maildir belongs to \(name)", reason: "it was created by hand, or restored",
          remedy: Self.correctRights)
      ]
    case .broken, .failed, .examined: return []
    }
  }

  var fileFindings: [Finding] {
    var found: [Finding] = []
    if report.hasFolderMark {
      found.append(
        finding(
          .error, .strayFolderMark, "there is a file maildirfolder in the Maildir itself",
          reason: "Dovecot created it at CREATE INBOX; Courier's programs take the parent directory for the mailbox",
          remedy: .advice("remove that file")))
    }
    for fault in report.rightsFaults {
      found.append(
        finding(
          .error, .wrongRights, fault.sentence, reason: "a program that ran as another user",
          remedy: Self.correctRights,
          // A new ledger has the right owner and mode.
          isRepaired: repairs && report.repair?.action == .replaced && fault.part == .ledger))
    }
    for folder in report.unreadable {
      found.append(
        finding(.error, .wrongRights, "\(folder) cannot be read and is not counted", remedy: Self.correctRights))
    }
    for folder in report.linked {
      found.append(
        finding(
          .notice, .linkedFolder, "\(folder) is a symlink and is not counted",
          reason: "a link may lead to another mailbox, or count a message twice; Dovecot and Exim count it",
          remedy: .advice("with Dovecot or Exim, set maildir_count_profile to that program's name")))
    }
    if report.staleFiles > 0 {
      let files = report.staleFiles == 1 ? "a file" : "\(report.staleFiles) files"
      found.append(
        finding(
          .notice, .staleFiles, "\(files) in tmp/, older than 36 hours", reason: "interrupted deliveries",
          remedy: .run(Command("ullage", "audit", "--clean-tmp")), bytes: report.staleBytes,
          messages: Int64(report.staleFiles), isRepaired: report.removedFiles > 0))
    }
    if report.wrongSizes > 0 {
      let names = report.wrongSizes == 1 ? "a name states" : "\(report.wrongSizes) names state"
      found.append(
        finding(
          .warning, .sizeInName, "\(names) a size other than the file's (\(report.wrongSizeExample))",
          reason: "compressed by Dovecot, which is fine, or changed after delivery",
          messages: Int64(report.wrongSizes)))
    }
    return found
  }

  var ledgerFindings: [Finding] {
    [report.fault.map(faultFinding) ?? headerFinding, driftFinding, overQuotaFinding].compactMap { $0 }
  }

  private func faultFinding(_ fault: LedgerFault) -> Finding? {
    let recompute = recompute(.recompute(mailbox: row.name))
    switch fault {
    case .missing:
      guard row.limit != .none else { return nil }
      return finding(
        .warning, .limitNotEnforced, "there is no maildirsize, but the limit is \(Self.text(row.limit))",
        reason: "ullage-deliver has not delivered to it yet; Courier IMAP enforces nothing until then",
        remedy: recompute, isRepaired: isRepaired)
    case .unlimited:
      return finding(
        .warning, .limitNotEnforced, "maildirsize says there is no limit, but it is \(Self.text(row.limit))",
        reason: "it was written when there was no limit, or the IMAP server has none", remedy: recompute,
        isRepaired: isRepaired)
    case .unreadable where !report.rightsFaults.isEmpty: return nil
    // Its files are named `S=0`, so a count yields this total.
    case .lopsided where report.repair.map({ ($0.counted.bytes == 0) != ($0.counted.messages == 0) }) ?? false:
      return nil
    default:
      return finding(
        .error, .brokenLedger, "maildirsize is \(fault.phrase)",
        reason: fault == .notAFile
          ? "" : "a program was killed while writing it, the disk was full, or it was edited",
        remedy: recompute, isRepaired: isRepaired)
    }
  }

  private var headerFinding: Finding? {
    guard let limit = row.knownLimit, let header = report.headerLimit, header != limit.published else { return nil }
    let evidence = "maildirsize has \(Self.text(header)), the database \(Self.text(row.limit))"
    if report.isOurs {
      return finding(
        .notice, .headerLimit, evidence, reason: "the limit changed, and no mail has arrived since",
        remedy: recompute(.recompute(mailbox: row.name)), isRepaired: repairs && report.repair != nil)
    }
    // Never shown as repaired: the IMAP server would write it again.
    return finding(
      .warning, .headerLimit, evidence,
      reason: "VDA wrote it earlier, or the IMAP server has another limit; then the two keep recounting the mailbox",
      remedy: recompute(.recomputeAndAlign(mailbox: row.name)))
  }

  private var driftFinding: Finding? {
    guard let repair = report.repair, let drift = repair.drift, drift != .none, let before = repair.before else {
      return nil
    }
    let counted = Self.text(repair.counted)
    return finding(
      .warning, .drift,
      "maildirsize says \(Self.text(before)), but there are \(counted) (\(Self.signed(drift)))",
      reason: isLost(drift, repair.cause)
        ? "entries may have been lost when the machine stopped" : repair.cause?.sentence ?? "",
      remedy: recompute(repairs ? .recomputeAgain(mailbox: row.name) : .recompute(mailbox: row.name)),
      bytes: drift.bytes,
      messages: drift.messages, isRepaired: isRepaired)
  }

  private func isLost(_ drift: QuotaUsage, _ cause: DriftCause?) -> Bool {
    report.isSuspect && drift.bytes < 0 && (cause == .unknown || cause == .replaced)
  }

  private var overQuotaFinding: Finding? {
    // An unknown limit is none, which nothing exceeds.
    guard let usage = report.repair?.counted ?? report.usage, row.limit.isExceeded(by: usage) else { return nil }
    return finding(
      .warning, .overQuota, "it holds \(Self.text(usage)), and its limit is \(Self.text(row.limit))",
      remedy: .advice("ask its owner to delete mail, or raise the limit; new mail is deferred or bounced"),
      bytes: row.limit.bytes > 0 ? usage.minus(QuotaUsage(bytes: row.limit.bytes, messages: 0)).bytes : nil)
  }

  private static func text(_ usage: QuotaUsage) -> String {
    "\(quantity(usage.bytes, "byte")) in \(quantity(usage.messages, "message"))"
  }

  /// Ledger minus counted: `+400, +2`.
  private static func signed(_ drift: QuotaUsage) -> String {
    [drift.bytes, drift.messages].map { ($0 > 0 ? "+" : "") + grouped($0) }.joined(separator: ", ")
  }

  private static func text(_ limit: QuotaLimit) -> String {
    let parts = [
      limit.bytes > 0 ? "\(grouped(limit.bytes)) bytes" : nil,
      limit.messages > 0 ? "\(grouped(limit.messages)) messages" : nil,
    ].compactMap { $0 }
    return parts.isEmpty ? "no limit" : parts.joined(separator: " and ")
  }
}

extension MailboxRow.Fault {
  fileprivate var isPath: Bool { if case .path = self { true } else { false } }
}
