// SPDX-License-Identifier: Apache-2.0
package import Configuration

/// A step of a lookup, for display.
package enum LookupStep: Sendable {
  case asked(TableReference, key: [UInt8])
  /// The SQL that was sent, with the key in it.
  case statement([UInt8])
  case answered(Result<[UInt8]?, TableError>)
}
