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

  /// Whether the SQL is different for different keys.
  var dependsOnKey: Bool { parts.contains { if case .expansion = $0 { true } else { false } } }

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
