// SPDX-License-Identifier: Apache-2.0
import Audit
import Findings
import Text

/// The report of an audit for people: a summary, then the findings by kind, the worst first.
struct AuditText: AuditPrinter {
  private let remedies: RemedyText
  private let isQuiet: Bool
  private let output: Output
  private let style: TerminalStyle

  /// The summary is written first.
  let writesAtOnce = false
  let listsProblems = true

  init(_ remedies: RemedyText, quiet: Bool, to output: Output, style: TerminalStyle) {
    self.remedies = remedies
    isQuiet = quiet
    self.output = output
    self.style = style
  }

  func write(_ finding: Finding) {}

  func finish(_ state: AuditState, seconds: Double, isComplete: Bool) throws {
    guard !isQuiet || state.count() > 0 || state.notAuditedCount > 0 || !isComplete else { return }
    var state = state
    let mailboxes = quantity(state.mailboxes, "mailbox", plural: "mailboxes")
    let title = "Audit of \(mailboxes), \(grouped(state.counted)) counted, in \(tenths(ofSeconds: seconds)) s"
    try output.write(style(title, .bold) + "\n")
    if !isComplete { try output.write(style("Incomplete: it was interrupted.", .red) + "\n") }
    try output.write(summary(state) + "\n")
    let findings = state.sortedFindings()
    let kinds = findings.compactMap(\.kind).reduce(into: [FindingKind]()) { if !$0.contains($1) { $0.append($1) } }
    for kind in kinds { try write(kind, findings.filter { $0.kind == kind }, of: state.count(kind)) }
    try writeProblems(state)
    try output.flush()
  }

  private func writeProblems(_ state: AuditState) throws {
    guard state.notAuditedCount > 0 else { return }
    try output.write("\n" + style("not audited: \(grouped(state.notAuditedCount))", .red) + "\n")
    for problem in state.notAudited { try output.write("  \(problem)\n") }
    let rest = state.notAuditedCount - state.notAudited.count
    if rest > 0 { try output.write("  and \(grouped(rest)) more, named on standard error\n") }
  }

  /// `2 errors, 5 warnings, no notices; 3 repaired`
  private func summary(_ state: AuditState) -> String {
    guard state.count() > 0 else { return style("Nothing found.", .green) }
    let parts = SeveritySummary.severities.map { severity in
      let count = state.count(nil, severity)
      return style(SeveritySummary.text(count, severity), count > 0 ? severity.colour : nil)
    }
    let repaired = state.repaired > 0 ? "; " + style("\(grouped(state.repaired)) repaired", .green) : ""
    return parts.joined(separator: ", ") + repaired
  }

  /// One kind of finding: its mailboxes, and what they have in common, written once.
  private func write(_ kind: FindingKind, _ findings: [Finding], of count: Int) throws {
    let severity = findings.first?.severity ?? .notice
    try output.write("\n" + style("\(kind.rawValue): \(grouped(count))", severity.colour) + "\n")
    let reasons = Set(findings.map(\.reason))
    let width = min(40, findings.map(\.subject.name.count).max() ?? 0)
    for finding in findings {
      let name = finding.subject.name
      let padding = String(repeating: " ", count: max(0, width - name.count))
      let reason = reasons.count > 1 && !finding.reason.isEmpty ? " (\(finding.reason))" : ""
      let repaired = finding.isRepaired ? style(" [repaired]", .green) : ""
      try output.write("  \(name)\(padding)  \(finding.evidence)\(reason)\(repaired)\n")
    }
    if count > findings.count {
      try output.write("  and \(grouped(count - findings.count)) more; --format jsonl lists all\n")
    }
    if reasons.count == 1, let reason = reasons.first, !reason.isEmpty {
      try output.write(style("  likely: ", .dim) + reason + "\n")
    }
    let texts = findings.compactMap { $0.remedy.map { remedies.text($0, placeholder: "ADDRESS") } }
    for remedy in texts.reduce(into: [String](), { if !$0.contains($1) { $0.append($1) } }) {
      try output.write(style("  to do:  ", .dim) + remedy + "\n")
    }
  }
}

/// `no errors`, `1 warning`, `2 notices`
enum SeveritySummary {
  /// Those that are counted.
  static let severities: [Finding.Severity] = [.error, .warning, .notice]

  static func text(_ count: Int, _ severity: Finding.Severity) -> String {
    count == 0 ? "no \(severity.rawValue)s" : quantity(count, severity.rawValue)
  }
}
