// SPDX-License-Identifier: Apache-2.0
import Doctor
import Posix
import Reports
import Text

/// What `ullage check` prints.
struct DiagnosisReport {
  let format: OutputFormat
  private let style = Terminal.style
  private let output = Output()

  init(format: OutputFormat) {
    self.format = format
  }

  func write(_ diagnoses: [Diagnosis]) throws {
    if format == .table { try writeText(diagnoses) }
    var writer = RecordWriter(format, output)
    for diagnosis in diagnoses where diagnosis.severity != .good { try writer.write(record(diagnosis)) }
    try writer.finish()
  }

  private func record(_ diagnosis: Diagnosis) -> Record {
    Record([
      ("area", .text(diagnosis.area.rawValue)), ("kind", .init(diagnosis.kind?.rawValue)),
      ("severity", .text(diagnosis.severity.rawValue)), ("finding", .text(diagnosis.finding)),
      ("place", .text(diagnosis.place)), ("reason", .text(diagnosis.reason)), ("remedy", .text(diagnosis.remedy)),
    ])
  }

  private func writeText(_ diagnoses: [Diagnosis]) throws {
    try output.write(style(sum(diagnoses), .bold) + "\n")
    for area in Diagnosis.Area.allCases {
      let some = diagnoses.filter { $0.area == area }
      guard !some.isEmpty else { continue }
      try output.write("\n" + style(area.title, .bold) + "\n")
      // The worst first, what is right last.
      for severity in Diagnosis.Severity.allCases {
        for diagnosis in some where diagnosis.severity == severity { try write(diagnosis) }
      }
    }
  }

  private func write(_ diagnosis: Diagnosis) throws {
    let margin = String(repeating: " ", count: 11)
    let word = diagnosis.severity.word
    let padding = String(repeating: " ", count: max(0, 9 - word.count))
    let kind = diagnosis.kind.map { style(" [\($0.rawValue)]", .dim) } ?? ""
    let lines = wrapped(printable(diagnosis.finding), width: 78)
    for (index, line) in lines.enumerated() {
      let start = index == 0 ? "  " + style(word, diagnosis.severity.colour) + padding : margin
      try output.write(start + line + (index == lines.count - 1 ? kind : "") + "\n")
    }
    guard diagnosis.severity != .good else { return }
    try write("where", diagnosis.place, isCommand: true)
    try write("why", diagnosis.reason)
    try write("to do", diagnosis.remedy, isCommand: true)
  }

  /// - Parameter isCommand: for copying from the screen, so it stays on one line.
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
  private func sum(_ diagnoses: [Diagnosis]) -> String {
    let counts = Diagnosis.Severity.allCases.filter { $0 != .good }.map { severity in
      let count = diagnoses.count { $0.severity == severity }
      return "\(count == 0 ? "no" : "\(count)") \(severity.rawValue)\(count == 1 ? "" : "s")"
    }
    return counts.joined(separator: ", ")
  }
}

extension Diagnosis.Severity {
  fileprivate var word: String { self == .good ? "ok" : rawValue }

  fileprivate var colour: Style.Colour {
    switch self {
    case .error: .red
    case .warning: .yellow
    case .notice: .dim
    case .good: .green
    }
  }
}

extension Diagnosis.Area {
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
