// SPDX-License-Identifier: Apache-2.0
import Text

/// What is wrong with a configuration file, and where.
package struct ConfigurationError: Error, Equatable, Sendable {
  /// The line on which the fault begins, from 1; nil if no single line is at fault.
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
    /// Whether the value was in double quotes, which were removed.
    var wasQuoted = false
    /// Whether the value may refer to others.
    var hasMacro: Bool { value.contains(UInt8(ascii: "$")) }
  }

  /// A name, and the line that sets it.
  package struct Name: Equatable, Sendable {
    package let text: String
    package let line: Int
  }

  private(set) var entries: [String: Entry] = [:]
  /// The first line that is no assignment. It is reported only when `Settings` are made, so that a file with
  /// such a line can still say where to log that.
  private(set) var syntaxError: ConfigurationError?

  package init(parsing text: [UInt8]) {
    if text.hasByteOrderMark {
      syntaxError = ConfigurationError(line: 1, "the file begins with a byte order mark; remove it")
    }
    for line in LogicalLine.split(text) {
      if let (name, value) = line.assignment, name.allSatisfy({ $0.isNameCharacter }) {
        // As in Postfix, the last line with a name applies.
        let plain = Self.unquoted(value)
        entries[name.text] = Entry(value: plain, line: line.number, wasQuoted: plain != value)
      } else if syntaxError == nil {
        syntaxError = ConfigurationError(line: line.number, "expected name = value, found \"\(line.text.text)\"")
      }
    }
  }

  /// The value of `parameter` with every `$name` replaced, or its default.
  package func value(of parameter: Parameter) throws(ConfigurationError) -> [UInt8] {
    guard let entry = entries[parameter.rawValue] else { return Array(parameter.definition.defaultText.utf8) }
    return try expand(entry, parameter.rawValue, seen: [])
  }

  func value(of parameter: ToolParameter) throws(ConfigurationError) -> [UInt8] {
    guard let entry = entries[parameter.rawValue] else { return Array(parameter.definition.defaultText.utf8) }
    return try expand(entry, parameter.rawValue, seen: [])
  }

  func line(of parameter: Parameter) -> Int? { entries[parameter.rawValue]?.line }

  func line(of parameter: ToolParameter) -> Int? { entries[parameter.rawValue]?.line }

  /// Throws for a line that is no assignment, and for an unknown name: probably a typo, which would silently
  /// disable a setting.
  package func check() throws(ConfigurationError) {
    if let syntaxError { throw syntaxError }
    try check(unknownNames)
  }

  func check(_ unknown: [Name]) throws(ConfigurationError) {
    if let unknown = unknown.first {
      throw ConfigurationError(line: unknown.line, "unknown parameter \(unknown.text); see ullage.cf(5) for the names")
    }
  }

  /// Names that are neither known here, left to `ullage`, nor used as `$name`.
  package var unknownNames: [Name] {
    let used = usedNames
    return names { name, _ in
      Parameter(rawValue: name) == nil && !Parameter.ignored.contains(name) && !used.contains(name)
        && !ToolParameter.isReserved(name)
    }
  }

  /// Names that are left to `ullage`, and that it does not know either.
  package var unknownToolNames: [Name] {
    let used = usedNames
    return names { name, _ in
      ToolParameter.isReserved(name) && ToolParameter(rawValue: name) == nil && !used.contains(name)
    }
  }

  /// User-defined names: those that the file refers to as `$name`.
  package var ownNames: [Name] {
    let used = usedNames
    return names { name, _ in
      Parameter(rawValue: name) == nil && ToolParameter(rawValue: name) == nil && used.contains(name)
    }
  }

  /// Known Postfix names that have no effect here.
  package var ignoredNames: [Name] {
    let used = usedNames
    return names { name, _ in Parameter.ignored.contains(name) && !used.contains(name) }
  }

  /// Names whose values were in double quotes.
  package var quotedNames: [Name] { names { _, entry in entry.wasQuoted } }

  private var usedNames: Set<String> {
    entries.values.reduce(into: []) { if $1.hasMacro { $0.formUnion(Macro.names(in: $1.value)) } }
  }

  private func names(_ isMeant: (String, Entry) -> Bool) -> [Name] {
    entries.filter { isMeant($0.key, $0.value) }.map { Name(text: $0.key, line: $0.value.line) }
      .sorted { $0.line < $1.line }
  }

  private func value(of name: String, seen: Set<String>) throws(ConfigurationError) -> [UInt8]? {
    if let entry = entries[name] { return try expand(entry, name, seen: seen) }
    // Those of the policy service have names that Postfix gives other defaults, such as $mydomain.
    guard let parameter = Parameter(rawValue: name), !parameter.isForPolicy else { return nil }
    return Array(parameter.definition.defaultText.utf8)
  }

  private func expand(_ entry: Entry, _ name: String, seen: Set<String>) throws(ConfigurationError) -> [UInt8] {
    guard entry.hasMacro else { return entry.value }
    guard !seen.contains(name) else { throw ConfigurationError(line: entry.line, "$\(name) refers to itself") }
    return try Macro.expand(entry.value, line: entry.line) { other throws(ConfigurationError) in
      try value(of: other, seen: seen.union([name]))
    }
  }

  /// The value without a pair of double quotes around it. Many guides write these quotes, and VDA kept them:
  /// `".Trash"` never matched a folder, and senders saw them.
  package static func unquoted(_ value: [UInt8]) -> [UInt8] {
    let quote = UInt8(ascii: "\"")
    guard value.count >= 2, value.first == quote, value.last == quote else { return value }
    let inside = value.dropFirst().dropLast()
    return inside.contains(quote) ? value : Array(inside)
  }
}
