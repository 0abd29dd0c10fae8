// SPDX-License-Identifier: Apache-2.0
import Text

/// `$name`, `${name}`, `${name?text}` and so on inside a value (postconf(5)).
package enum Macro {
  package typealias Lookup = (String) throws(ConfigurationError) -> [UInt8]?

  /// Replaces `$name`, `${name}`, `$(name)`, `${name?text}`, `${name:text}`, `${name?{text}:{text}}` and `$$`.
  ///
  /// `?` yields its text if the value is not empty, `:` if it is. An undefined `$name` is an error, while
  /// Postfix takes it as empty: an empty path or limit is never intended.
  package static func expand(_ text: [UInt8], line: Int, _ lookup: Lookup) throws(ConfigurationError) -> [UInt8] {
    var result: [UInt8] = []
    var rest = text[...]
    while let dollar = rest.firstIndex(of: UInt8(ascii: "$")) {
      result += rest[..<dollar]
      rest = rest[(dollar + 1)...]
      if rest.first == UInt8(ascii: "$") {
        result.append(UInt8(ascii: "$"))
        rest = rest.dropFirst()
      } else {
        let reference = try takeReference(from: &rest, line: line)
        result += try value(of: reference, line: line, lookup)
      }
    }
    return result + rest
  }

  /// The names that `text` refers to, in all branches.
  package static func names(in text: [UInt8]) -> Set<String> {
    var names: Set<String> = []
    var rest = text[...]
    while let dollar = rest.firstIndex(of: UInt8(ascii: "$")) {
      rest = rest[(dollar + 1)...]
      if rest.first == UInt8(ascii: "$") {
        rest = rest.dropFirst()
        continue
      }
      let open = rest.prefix { $0 == UInt8(ascii: "{") || $0 == UInt8(ascii: "(") || $0.isWhiteSpace }
      names.insert(rest.dropFirst(open.count).prefix(while: { $0.isNameCharacter }).text)
    }
    return names
  }

  /// The text after a `$`: a bare name, or what is between the braces or parentheses.
  private static func takeReference(
    from rest: inout ArraySlice<UInt8>, line: Int
  ) throws(ConfigurationError) -> ArraySlice<UInt8> {
    switch rest.first {
    case UInt8(ascii: "{"): return try takeGroup(from: &rest, close: UInt8(ascii: "}"), line: line)
    case UInt8(ascii: "("): return try takeGroup(from: &rest, close: UInt8(ascii: ")"), line: line)
    default:
      let name = rest.prefix(while: { $0.isNameCharacter })
      guard !name.isEmpty else {
        throw ConfigurationError(line: line, "a $ without a name; write $$ for a dollar sign")
      }
      rest = rest.dropFirst(name.count)
      return name
    }
  }

  private static func takeGroup(
    from rest: inout ArraySlice<UInt8>, close: UInt8, line: Int
  ) throws(ConfigurationError) -> ArraySlice<UInt8> {
    guard let open = rest.first else { return [] }
    var depth = 0
    for index in rest.indices {
      if rest[index] == open { depth += 1 }
      if rest[index] == close { depth -= 1 }
      if depth == 0 {
        defer { rest = rest[(index + 1)...] }
        return rest[(rest.startIndex + 1)..<index]
      }
    }
    throw ConfigurationError(line: line, "an opening brace or parenthesis is never closed")
  }

  private static func value(
    of reference: ArraySlice<UInt8>, line: Int, _ lookup: Lookup
  ) throws(ConfigurationError) -> [UInt8] {
    let reference = reference.trimmed
    let name = reference.prefix(while: { $0.isNameCharacter })
    let condition = reference.dropFirst(name.count).trimmed
    guard !name.isEmpty else {
      throw ConfigurationError(line: line, "cannot expand ${\(reference.text)}; write its value instead")
    }
    let value = try lookup(name.text)
    guard let mark = condition.first else {
      guard let value else { throw ConfigurationError(line: line, "$\(name.text) is not defined in this file") }
      return value
    }
    var text = condition.dropFirst().trimmed
    let isSet = value?.isEmpty == false
    switch mark {
    case UInt8(ascii: "?") where text.first == UInt8(ascii: "{"):
      let whenSet = try takeGroup(from: &text, close: UInt8(ascii: "}"), line: line)
      var other = text.trimmed
      guard other.isEmpty || other.popFirst() == UInt8(ascii: ":") else {
        throw ConfigurationError(line: line, "cannot expand ${\(reference.text)}; write its value instead")
      }
      return try expand(Array(isSet ? whenSet : ungrouped(other, line: line)), line: line, lookup)
    case UInt8(ascii: "?"): return isSet ? try expand(Array(text), line: line, lookup) : []
    case UInt8(ascii: ":"): return isSet ? [] : try expand(Array(ungrouped(text, line: line)), line: line, lookup)
    default: throw ConfigurationError(line: line, "cannot expand ${\(reference.text)}; write its value instead")
    }
  }

  private static func ungrouped(
    _ text: ArraySlice<UInt8>, line: Int
  ) throws(ConfigurationError) -> ArraySlice<UInt8> {
    var text = text.trimmed
    guard text.first == UInt8(ascii: "{") else { return text }
    return try takeGroup(from: &text, close: UInt8(ascii: "}"), line: line)
  }
}
