// SPDX-License-Identifier: Apache-2.0
import Findings
import Maildir
import Posix
import Quota

@testable import Presentation
@testable import Sweep

/// Values for the printers to print.
enum Samples {
  static let plain = TerminalStyle(colours: false)
  static let remedies = RemedyText(configurationFile: "/etc/ullage/ullage.cf")

  static func row(_ name: String, limit: QuotaLimit = QuotaLimit(bytes: 1000)) -> MailboxRow {
    MailboxRow(
      address: Array("\(name)@example.org".utf8), path: Array("example.org/\(name)/".utf8),
      quota: EffectiveLimit(limit, .own))
  }

  static func visit(_ row: MailboxRow, _ report: MailboxReport) -> Visit {
    let task = MailboxTask(base: "/m", components: [], limit: nil)
    return Visit(row: row, task: task, owner: nil, report: report, position: nil)
  }

  static func repair(
    _ before: (Int64, Int64)?, counted: (Int64, Int64), after: (Int64, Int64)? = nil, _ action: RepairResult.Action,
    fault: LedgerFault? = nil, cause: DriftCause? = nil
  ) -> RepairResult {
    func usage(_ pair: (Int64, Int64)?) -> QuotaUsage? { pair.map { QuotaUsage(bytes: $0.0, messages: $0.1) } }
    return RepairResult(
      before: usage(before), fault: fault, counted: QuotaUsage(bytes: counted.0, messages: counted.1),
      after: usage(after ?? counted), action: action, cause: cause)
  }

  static func report(
    _ state: MailboxReport.State = .examined, _ change: (inout MailboxReport) -> Void = { _ in }
  ) -> MailboxReport {
    var report = MailboxReport(state)
    change(&report)
    return report
  }

  /// Bold and coloured text between brackets, so that a test sees it.
  static func marked(_ text: String) -> String {
    text.replacing("\u{1B}[0m", with: "]").replacing("\u{1B}[1m", with: "[bold ")
      .replacing("\u{1B}[31m", with: "[red ").replacing("\u{1B}[32m", with: "[green ")
      .replacing("\u{1B}[33m", with: "[yellow ").replacing("\u{1B}[2m", with: "[dim ")
  }
}
