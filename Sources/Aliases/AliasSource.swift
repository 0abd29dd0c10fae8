// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Posix
package import Tables

/// What a table has for a key.
package struct AliasRow: Equatable, Sendable {
  package let value: [UInt8]
  /// Nil if the lookup service does not say which.
  package let table: TableReference?

  package init(_ value: [UInt8], in table: TableReference?) {
    self.value = value
    self.table = table
  }
}

/// The tables and lists that decide what becomes of a recipient.
package protocol AliasSource {
  /// The first row that the tables of `parameter` have for exactly this key.
  ///
  /// - Parameter isPartial: the key is a part of an address, which tables of patterns are not queried for.
  func row(
    of parameter: Parameter, for key: [UInt8], isPartial: Bool, until deadline: Deadline
  ) throws(TableError) -> AliasRow?

  /// Whether the list of `parameter` contains a domain.
  func contains(
    _ domain: [UInt8], in parameter: Parameter, until deadline: Deadline
  ) throws(TableError) -> Bool
}
