// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Posix
package import Tables

/// Answers what a parameter's tables say of an address, asking them in virtual(8)'s order of keys.
package struct AddressTables: Sendable {
  private let settings: Settings
  private let tables: TableSet

  package init(_ settings: Settings, _ tables: TableSet) {
    self.settings = settings
    self.tables = tables
  }

  /// The value that the tables of `parameter` have for `address`, or nil when none has.
  ///
  /// - Parameter address: any bytes; one that is not UTF-8 is not found.
  package func value(
    of parameter: Parameter, for address: [UInt8], until deadline: Deadline
  ) throws(TableError) -> [UInt8]? {
    let references = settings.tables(parameter)
    guard !references.isEmpty, let keys = AddressKeys(address, delimiters: settings.recipientDelimiter) else {
      return nil
    }
    for key in keys.keys {
      let value = try tables.lookup(key.text, isPartial: key.isPartial, in: references, until: deadline)
      if let value { return value }
    }
    return nil
  }
}
