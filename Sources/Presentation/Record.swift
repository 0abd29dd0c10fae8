// SPDX-License-Identifier: Apache-2.0
import Text

/// A list of named values, for programs that read our output.
package struct Record: Encodable, Sendable, Equatable {
  /// A value, or none.
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

  package static func == (left: Record, right: Record) -> Bool {
    left.values.count == right.values.count && zip(left.values, right.values).allSatisfy { $0 == $1 }
  }
}
