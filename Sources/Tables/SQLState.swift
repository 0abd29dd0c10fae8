// SPDX-License-Identifier: Apache-2.0
import Text

/// The lexical state at a position in PostgreSQL's SQL.
enum SQLState: Equatable {
  case code, string, identifier, lineComment
  /// A string in which a backslash is special: `E'…'` and `U&'…'`. Escaping is not safe there.
  case escapeString
  /// After a quote in such a string: another quote continues it, anything else means that it has ended.
  case escapeStringQuote
  case blockComment(depth: Int)
  case dollarString(tag: [UInt8])

  /// Advances over `text`.
  ///
  /// - Parameter before: the text read since the state last changed; `text` is added to it.
  mutating func read(_ text: [UInt8], after before: inout [UInt8]) {
    for byte in text {
      before.append(byte)
      let old = self
      step(byte, before)
      // The delimiter that ends a state is not part of the next: `/*/` opens a comment and does not close it.
      if self != old { before = [] }
    }
  }

  private mutating func step(_ byte: UInt8, _ text: [UInt8]) {
    switch self {
    case .code: stepInCode(byte, text)
    // A doubled quote ends the string and starts it again, which is equivalent.
    case .string: if byte == UInt8(ascii: "'") { self = .code }
    case .escapeString:
      let backslashes = text.dropLast().reversed().prefix { $0 == UInt8(ascii: "\\") }.count
      if byte == UInt8(ascii: "'"), backslashes.isMultiple(of: 2) { self = .escapeStringQuote }
    case .escapeStringQuote:
      self = byte == UInt8(ascii: "'") ? .escapeString : .code
      if self == .code { stepInCode(byte, text) }
    case .identifier: if byte == UInt8(ascii: "\"") { self = .code }
    case .lineComment: if byte == UInt8(ascii: "\n") { self = .code }
    case .blockComment(let depth):
      if text.ends(with: "/*") { self = .blockComment(depth: depth + 1) }
      if text.ends(with: "*/") { self = depth == 1 ? .code : .blockComment(depth: depth - 1) }
    case .dollarString(let tag): if text.suffix(tag.count).elementsEqual(tag) { self = .code }
    }
  }

  private mutating func stepInCode(_ byte: UInt8, _ text: [UInt8]) {
    switch byte {
    case UInt8(ascii: "'"):
      let word = text.dropLast().suffix { $0.isASCIILetter || $0 == UInt8(ascii: "&") }.text.lowercased()
      self = word == "e" || word == "u&" ? .escapeString : .string
    case UInt8(ascii: "\""): self = .identifier
    case UInt8(ascii: "-"): if text.ends(with: "--") { self = .lineComment }
    case UInt8(ascii: "*"): if text.ends(with: "/*") { self = .blockComment(depth: 1) }
    case UInt8(ascii: "$"):
      let tag = text.dropLast().suffix { $0.isASCIILetter || $0.isDigit || $0 == UInt8(ascii: "_") }
      let dollar = tag.startIndex - 1
      if dollar >= 0, text[dollar] == byte, tag.first?.isDigit != true {
        self = .dollarString(tag: Array(text[dollar...]))
      }
    default: break
    }
  }
}

extension [UInt8] {
  fileprivate func ends(with text: StaticString) -> Bool {
    suffix(text.description.utf8.count).elementsEqual(text.description.utf8)
  }
}

extension BidirectionalCollection {
  fileprivate func suffix(while predicate: (Element) -> Bool) -> SubSequence {
    var start = endIndex
    while start > startIndex, predicate(self[index(before: start)]) { start = index(before: start) }
    return self[start...]
  }
}
