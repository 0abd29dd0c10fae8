// SPDX-License-Identifier: Apache-2.0
import Configuration
import Posix
import Text

/// A dictionary: `inline:{ key=value, {key = text with blanks} }`, or the lines of a `texthash:` file.
final class InMemoryTable: LookupTable {
  /// Keys are bytes: as a `String`, different encodings of one letter would be the same key.
  private let values: [[UInt8]: [UInt8]]

  init(inline reference: TableReference) throws(TableError) {
    guard let list = unbraced(reference.name) else {
      throw TableError(.configuration, reference.text, "expected inline:{ key=value, {key = value} }")
    }
    var values: [[UInt8]: [UInt8]] = [:]
    for item in splitList(list) {
      let pair = unbraced(item).map { Array($0) } ?? item
      guard let (key, value) = splitAssignment(pair) else {
        throw TableError(.configuration, reference.text, "expected key=value, found \"\(item.text)\"")
      }
      Self.add(key, value, to: &values)
    }
    self.values = values
  }

  /// - Parameters:
  ///   - text: lines of a key and, after white space, its value (postmap(1)).
  ///   - name: the table's, for errors.
  init(texthash text: [UInt8], name: String) throws(TableError) {
    var values: [[UInt8]: [UInt8]] = [:]
    for line in LogicalLine.split(text) {
      guard let (key, value) = Self.keyAndValue(line.text) else {
        throw TableError(.configuration, name, "line \(line.number): expected a key and a value")
      }
      Self.add(key, value, to: &values)
    }
    self.values = values
  }

  func lookup(_ query: TableQuery, among tables: TableSet) throws(TableError) -> [UInt8]? { self[query.key] }

  subscript(key: [UInt8]) -> [UInt8]? { values[key] }

  var keys: [[UInt8]] { Array(values.keys) }

  /// If a key occurs twice, the first entry wins, as in Postfix.
  private static func add(_ key: [UInt8], _ value: [UInt8], to values: inout [[UInt8]: [UInt8]]) {
    let key = foldCase(key)
    if values[key] == nil { values[key] = value }
  }

  /// The key ends at the first white space outside double quotes; a backslash quotes the next byte. Quotes
  /// and backslashes stay in the key: an address is looked up in its quoted form (virtual(5)).
  ///
  /// Nil where Postfix would warn and skip the line, because that could lose a mailbox.
  static func keyAndValue(_ line: [UInt8]) -> (key: [UInt8], value: [UInt8])? {
    var rest = line.trimmed
    var key: [UInt8] = []
    var isQuoted = false
    while let byte = rest.first, isQuoted || !byte.isWhiteSpace {
      key.append(rest.removeFirst())
      if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
      if byte == UInt8(ascii: "\\"), let next = rest.popFirst() { key.append(next) }
    }
    let value = rest.trimmed
    return isQuoted || key.isEmpty || value.isEmpty ? nil : (key, Array(value))
  }
}
