// SPDX-License-Identifier: Apache-2.0
package import Audit
package import Findings

/// Writes what an audit found. Another format is another type that conforms, and a case in `AuditFormat`.
package protocol AuditPrinter {
  /// Whether findings are written as they are made. If not, there is nothing to see before the end.
  var writesAtOnce: Bool { get }
  /// Whether the printer has room for the mailboxes that could not be audited.
  var listsProblems: Bool { get }
  mutating func write(_ finding: Finding) throws
  /// - Parameters:
  ///   - seconds: since the start of the run.
  ///   - isComplete: all mailboxes have been audited.
  mutating func finish(_ state: AuditState, seconds: Double, isComplete: Bool) throws
}

/// How an audit is written.
package enum AuditFormat: Sendable {
  case records(@Sendable (Output) -> any RecordWriter)
  /// - quiet: nothing is written when nothing was found.
  case text(quiet: Bool)
  case nagios

  package func printer(_ remedies: RemedyText, to output: Output, style: TerminalStyle) -> any AuditPrinter {
    switch self {
    case .nagios: NagiosLine(output)
    case .text(let quiet): AuditText(remedies, quiet: quiet, to: output, style: style)
    case .records(let makeWriter): AuditRecords(remedies, makeWriter(output))
    }
  }
}

/// Findings as records, in the order in which they are made.
struct AuditRecords: AuditPrinter {
  private let remedies: RemedyText
  private var writer: any RecordWriter

  let writesAtOnce = true
  let listsProblems = false

  init(_ remedies: RemedyText, _ writer: any RecordWriter) {
    self.remedies = remedies
    self.writer = writer
  }

  mutating func write(_ finding: Finding) throws {
    try writer.write(
      Record([
        ("kind", .init(finding.kind?.rawValue)), ("severity", .text(finding.severity.rawValue)),
        ("mailbox", .text(finding.subject.name)), ("path", .text(finding.subject.path)),
        ("evidence", .text(finding.evidence)), ("cause", .text(finding.reason)),
        ("remedy", .text(finding.remedy.map { remedies.text($0) } ?? "")), ("bytes", .init(finding.bytes)),
        ("messages", .init(finding.messages)), ("mended", .flag(finding.isRepaired)),
      ]))
  }

  mutating func finish(_ state: AuditState, seconds: Double, isComplete: Bool) throws { try writer.finish() }
}
