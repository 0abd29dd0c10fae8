// SPDX-License-Identifier: Apache-2.0

extension UInt8 {
  /// isspace(3) in the C locale.
  @inlinable package var isWhiteSpace: Bool { self == 32 || (9...13).contains(self) }

  @inlinable package var isDigit: Bool { (48...57).contains(self) }

  @inlinable package var isASCIILetter: Bool { (97...122).contains(self | 32) }

  /// A character of a parameter's name (postconf(5)).
  package var isNameCharacter: Bool { isASCIILetter || isDigit || self == UInt8(ascii: "_") }
}

extension [UInt8] {
  /// Starts with U+FEFF, which some editors write: invisible, it becomes part of the first name or key.
  package var hasByteOrderMark: Bool { starts(with: [0xEF, 0xBB, 0xBF]) }

  /// A copy of the bytes of a span.
  package init(copying span: Span<UInt8>) {
    self.init()
    reserveCapacity(span.count)
    for index in span.indices { append(span[index]) }
  }
}

extension Collection<UInt8> {
  /// Whether `text` occurs in these bytes.
  package func contains(text: String) -> Bool { indices.contains { self[$0...].starts(with: text.utf8) } }
}

extension BidirectionalCollection<UInt8> {
  /// Without white space at the end.
  @inlinable package var trimmingEnd: SubSequence {
    var end = endIndex
    while end > startIndex, self[index(before: end)].isWhiteSpace { end = index(before: end) }
    return self[..<end]
  }

  /// Without white space at either end.
  @inlinable package var trimmed: SubSequence { self[...].trimmingEnd.drop(while: { $0.isWhiteSpace }) }
}

extension String {
  /// A copy with `text` in place of every `byte`, an ASCII character. By bytes: as a `Character`, a quote with an
  /// accent on it is not a quote.
  package func replacing(_ byte: UInt8, with text: String) -> String {
    utf8.split(separator: byte, omittingEmptySubsequences: false).map { $0.text }.joined(separator: text)
  }
}

extension Sequence<UInt8> {
  /// The bytes as text; what is not UTF-8 becomes U+FFFD.
  @inlinable package var text: String { String(decoding: Array(self), as: UTF8.self) }
}
