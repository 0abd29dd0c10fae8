// SPDX-License-Identifier: Apache-2.0
package import Posix

/// An address to look up, and until when.
package struct AddressQuery: Sendable {
  /// Any bytes: a sender may have chosen them. An address that is not UTF-8 is not found.
  package let address: [UInt8]
  package let deadline: Deadline

  package init(_ address: [UInt8], until deadline: Deadline) {
    self.address = address
    self.deadline = deadline
  }

  /// The same, with at most `seconds` from now.
  func within(seconds: Int64) -> AddressQuery { AddressQuery(address, until: deadline.slice(seconds: seconds)) }
}
