// SPDX-License-Identifier: Apache-2.0
import Configuration

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
