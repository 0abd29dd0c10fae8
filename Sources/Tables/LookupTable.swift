// SPDX-License-Identifier: Apache-2.0
import Posix

/// Looks up the value of a key.
protocol LookupTable: AnyObject, Sendable {
  /// Whether only whole addresses are looked up: the table matches patterns, or looks for the parts of an
  /// address itself (Postfix, `DICT_FLAG_PATTERN`).
  var takesWholeAddressesOnly: Bool { get }

  /// The value of `key`, or nil if the table has none.
  ///
  /// - Parameter key: valid UTF-8.
  func lookup(_ key: [UInt8], until deadline: Deadline) throws(TableError) -> [UInt8]?
}

extension LookupTable {
  var takesWholeAddressesOnly: Bool { false }
}
