// SPDX-License-Identifier: Apache-2.0
import Configuration
import Text

/// The `query` of a table file: SQL into which parts of the key are inserted, each escaped.
struct QueryTemplate: Equatable, Sendable {
  private let parts: [TemplatePart]

  /// - Throws: `ConfigurationError`, also for an expansion outside an ordinary `'string'`: escaping makes a
  ///   text harmless only there, and the address comes from a stranger.
  init(_ text: [UInt8], line: Int?) throws(ConfigurationError) {
    parts = try TemplatePart.parse(text, line: line)
    var state = SQLState.code
    var before: [UInt8] = []
    for part in parts {
      switch part {
      case .literal(let text): state.read(text, after: &before)
      case .expansion:
        guard state == .string else {
          throw ConfigurationError(
            line: line, "an expansion must be inside single quotes, such as '%s', or the sender could inject SQL")
        }
        before.append(UInt8(ascii: "x"))
      }
    }
  }

  /// The SQL for `key`, or nil if the key lacks a part: then nothing is queried, and nothing is found.
  func sql<E: Error>(
    for key: [UInt8], escape: ([UInt8]) throws(E) -> [UInt8]
  ) throws(E) -> [UInt8]? {
    let key = KeyParts(key)
    var sql: [UInt8] = []
    for part in parts {
      switch part {
      case .literal(let text): sql += text
      case .expansion(let expansion):
        guard let text = expansion.text(of: key, key: key) else { return nil }
        sql += try escape(text)
      }
    }
    return sql
  }

  /// Whether `key` has all the parts that the query needs.
  func applies(to key: [UInt8]) -> Bool {
    sql(for: key) { $0 } != nil
  }
}

/// The lexical state at a position in PostgreSQL's SQL.
private enum SQLState: Equatable {
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

/// The `result_format` of a table file, applied to each value.
struct ResultTemplate: Equatable, Sendable {
  private let parts: [TemplatePart]

  init(_ text: [UInt8], line: Int?) throws(ConfigurationError) {
    parts = try TemplatePart.parse(text, line: line)
  }

  /// Whether `key` has all the parts that the format uses; if not, nothing is looked up (pgsql_table(5)).
  func applies(to key: [UInt8]) -> Bool {
    let key = KeyParts(key)
    return parts.allSatisfy { part in
      switch part {
      case .expansion(.whole), .expansion(.user), .expansion(.domain), .literal: true
      case .expansion(let expansion): expansion.text(of: key, key: key) != nil
      }
    }
  }

  /// Nil for a value that lacks a part; it is skipped.
  func text(for value: [UInt8], key: [UInt8]) -> [UInt8]? {
    let (value, key) = (KeyParts(value), KeyParts(key))
    var result: [UInt8] = []
    for part in parts {
      switch part {
      case .literal(let text): result += text
      case .expansion(let expansion):
        guard let text = expansion.text(of: value, key: key) else { return nil }
        result += text
      }
    }
    return result
  }
}
