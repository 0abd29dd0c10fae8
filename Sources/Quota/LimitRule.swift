// SPDX-License-Identifier: Apache-2.0

/// Which limit holds for a mailbox, from what its limit table answered and three parameters (VDA's rules).
package struct LimitRule: Sendable {
  /// `virtual_mailbox_limit`, bytes; zero means no limit.
  package let fallback: Int64
  /// `message_size_limit`, bytes; zero means no limit.
  package let messageSizeLimit: Int64
  /// `virtual_mailbox_limit_override`: a limit below `message_size_limit` holds.
  package let overrides: Bool

  package init(fallback: Int64, messageSizeLimit: Int64, overrides: Bool) {
    self.fallback = fallback
    self.messageSizeLimit = messageSizeLimit
    self.overrides = overrides
  }

  /// - Parameter answer: bytes from the table, nil when it has no entry. Negative means the fallback, zero no limit.
  /// - Returns: bytes, and whether an answer too small for `message_size_limit` was set aside.
  package func limit(for answer: Int64?) -> (bytes: Int64, setAside: Bool) {
    guard let answer, answer >= 0 else { return (fallback, false) }
    if answer > 0 && answer < messageSizeLimit && !overrides { return (fallback, true) }
    return (answer, false)
  }
}
