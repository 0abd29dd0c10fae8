// SPDX-License-Identifier: Apache-2.0
import Text

/// One `name = value` or table line, with its continuation lines joined (postconf(5), "file format").
package struct LogicalLine: Equatable, Sendable {
  /// The line of the file on which it begins, from 1.
  package let number: Int
  package let text: [UInt8]

  /// Splits `text` as Postfix reads main.cf and its tables.
  ///
  /// A line that begins with white space continues the one before. Blank lines, and lines whose first
  /// character other than white space is `#`, are skipped, even between a line and its continuation. A `#`
  /// later in a line is data. Trailing white space is removed.
  package static func split(_ text: [UInt8]) -> [LogicalLine] {
    var lines: [LogicalLine] = []
    for (index, raw) in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      guard let first = raw.first(where: { !$0.isWhiteSpace }), first != UInt8(ascii: "#") else { continue }
      let line = raw.trimmingEnd
      if line.first?.isWhiteSpace == true, let last = lines.popLast() {
        lines.append(LogicalLine(number: last.number, text: last.text + line))
      } else {
        lines.append(LogicalLine(number: index + 1, text: Array(line)))
      }
    }
    return lines
  }

  /// The line as `name = value`.
  package var assignment: (name: [UInt8], value: [UInt8])? { splitAssignment(text) }
}
