// SPDX-License-Identifier: Apache-2.0
import Text

/// Comma-separated values with a line of names first (RFC 4180, except that lines end in LF).
struct CSVWriter: RecordWriter {
  private let output: Output
  private var isEmpty = true

  init(_ output: Output) {
    self.output = output
  }

  mutating func write(_ record: Record) throws {
    if isEmpty { try output.write(record.values.map(\.name).joined(separator: ",") + "\n") }
    try output.write(record.values.map { Self.text($0.value) }.joined(separator: ",") + "\n")
    isEmpty = false
  }

  func finish() throws { try output.flush() }

  private static func text(_ value: Record.Value) -> String {
    switch value {
    case .text(let text): field(text)
    case .number(let number): "\(number)"
    case .flag(let flag): flag ? "true" : "false"
    case .none: ""
    }
  }

  /// In double quotes where needed. A value that a spreadsheet would take for a formula is prefixed with an apostrophe:
  /// addresses and paths may come from others.
  private static func field(_ text: String) -> String {
    let text = text.utf8.first.map { "=+-@\t\r".utf8.contains($0) } == true ? "'" + text : text
    guard text.utf8.contains(where: { ",\"\r\n".utf8.contains($0) }) else { return text }
    return "\"" + text.replacing(UInt8(ascii: "\""), with: "\"\"") + "\""
  }
}
