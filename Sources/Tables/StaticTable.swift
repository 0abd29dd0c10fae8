// SPDX-License-Identifier: Apache-2.0
import Configuration
import Posix
import Text

/// `static:value` or `static:{ value }`: the same answer for every key (postconf(5), DATABASE_README).
final class StaticTable: LookupTable {
  private let value: [UInt8]

  init(_ reference: TableReference) {
    value = unbraced(reference.name).map { Array($0.trimmed) } ?? reference.name
  }

  func lookup(_ query: TableQuery, among tables: TableSet) throws(TableError) -> [UInt8]? { value }
}
