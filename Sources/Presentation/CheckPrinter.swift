// SPDX-License-Identifier: Apache-2.0
package import Findings
import Text

/// Writes what a check found.
package struct CheckPrinter {
  private let remedies: RemedyText
  private let output: Output
  private let style: TerminalStyle

  package init(_ remedies: RemedyText, to output: Output, style: TerminalStyle) {
    self.remedies = remedies
    self.output = output
    self.style = style
  }

  package func write(_ findings: [Finding], as format: OutputFormat) throws {
    if var writer = format.makeWriter?(output) {
      for finding in findings where finding.severity != .good { try writer.write(record(finding)) }
      try writer.finish()
    } else {
      try writeText(findings)
    }
  }

  private func record(_ finding: Finding) -> Record {
    Record([
      ("area", .text(finding.area.rawValue)), ("kind", .init(finding.kind?.rawValue)),
      ("severity", .text(finding.severity.rawValue)), ("finding", .text(finding.evidence)),
      ("place", .text(finding.subject.name)), ("reason", .text(finding.reason)),
      ("remedy", .text(finding.remedy.map { remedies.text($0) } ?? "")),
    ])
  }

  private func writeText(_ findings: [Finding]) throws {
    try output.write(style(Self.summary(findings), .bold) + "\n")
    for area in Finding.Area.allCases {
      let some = findings.filter { $0.area == area }
      guard !some.isEmpty else { continue }
      try output.write("\n" + style(area.title, .bold) + "\n")
      // The worst first; what is right last.
      for severity in Finding.Severity.allCases {
        for finding in some where finding.severity == severity { try write(finding) }
      }
    }
    try output.flush()
  }

  private func write(_ finding: Finding) throws {
    let margin = String(repeating: " ", count: 11)
    let word = finding.severity.word
    let padding = String(repeating: " ", count: max(0, 9 - word.count))
    let kind = finding.kind.map { style(" [\($0.rawValue)]", .dim) } ?? ""
    let lines = wrapped(printable(finding.evidence), width: 78)
    for (index, line) in lines.enumerated() {
      let start = index == 0 ? "  " + style(word, finding.severity.colour) + padding : margin
      try output.write(start + line + (index == lines.count - 1 ? kind : "") + "\n")
    }
    guard finding.severity != .good else { return }
    try write("where", finding.subject.name, isCommand: true)
    try write("why", finding.reason)
    try write("to do", finding.remedy.map { remedies.text($0) } ?? "", isCommand: true)
  }

  /// - Parameter isCommand: it is copied from the screen, so it stays on one line.
  private func write(_ title: String, _ text: String, isCommand: Bool = false) throws {
    guard !text.isEmpty else { return }
    let margin = String(repeating: " ", count: 18)
    for (index, line) in (isCommand ? [printable(text)] : wrapped(printable(text), width: 72)).enumerated() {
      let padding = String(repeating: " ", count: 7 - title.count)
      let start = index == 0 ? String(repeating: " ", count: 11) + style(title, .dim) + padding : margin
      try output.write(start + line + "\n")
    }
  }

  /// `1 error, 2 warnings, no notices`
  private static func summary(_ findings: [Finding]) -> String {
    SeveritySummary.severities.map { severity in
      SeveritySummary.text(findings.count { $0.severity == severity }, severity)
    }.joined(separator: ", ")
  }
}

extension Finding.Severity {
  fileprivate var word: String { self == .good ? "ok" : rawValue }
}

extension Finding.Area {
  fileprivate var title: String {
    switch self {
    case .configuration: "Configuration"
    case .tables: "Tables"
    case .postfix: "Postfix"
    case .mailboxes: "Mailboxes"
    case .imap: "IMAP server"
    case .machine: "Machine"
    }
  }
}
