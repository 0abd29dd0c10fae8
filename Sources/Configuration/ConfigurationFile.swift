// SPDX-License-Identifier: Apache-2.0

/// What is wrong with a configuration file, and where.
package struct ConfigurationError: Error, Equatable, Sendable {
  /// The line it begins on, from 1; nil when it is not one line's fault.
  package let line: Int?
  package let message: String

  package init(line: Int? = nil, _ message: String) {
    self.line = line
    self.message = message
  }
}

/// A file in the syntax of main.cf: `name = value`, with `$name` for the value of another line (postconf(5)).
package struct ConfigurationFile: Sendable {
  struct Entry: Equatable, Sendable {
    let value: [UInt8]
    let line: Int
  }

  private(set) var entries: [String: Entry] = [:]
  /// The first line that is no assignment. It is kept until somebody asks for `Settings`, so that a file with such a
  /// line still tells where to log that.
  private(set) var syntaxError: ConfigurationError?

  package init(parsing text: [UInt8]) {
    if text.hasByteOrderMark {
      syntaxError = ConfigurationError(line: 1, "the file begins with a byte order mark; remove it")
    }
    for line in LogicalLine.split(text) {
      if let (name, value) = line.assignment, name.allSatisfy(\.isNameCharacter) {
        // As with Postfix, the last line of a name holds.
        entries[name.text] = Entry(value: Self.unquoted(value), line: line.number)
      } else if syntaxError == nil {
        syntaxError = ConfigurationError(line: line.number, "expected name = value, found \"\(line.text.text)\"")
      }
    }
  }

  /// The value of `parameter` with every `$name` replaced, or its default.
  package func value(of parameter: Parameter) throws(ConfigurationError) -> [UInt8] {
    try value(of: parameter.rawValue, seen: []) ?? []
  }

  func line(of parameter: Parameter) -> Int? { entries[parameter.rawValue]?.line }

  /// Refuses a line that is no assignment, and a name that nobody knows: most likely a spelling mistake that would silently switch a setting off.
  ///
  /// A name that the file itself uses as `$name` is the administrator's own macro.
  package func check() throws(ConfigurationError) {
    if let syntaxError { throw syntaxError }
    var used: Set<String> = []
    for entry in entries.values { used.formUnion(Macro.names(in: entry.value)) }
    for (name, entry) in entries.sorted(by: { $0.value.line < $1.value.line })
    where Parameter(rawValue: name) == nil && !Parameter.ignored.contains(name) && !used.contains(name) {
      throw ConfigurationError(line: entry.line, "unknown parameter \(name); see ullage.cf(5) for the names")
    }
  }

  private func value(of name: String, seen: Set<String>) throws(ConfigurationError) -> [UInt8]? {
    guard let entry = entries[name] else { return Parameter(rawValue: name).map { Array($0.definition.standard.utf8) } }
    guard !seen.contains(name) else { throw ConfigurationError(line: entry.line, "$\(name) refers to itself") }
    return try Macro.expand(entry.value, line: entry.line) { other throws(ConfigurationError) in
      try value(of: other, seen: seen.union([name]))
    }
  }

  /// The text inside one pair of double quotes around the whole value. VDA kept the quotes that many guides write, so
  /// that `".Trash"` never matched a folder and senders saw them.
  private static func unquoted(_ value: [UInt8]) -> [UInt8] {
    let quote = UInt8(ascii: "\"")
    guard value.count >= 2, value.first == quote, value.last == quote else { return value }
    let inside = value.dropFirst().dropLast()
    return inside.contains(quote) ? value : Array(inside)
  }
}
