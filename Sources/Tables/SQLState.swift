// SPDX-License-Identifier: Apache-2.0
import Text

/// The lexical state at a position in PostgreSQL's SQL (its manual, "Lexical Structure"; scan.l).
enum SQLState: Equatable {
  case code, string, identifier, lineComment
  case blockComment(depth: Int)
  case dollarString(tag: [UInt8])
  /// A string in which escaping makes a text harmless only by chance.
  case special(Special)
  /// After a quote in such a string, and white space: another quote continues it, anything else means that it has
  /// ended.
  case afterSpecial(Special, Gap)

  /// A string with a letter before its first quote.
  enum Special: Equatable {
    /// `E'…'`: a backslash quotes the next character.
    case escapes
    /// `U&'…'`
    case unicode
    /// `B'…'` and `X'…'`: a doubled quote ends it.
    case bits
  }

  /// What is between the end of a string and the quote that continues it.
  enum Gap: Equatable {
    case none, whiteSpace, dash, comment
  }

  /// Advances over `text`.
  ///
  /// - Parameter before: the text read since the state last changed; `text` is added to it.
  mutating func read(_ text: [UInt8], after before: inout [UInt8]) {
    for byte in text {
      before.append(byte)
      let old = self
      step(byte, before)
      guard self != old else { continue }
      // The delimiter that ends a state is not part of the next: `/*/` opens a comment and does not close it. But what
      // shows that a string is not continued is.
      before = old.isAfterSpecial && self == .code ? [byte] : []
    }
  }

  private var isAfterSpecial: Bool { if case .afterSpecial = self { true } else { false } }

  private mutating func step(_ byte: UInt8, _ text: [UInt8]) {
    switch self {
    case .code: stepInCode(byte, text)
    // A doubled quote ends the string and starts it again, which is equivalent.
    case .string: if byte == UInt8(ascii: "'") { self = .code }
    case .special(let special):
      let backslashes = text.dropLast().reversed().prefix { $0 == UInt8(ascii: "\\") }.count
      guard byte == UInt8(ascii: "'"), special != .escapes || backslashes.isMultiple(of: 2) else { return }
      self = .afterSpecial(special, .none)
    case .afterSpecial(let special, let gap): stepAfter(special, gap, byte, text)
    case .identifier: if byte == UInt8(ascii: "\"") { self = .code }
    case .lineComment: if Self.endsLine(byte) { self = .code }
    case .blockComment(let depth):
      if text.ends(with: "/*") { self = .blockComment(depth: depth + 1) }
      if text.ends(with: "*/") { self = depth == 1 ? .code : .blockComment(depth: depth - 1) }
    case .dollarString(let tag): if text.suffix(tag.count).elementsEqual(tag) { self = .code }
    }
  }

  private mutating func stepAfter(_ special: Special, _ gap: Gap, _ byte: UInt8, _ text: [UInt8]) {
    switch (gap, byte) {
    case (.none, UInt8(ascii: "'")) where special == .bits: self = .string
    case (.none, UInt8(ascii: "'")), (.whiteSpace, UInt8(ascii: "'")): self = .special(special)
    case (.none, UInt8(ascii: "-")), (.whiteSpace, UInt8(ascii: "-")): self = .afterSpecial(special, .dash)
    case (.dash, UInt8(ascii: "-")): self = .afterSpecial(special, .comment)
    case (.comment, _):
      if Self.endsLine(byte) { self = .afterSpecial(special, .whiteSpace) }
    case (.none, _) where byte.isWhiteSpace, (.whiteSpace, _) where byte.isWhiteSpace:
      self = .afterSpecial(special, .whiteSpace)
    default:
      self = .code
      stepInCode(byte, text)
    }
  }

  private mutating func stepInCode(_ byte: UInt8, _ text: [UInt8]) {
    switch byte {
    case UInt8(ascii: "'"):
      let front = text.dropLast()
      let hasAmpersand = front.last == UInt8(ascii: "&")
      // The whole name: `_e'…'` is a name and an ordinary string. Digits are a number before it, `1e'…'`.
      let word = (hasAmpersand ? front.dropLast() : front).suffix(while: Self.isInName)
        .drop { $0.isDigit || $0 == UInt8(ascii: "$") }.text.lowercased()
      switch (word, hasAmpersand) {
      case ("e", false): self = .special(.escapes)
      case ("u", true): self = .special(.unicode)
      case ("b", false), ("x", false): self = .special(.bits)
      default: self = .string
      }
    case UInt8(ascii: "\""): self = .identifier
    case UInt8(ascii: "-"): if text.ends(with: "--") { self = .lineComment }
    case UInt8(ascii: "*"): if text.ends(with: "/*") { self = .blockComment(depth: 1) }
    case UInt8(ascii: "$"):
      let tag = text.dropLast().suffix { Self.isInName($0) && $0 != UInt8(ascii: "$") }
      let dollar = tag.startIndex - 1
      // A name may contain a dollar sign: `x$a$`.
      guard dollar >= 0, text[dollar] == byte, tag.first?.isDigit != true,
        text[..<dollar].suffix(while: Self.isInName).allSatisfy({ $0.isDigit || $0 == byte })
      else { return }
      self = .dollarString(tag: Array(text[dollar...]))
    default: break
    }
  }

  private static func endsLine(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") }

  /// Whether a name may contain `byte`, after its first.
  private static func isInName(_ byte: UInt8) -> Bool {
    byte.isASCIILetter || byte.isDigit || "_$".utf8.contains(byte) || byte >= 0x80
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
