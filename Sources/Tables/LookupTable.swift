// SPDX-License-Identifier: Apache-2.0
package import Posix

/// A key to look up, and until when.
package struct TableQuery: Sendable {
  /// Valid UTF-8.
  package let key: [UInt8]
  /// The key is a part of an address, which some kinds of table are not queried for.
  package let isPartial: Bool
  /// Several results are an error. Otherwise they are joined by commas, as in Postfix.
  package let takesOneResult: Bool
  /// Rows of a database whose results are all empty are no rows, as in Postfix. Otherwise they are an error.
  package let skipsEmptyRows: Bool
  package let deadline: Deadline

  package init(
    _ key: [UInt8], isPartial: Bool = false, takesOneResult: Bool = false, skipsEmptyRows: Bool = false,
    until deadline: Deadline
  ) {
    self.key = key
    self.isPartial = isPartial
    self.takesOneResult = takesOneResult
    self.skipsEmptyRows = skipsEmptyRows
    self.deadline = deadline
  }

  /// The same for another key.
  func with(key: [UInt8]) -> TableQuery {
    TableQuery(
      key, isPartial: isPartial, takesOneResult: takesOneResult, skipsEmptyRows: skipsEmptyRows, until: deadline)
  }
}

/// Answers a key with a value.
protocol LookupTable: AnyObject, Sendable {
  /// Whether the table is queried for whole addresses only: it matches patterns, or searches for the parts of an
  /// address itself (Postfix, `DICT_FLAG_PATTERN`).
  var takesWholeAddressesOnly: Bool { get }

  /// The table should be opened again before the next lookup.
  var isOutdated: Bool { get }

  /// Its file is no longer the one that was read.
  var hasChanged: Bool { get }

  /// Does now what many lookups need, and finds the errors that they would find.
  func prepare() throws(TableError)

  /// The value of the key, or nil when the table has none.
  ///
  /// - Parameter tables: those that a table's file may refer to by their names.
  func lookup(_ query: TableQuery, among tables: TableSet) throws(TableError) -> [UInt8]?
}

extension LookupTable {
  var takesWholeAddressesOnly: Bool { false }
  var isOutdated: Bool { false }
  var hasChanged: Bool { false }
  func prepare() throws(TableError) {}
}
