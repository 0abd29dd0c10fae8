// SPDX-License-Identifier: Apache-2.0
package import Quota

/// What a listed mailbox holds.
package struct MailboxUsage: Sendable, Equatable {
  /// As listed.
  package let address: [UInt8]
  package let usage: QuotaUsage

  package init(_ address: [UInt8], _ usage: QuotaUsage) {
    self.address = address
    self.usage = usage
  }
}
