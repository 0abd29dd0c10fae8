// SPDX-License-Identifier: Apache-2.0

/// One `name = value` or table line, its continuation lines joined (postconf(5), "file format").
package struct LogicalLine: Equatable, Sendable {
  /// The line of the file that it begins on, from 1.
  package let number: Int
  package let text: [UInt8]

  /// Splits `text` as Postfix reads main.cf and its tables.
  ///
  /// A line that begins with white space continues the one before. Blank lines and lines whose first character other
  /// than white space is `#` are skipped, also between a line and its continuation. A `#` further on is data.
  /// White space at the end of a line goes.
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

/// The name and the value around the first `=`, white space trimmed; nil without one, or without a name.
package func splitAssignment(_ text: [UInt8]) -> (name: [UInt8], value: [UInt8])? {
  guard let equals = text.firstIndex(of: UInt8(ascii: "=")) else { return nil }
  let name = text[..<equals].trimmed
  return name.isEmpty ? nil : (Array(name), Array(text[(equals + 1)...].trimmed))
}

extension UInt8 {
  /// isspace(3) in the C locale.
  package var isWhiteSpace: Bool { self == 32 || (9...13).contains(self) }

  package var isDigit: Bool { (48...57).contains(self) }

  package var isASCIILetter: Bool { (97...122).contains(self | 32) }
}

extension [UInt8] {
  /// U+FEFF in front, as some editors write it: invisible, and part of the first name or key.
  package var hasByteOrderMark: Bool { starts(with: [0xEF, 0xBB, 0xBF]) }
}

extension BidirectionalCollection<UInt8> {
  package var trimmingEnd: SubSequence {
    var end = endIndex
    while end > startIndex, self[index(before: end)].isWhiteSpace { end = index(before: end) }
    return self[..<end]
  }

  package var trimmed: SubSequence { self[...].trimmingEnd.drop(while: \.isWhiteSpace) }

  /// The bytes as text for a message to a person; what is not UTF-8 is replaced.
  package var text: String { String(decoding: self, as: UTF8.self) }
}
