// SPDX-License-Identifier: Apache-2.0
import Configuration

/// A transport and where it leads, as in `virtual_transport` and the right side of transport(5).
package struct Transport: Sendable, Equatable {
  /// Of an entry in master.cf.
  package let name: String
  /// Empty if none is given.
  package let nexthop: String

  package init(_ name: String, to nexthop: String) {
    self.name = name
    self.nexthop = nexthop
  }

  /// `name`, `name:` or `name:nexthop`
  package init(_ text: String) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    self.init(parts.first ?? "", to: parts.count == 2 ? parts[1] : "")
  }

  /// For main.cf.
  package var text: String { nexthop.isEmpty ? name : field }

  /// For a table, where the colon is needed.
  package var field: String { "\(name):\(nexthop)" }
}
