// SPDX-License-Identifier: Apache-2.0
import Text

/// A list of named values, for programs that read our output.
package struct Record: Encodable, Sendable {
  package enum Value: Encodable, Sendable, ExpressibleByStringLiteral, Equatable {
    case text(String)
    case number(Int64)
    case flag(Bool)
    /// Unknown, or there is none.
    case none

    package init(stringLiteral text: String) { self = .text(text) }

    package init(_ text: String?) { self = text.map { .text($0) } ?? .none }

    package init(_ number: Int64?) { self = number.map { .number($0) } ?? .none }

    package func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      switch self {
      case .text(let text): try container.encode(text)
      case .number(let number): try container.encode(number)
      case .flag(let flag): try container.encode(flag)
      case .none: try container.encodeNil()
      }
    }

    fileprivate var csv: String {
      switch self {
      case .text(let text): CSV.field(text)
      case .number(let number): "\(number)"
      case .flag(let flag): flag ? "true" : "false"
      case .none: ""
      }
    }
  }

  package let values: [(name: String, value: Value)]

  package init(_ values: [(name: String, value: Value)]) {
    self.values = values
  }

  private struct Name: CodingKey {
    let stringValue: String
    let intValue: Int? = nil
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Name.self)
    for (name, value) in values { try container.encode(value, forKey: Name(stringValue: name)) }
  }

  /// The line of values, and the line of names for the top of the file (RFC 4180, but with LF line ends).
  package var csv: String { values.map(\.value.csv).joined(separator: ",") + "\n" }
  package var csvHeader: String { values.map(\.name).joined(separator: ",") + "\n" }
}

private enum CSV {
  /// In double quotes where needed. A value that a spreadsheet would take for a formula is prefixed with an
  /// apostrophe: addresses and paths may come from others.
  static func field(_ text: String) -> String {
    let text = text.first.map { "=+-@\t\r".contains($0) } == true ? "'" + text : text
    guard text.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return text }
    return "\"" + text.replacing("\"", with: "\"\"") + "\""
  }
}
