// SPDX-License-Identifier: Apache-2.0
package import Postgres

/// A part of a statement, in the bytes of the connection's encoding, which need not be UTF-8.
package struct SQLText: ExpressibleByStringInterpolation, Sendable, Equatable {
  package private(set) var bytes: [UInt8]

  package init(_ bytes: [UInt8]) { self.bytes = bytes }
  package init(_ text: String) { bytes = Array(text.utf8) }
  /// A statement that a file contains, without the semicolon at its end.
  package init(statement text: [UInt8]) {
    bytes = text
    while let last = bytes.last, last == UInt8(ascii: ";") || last == UInt8(ascii: " ") { bytes.removeLast() }
  }
  package init(stringLiteral text: String) { bytes = Array(text.utf8) }
  package init(stringInterpolation parts: Parts) { bytes = parts.bytes }

  package mutating func append(_ part: SQLText) { bytes += part.bytes }

  /// Collects the pieces of a literal with interpolations, which are statements themselves and so never outside text.
  package struct Parts: StringInterpolationProtocol {
    fileprivate var bytes: [UInt8] = []
    package init(literalCapacity: Int, interpolationCount: Int) {}
    package mutating func appendLiteral(_ text: String) { bytes += text.utf8 }
    package mutating func appendInterpolation(_ part: SQLText) { bytes += part.bytes }
  }

  /// `text` as a string constant, escaped for `connection`.
  package static func quoted(
    _ text: [UInt8], for connection: PostgresConnection
  ) throws(PostgresError) -> SQLText {
    "'\(SQLText(try connection.escape(text)))'"
  }
}
