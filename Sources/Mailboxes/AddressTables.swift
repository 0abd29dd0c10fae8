// SPDX-License-Identifier: Apache-2.0
package import Configuration
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

  /// The keys by which mail for `address` finds a mailbox: the address, also without its extension, and `@domain`.
  package func lookupKeys(of address: [UInt8]) -> [[UInt8]] {
    (AddressKeys(address, delimiters: delimiters)?.keys ?? []).map { $0.text }
  }

  /// Whether a lookup of `key` may give the value of `address`, which is in lower case: it is that address, perhaps
  /// with an extension.
  package func looksUp(_ address: [UInt8], for key: [UInt8]) -> Bool {
    let domain = address.lastIndex(of: UInt8(ascii: "@")).map { address[$0...] } ?? []
    // Of many keys most have another domain; that is seen at once.
    guard key.count >= address.count,
      key.suffix(domain.count).elementsEqual(domain) || key.contains(where: { $0 >= 0x80 })
        || key.contains(where: { (65...90).contains($0) })
    else { return false }
    return lookupKeys(of: key).contains(address)
  }

  /// The value of the first key of the address that one of `references` has, or nil if none has any.
  ///
  /// - Parameter parameter: the one that names the tables; nil for tables by themselves, with any number of results.
  package func value(
    of parameter: Parameter?, in references: [TableReference], for query: AddressQuery
  ) throws(TableError) -> [UInt8]? {
    guard !references.isEmpty, let keys = AddressKeys(query.address, delimiters: delimiters)?.keys else { return nil }
    for key in keys {
      let query = TableQuery(
        key.text, isPartial: key.isPartial, takesOneResult: parameter?.isSingleValued ?? false, until: query.deadline)
      if let value = try tables.lookup(query, in: references) { return value }
    }
    return nil
  }
}
