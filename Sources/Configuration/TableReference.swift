// SPDX-License-Identifier: Apache-2.0
import Text

/// A lookup table as a parameter names it: `type:name`.
package struct TableReference: Hashable, Sendable {
  package let type: String
  package let name: [UInt8]

  package init(type: String, name: [UInt8]) {
    self.type = type
    self.name = name
  }

  /// Parses `type:name`; nil without a type.
  package init?(_ text: [UInt8]) {
    let parts = text.split(separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty, parts[0].allSatisfy({ $0.isNameCharacter }) else { return nil }
    self.init(type: parts[0].text, name: Array(parts[1]))
  }

  /// Whether this is a socketmap table at `socket`, such as `unix:/path:`, directly or through `proxy:`.
  func names(socket: [UInt8]) -> Bool {
    behindProxy.type == "socketmap" && behindProxy.name.starts(with: socket)
  }

  /// The table without any `proxy:` in front of it.
  package var behindProxy: TableReference { type == "proxy" ? TableReference(name)?.behindProxy ?? self : self }

  /// The table without `proxy:`, if it is a `pgsql:` table.
  var inPostgres: TableReference? { behindProxy.type == "pgsql" ? behindProxy : nil }

  /// `pgsql:/etc/postfix/limits.cf`, for a log line.
  package var text: String { "\(type):\(name.text)" }
}
