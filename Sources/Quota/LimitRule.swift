// SPDX-License-Identifier: Apache-2.0

/// Which limit applies to a mailbox, given its limit tables' answers and three parameters (VDA's rules).
package struct LimitRule: Sendable {
  /// `virtual_mailbox_limit`, bytes; zero means no limit.
  package let fallback: Int64
  /// `message_size_limit`, bytes; zero means no limit.
  private let messageSizeLimit: Int64
  /// `virtual_mailbox_limit_override`: a limit below `message_size_limit` applies.
  private let overrides: Bool

  package init(fallback: Int64, messageSizeLimit: Int64, overrides: Bool) {
    self.fallback = fallback
    self.messageSizeLimit = messageSizeLimit
    self.overrides = overrides
  }

  /// - Parameters:
  ///   - bytes: the table's answer, nil if it has none. Negative means the fallback, zero no limit.
  ///   - messages: the largest number of messages; nil, zero or negative for any number.
  package func limit(bytes: Int64?, messages: Int64? = nil) -> EffectiveLimit {
    let messages = max(0, messages ?? 0)
    guard let bytes, bytes >= 0 else {
      return EffectiveLimit(QuotaLimit(bytes: fallback, messages: messages), .fallback)
    }
    guard bytes == 0 || bytes >= messageSizeLimit || overrides else {
      return EffectiveLimit(QuotaLimit(bytes: fallback, messages: messages), .setAside(bytes))
    }
    return EffectiveLimit(QuotaLimit(bytes: bytes, messages: messages), .own)
  }
}

/// The limit that applies to a mailbox, and where it comes from.
package struct EffectiveLimit: Equatable, Sendable {
  package let limit: QuotaLimit
  package let source: Source

  /// Where the number of bytes comes from.
  package enum Source: Equatable, Sendable {
    /// A table, or the list of mailboxes, gives it for this mailbox.
    case own
    /// `virtual_mailbox_limit`: the mailbox has none of its own.
    case fallback
    /// `virtual_mailbox_limit` instead of the mailbox's own limit of so many bytes, below `message_size_limit`.
    case setAside(Int64)
    /// The command line, or the ledger itself: no table was queried.
    case given
    /// The value for this mailbox is no number, so its limit is unknown.
    case unreadable
  }

  /// The limit of a mailbox whose value is no number: deliveries to it are deferred.
  package static let unreadable = EffectiveLimit(.none, .unreadable)

  package init(_ limit: QuotaLimit, _ source: Source) {
    self.limit = limit
    self.source = source
  }
}
