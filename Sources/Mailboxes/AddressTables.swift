// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Posix
package import Tables
import Text

/// Looks up an address in tables, by virtual(8)'s keys in virtual(8)'s order.
package struct AddressTables: Sendable {
  private let delimiters: [UInt8]
  private let tables: TableSet

  /// - Parameter delimiters: `recipient_delimiter`, a set of characters.
  package init(delimiters: [UInt8], _ tables: TableSet) {
    self.delimiters = delimiters
    self.tables = tables
  }

  /// The value of the first key of `address` that one of `references` has, or nil if none has any.
  ///
  /// - Parameter address: any bytes; one that is not UTF-8 is not found.
  package func value(
    in references: [TableReference], for address: [UInt8], until deadline: Deadline
  ) throws(TableError) -> [UInt8]? {
    guard !references.isEmpty, let keys = AddressKeys(address, delimiters: delimiters)?.keys else { return nil }
    for key in keys {
      let value = try tables.lookup(key.text, isPartial: key.isPartial, in: references, until: deadline)
      if let value { return value }
    }
    return nil
  }
}
