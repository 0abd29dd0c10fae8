// SPDX-License-Identifier: Apache-2.0
import Maildir
import Posix
import Quota
import Reports
import Text

/// Collects the findings about one mailbox.
struct MailboxFindings {
  private let row: MailboxRow
  private(set) var findings: [Finding] = []

  init(_ row: MailboxRow) {
    self.row = row
  }

  /// - Parameter isMended: this run has repaired it, so nothing remains to be done.
  mutating func add(
    _ kind: Finding.Kind, _ severity: Finding.Severity, _ evidence: String, cause: String = "", remedy: String = "",
    bytes: Int64? = nil, messages: Int64? = nil, isMended: Bool = false
  ) {
    findings.append(
      Finding(
        kind: kind, severity: isMended ? .notice : severity, mailbox: row.name, path: row.pathText, evidence: evidence,
        cause: cause, remedy: isMended ? "" : remedy, bytes: bytes, messages: messages, isMended: isMended))
  }
}

/// Turns a report on a mailbox into findings: values in, values out.
package struct AuditRules {
  /// `--repair`: what was counted may already have been repaired.
  private let repairs: Bool

  package init(repairs: Bool) {
    self.repairs = repairs
  }

  package func findings(_ row: MailboxRow, _ report: MailboxReport) -> [Finding] {
    var found = MailboxFindings(row)
    for fault in row.faults { add(fault, row, &found) }
    switch report.state {
    case .absent:
      found.add(.absent, .notice, "no Maildir", cause: "nothing has been delivered there yet, or it was removed")
    case .broken(let text) where !row.faults.contains(where: \.isPath):
      found.add(.brokenMaildir, .error, text, remedy: "repair it; mail to it is deferred until then")
    case .foreign(let user):
      let name = user == 0 ? "root" : "\(User.name(of: user)) (uid \(user))"
      found.add(
        .wrongRights, .error, "the Maildir belongs to \(name)", cause: "it was created by hand, or restored",
        remedy: Self.giveBack)
    case .broken, .failed, .examined: break
    }
    if report.isInspected {
      addFiles(report, &found)
      addLedger(row, report, &found)
    }
    return found.findings
  }

  private static let giveBack = "correct its owner and mode (chown, chmod); mail may be deferred until then"

  private func add(_ fault: MailboxRow.Fault, _ row: MailboxRow, _ found: inout MailboxFindings) {
    switch fault {
    case .null(let column):
      let consequence = column == "limit" ? "virtual_mailbox_limit applies instead" : "no mail can be delivered"
      found.add(
        .nullInList, .warning, "its \(column) in the list is NULL", cause: consequence, remedy: "correct the row")
    case .negative(let bytes):
      found.add(
        .negativeLimit, .notice, "its limit is \(bytes) bytes",
        cause: "PostfixAdmin writes that for \"not managed\"; virtual_mailbox_limit applies instead")
    case .notANumber(let text):
      found.add(
        .badLimit, .error, "its limit \"\(text)\" is not a whole number",
        remedy: "correct the row; mail is deferred until then")
    case .setAside(let bytes):
      found.add(
        .limitNotEnforced, .warning, "its limit of \(bytes) bytes is below message_size_limit",
        cause: "virtual_mailbox_limit applies instead, as with VDA",
        remedy: "set virtual_mailbox_limit_override = yes, or raise the limit")
    case .unused(let bytes):
      found.add(
        .limitNotEnforced, .warning, "the list gives it a limit of \(grouped(bytes)) bytes",
        cause: "virtual_mailbox_limit_maps is not set, so deliveries use virtual_mailbox_limit",
        remedy: "set virtual_mailbox_limit_maps")
    case .path(let reason):
      found.add(
        .badPath, .error, "its path \"\(row.pathText)\" is invalid: \(reason)",
        remedy: "correct the row; mail is deferred until then")
    }
  }

  private func addFiles(_ report: MailboxReport, _ found: inout MailboxFindings) {
    if report.hasFolderMark {
      found.add(
        .strayFolderMark, .error, "there is a file maildirfolder in the Maildir itself",
        cause: "Dovecot created it at CREATE INBOX; Courier's programs take the parent directory for the mailbox",
        remedy: "remove that file")
    }
    for text in report.wrongRights {
      // A new ledger has the right owner and mode.
      let isMended = repairs && report.repair?.action == .replaced && text.contains("maildirsize")
      found.add(
        .wrongRights, .error, text, cause: "a program that ran as another user", remedy: Self.giveBack,
        isMended: isMended)
    }
    for folder in report.unreadable {
      found.add(.wrongRights, .error, "\(folder) cannot be read and is not counted", remedy: Self.giveBack)
    }
    if report.staleFiles > 0 {
      let files = report.staleFiles == 1 ? "a file" : "\(report.staleFiles) files"
      found.add(
        .staleFiles, .notice, "\(files) in tmp/, older than 36 hours", cause: "interrupted deliveries",
        remedy: "ullage audit --clean-tmp", bytes: report.staleBytes, messages: Int64(report.staleFiles),
        isMended: report.removedFiles > 0)
    }
    if report.wrongSizes > 0 {
      let names = report.wrongSizes == 1 ? "a name states" : "\(report.wrongSizes) names state"
      found.add(
        .sizeInName, .warning, "\(names) a size other than the file's (\(report.wrongSizeExample))",
        cause: "compressed by Dovecot, which is fine, or changed after delivery",
        messages: Int64(report.wrongSizes))
    }
  }

  private func addLedger(_ row: MailboxRow, _ report: MailboxReport, _ found: inout MailboxFindings) {
    let (limit, repair) = (row.limit, report.repair)
    let recompute = "ullage recompute \(shellWord(row.name))"
    let isMended = repairs && (repair.map { $0.action == .replaced || $0.action == .corrected } ?? false)
    switch report.fault {
    case .missing?:
      if limit != .none {
        found.add(
          .limitNotEnforced, .warning, "there is no maildirsize, but the limit is \(Self.text(limit))",
          cause: "ullage-deliver has not delivered to it yet; Courier IMAP enforces nothing until then",
          remedy: recompute, isMended: isMended)
      }
    case .unlimited?:
      found.add(
        .limitNotEnforced, .warning, "maildirsize says there is no limit, but it is \(Self.text(limit))",
        cause: "VDA wrote it when there was no limit, or the IMAP server has none", remedy: recompute,
        isMended: isMended)
    case .unreadable? where !report.wrongRights.isEmpty: break
    // Its files are named `S=0`, so a count yields this total.
    case .lopsided? where repair.map { ($0.counted.bytes == 0) != ($0.counted.messages == 0) } ?? false: break
    case let fault?:
      found.add(
        .brokenLedger, .error, "maildirsize is \(fault.phrase)",
        cause: fault == .notAFile ? "" : "a program was killed while writing it, the disk was full, or it was edited",
        remedy: recompute,
        isMended: isMended)
    case nil: addHeader(limit, report, recompute, &found)
    }
    if let repair, let drift = repair.drift, drift != .none, let before = repair.before {
      found.add(
        .drift, .warning,
        "maildirsize says \(Self.text(before)), but there are \(Self.text(repair.counted)) (\(Self.signed(drift)))",
        cause: repair.cause?.sentence ?? "", remedy: repairs ? "it was in use; try again: \(recompute)" : recompute,
        bytes: drift.bytes, messages: drift.messages, isMended: isMended)
    }
    if let usage = repair?.counted ?? report.usage, limit.isExceeded(by: usage) {
      found.add(
        .overQuota, .warning, "it holds \(Self.text(usage)), and its limit is \(Self.text(limit))",
        remedy: "ask its owner to delete mail, or raise the limit; new mail is deferred or bounced",
        bytes: limit.bytes > 0 ? usage.minus(QuotaUsage(bytes: limit.bytes, messages: 0)).bytes : nil)
    }
  }

  private func addHeader(
    _ limit: QuotaLimit, _ report: MailboxReport, _ recompute: String, _ found: inout MailboxFindings
  ) {
    guard let header = report.headerLimit, header != limit.published else { return }
    let evidence = "maildirsize has \(Self.text(header)), the database \(Self.text(limit))"
    if report.isOurs {
      found.add(
        .headerLimit, .notice, evidence, cause: "the limit changed, and no mail has arrived since", remedy: recompute,
        isMended: repairs && report.repair != nil)
    } else {
      // Never shown as repaired: the IMAP server would write it again.
      found.add(
        .headerLimit, .warning, evidence,
        cause:
          "VDA wrote it earlier, or the IMAP server has another limit; then the two keep recounting the mailbox",
        remedy: "\(recompute); if it comes back, make the IMAP server read the limit from the same database")
    }
  }

  private static func text(_ usage: QuotaUsage) -> String {
    "\(grouped(usage.bytes)) \(usage.bytes == 1 ? "byte" : "bytes") in \(grouped(usage.messages)) \(usage.messages == 1 ? "message" : "messages")"
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
