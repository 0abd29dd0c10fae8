// SPDX-License-Identifier: Apache-2.0
import Audit
import Posix
import Reports
import Text

/// What `ullage audit` writes.
final class AuditReport {
  private let format: OutputFormat
  private let nagios: Bool
  private let quiet: Bool
  private let output = Output()
  private let style = Terminal.style
  private var writer: RecordWriter
  private var problems = 0
  /// The summary has been written.
  private(set) var isFinished = false

  init(format: OutputFormat, nagios: Bool, quiet: Bool) {
    self.format = format
    self.nagios = nagios
    self.quiet = quiet
    writer = RecordWriter(format, output)
  }

  /// Findings are written as they come, except in a table, which starts with the summary.
  var writesAtOnce: Bool { format != .table }

  func write(_ finding: Finding) throws {
    guard writesAtOnce else { return }
    try writer.write(
      Record([
        ("kind", .text(finding.kind.rawValue)), ("severity", .text(finding.severity.rawValue)),
        ("mailbox", .text(finding.mailbox)), ("path", .text(finding.path)), ("evidence", .text(finding.evidence)),
        ("cause", .text(finding.cause)), ("remedy", .text(finding.remedy)), ("bytes", .init(finding.bytes)),
        ("messages", .init(finding.messages)), ("mended", .flag(finding.isMended)),
      ]))
  }

  /// Every problem is named: those that the table does not list go to standard error at once.
  func write(problem: String) {
    problems += 1
    if writesAtOnce || nagios || problems > AuditState.keptProblems {
      StandardStream.writeError("ullage: audit: not audited: \(problem)\n")
    }
  }

  /// - Parameter isComplete: all mailboxes have been audited.
  func finish(_ state: AuditState, seconds: Double, isComplete: Bool) throws {
    if nagios {
      try output.write(nagiosLine(state, seconds: seconds, isComplete: isComplete))
    } else if format == .table {
      if !quiet || state.count() > 0 || state.notAuditedCount > 0 || !isComplete {
        try writeText(state, seconds: seconds, isComplete: isComplete)
      }
    }
    try writer.finish()
    isFinished = true
  }

  func status(_ state: AuditState) -> Int32 {
    if nagios { return nagiosState(state, isComplete: true).status }
    if state.notAuditedCount > 0 { return ExitStatus.incomplete }
    return state.count() > 0 ? 1 : ExitStatus.done
  }

  private func writeText(_ state: AuditState, seconds: Double, isComplete: Bool) throws {
    var state = state
    let tenths = Int(seconds * 10)
    try output.write(
      style(
        "Audit of \(Self.mailboxes(state.mailboxes)), \(grouped(state.counted)) counted, in \(tenths / 10).\(tenths % 10) s",
        .bold)
        + "\n")
    if !isComplete { try output.write(style("Incomplete: it was interrupted.", .red) + "\n") }
    try output.write(sum(state) + "\n")
    let findings = state.sortedFindings()
    let kinds = findings.reduce(into: [Finding.Kind]()) { if !$0.contains($1.kind) { $0.append($1.kind) } }
    for kind in kinds { try write(kind, findings.filter { $0.kind == kind }, of: state.count(kind)) }
    guard state.notAuditedCount > 0 else { return }
    try output.write("\n" + style("not audited: \(grouped(state.notAuditedCount))", .red) + "\n")
    for problem in state.notAudited { try output.write("  \(problem)\n") }
    let rest = state.notAuditedCount - state.notAudited.count
    if rest > 0 { try output.write("  and \(grouped(rest)) more, named on standard error\n") }
  }

  private static func mailboxes(_ count: Int) -> String { count == 1 ? "1 mailbox" : "\(grouped(count)) mailboxes" }

  /// `2 errors, 5 warnings, no notices; 3 mended`
  private func sum(_ state: AuditState) -> String {
    guard state.count() > 0 else { return style("Nothing found.", .green) }
    let parts = Finding.Severity.allCases.map { severity in
      let count = state.count(nil, severity)
      let text = "\(count == 0 ? "no" : grouped(count)) \(severity.rawValue)\(count == 1 ? "" : "s")"
      return style(text, count > 0 ? severity.colour : nil)
    }
    let mended = state.mended > 0 ? "; " + style("\(grouped(state.mended)) repaired", .green) : ""
    return parts.joined(separator: ", ") + mended
  }

  /// One kind of finding: its mailboxes, and what they have in common, written once.
  private func write(_ kind: Finding.Kind, _ findings: [Finding], of count: Int) throws {
    let severity = findings.first?.severity ?? .notice
    try output.write("\n" + style("\(kind.rawValue): \(grouped(count))", severity.colour) + "\n")
    let causes = Set(findings.map(\.cause))
    let width = min(40, findings.map(\.mailbox.count).max() ?? 0)
    for finding in findings {
      let padding = String(repeating: " ", count: max(0, width - finding.mailbox.count))
      let cause = causes.count > 1 && !finding.cause.isEmpty ? " (\(finding.cause))" : ""
      let mended = finding.isMended ? style(" [repaired]", .green) : ""
      try output.write("  \(finding.mailbox)\(padding)  \(finding.evidence)\(cause)\(mended)\n")
    }
    try writeRest(count - findings.count)
    if causes.count == 1, let cause = causes.first, !cause.isEmpty {
      try output.write(style("  likely: ", .dim) + cause + "\n")
    }
    let remedies = findings.filter { !$0.remedy.isEmpty }.map { finding in
      finding.mailbox.isEmpty
        ? finding.remedy : finding.remedy.replacing(shellWord(finding.mailbox), with: "ADDRESS")
    }
    for remedy in remedies.reduce(into: [String](), { if !$0.contains($1) { $0.append($1) } }) {
      try output.write(style("  to do:  ", .dim) + remedy + "\n")
    }
  }

  private func writeRest(_ count: Int) throws {
    if count > 0 { try output.write("  and \(grouped(count)) more; --format jsonl lists all\n") }
  }

  private func nagiosState(_ state: AuditState, isComplete: Bool) -> (word: String, status: Int32) {
    if !isComplete || state.notAuditedCount > 0 { return ("UNKNOWN", 3) }
    if state.count(nil, .error) > 0 { return ("CRITICAL", 2) }
    return state.count() > 0 ? ("WARNING", 1) : ("OK", 0)
  }

  /// The state, a sentence, and the figures after a bar (Monitoring Plugins guidelines).
  private func nagiosLine(_ state: AuditState, seconds: Double, isComplete: Bool) -> String {
    let kinds = Finding.Kind.allCases.filter { state.count($0) > 0 }
    let found = kinds.map { "\(state.count($0)) \($0.rawValue)" }.joined(separator: ", ")
    let sentence =
      isComplete
      ? "\(Self.mailboxes(state.mailboxes)) audited, \(found.isEmpty ? "nothing found" : found)"
        + (state.notAuditedCount > 0 ? ", \(state.notAuditedCount) not audited" : "")
      : "interrupted after \(Self.mailboxes(state.mailboxes))"
    let figures =
      [("mailboxes", state.mailboxes), ("counted", state.counted)]
      + Finding.Severity.allCases.map { ("\($0.rawValue)s", state.count(nil, $0)) }
      + [("mended", state.mended), ("not_audited", state.notAuditedCount)]
    let milliseconds = Int(seconds * 1000)
    let time = "time=\(milliseconds / 1000).\(String("\(1000 + milliseconds % 1000)".dropFirst()))s"
    return "ULLAGE \(nagiosState(state, isComplete: isComplete).word) - \(sentence) | "
      + figures.map { "\($0.0)=\($0.1)" }.joined(separator: " ") + " \(time)\n"
  }
}

extension Finding.Severity {
  fileprivate var colour: Style.Colour {
    switch self {
    case .error: .red
    case .warning: .yellow
    case .notice: .dim
    }
  }
}
