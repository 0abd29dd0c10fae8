// SPDX-License-Identifier: Apache-2.0

/// How much a mailbox may hold. Zero means no limit of that kind.
package struct QuotaLimit: Equatable, Sendable {
  package let bytes: Int64
  package let messages: Int64

  package static let none = QuotaLimit(bytes: 0)

  package init(bytes: Int64, messages: Int64 = 0) {
    self.bytes = bytes
    self.messages = messages
  }

  /// Whether the message fits: filling the limit exactly is allowed, as with VDA and Maildir++.
  package func admits(messageOf size: Int64, beside usage: QuotaUsage) -> Bool {
    size <= room(beside: usage) && (messages == 0 || usage.messages < messages)
  }

  /// Whether the message would fit into an empty mailbox. If not, waiting does not help.
  package func admitsAlone(messageOf size: Int64) -> Bool {
    bytes == 0 || size <= bytes
  }

  /// The largest size of one more message, in bytes; negative if there is no room for any.
  package func room(beside usage: QuotaUsage) -> Int64 {
    if messages != 0 && usage.messages >= messages { return -1 }
    return bytes == 0 ? .max : bytes.subtractingSaturating(usage.bytes)
  }

  /// How full a mailbox is, in percent rounded down, by bytes or messages, whichever is higher. Nil without a
  /// limit.
  package func percent(of usage: QuotaUsage) -> Int64? {
    let shares = [(usage.bytes, bytes), (usage.messages, messages)].filter { $0.1 > 0 }
    return shares.map { Self.product(max(0, $0.0), 100).dividedSaturating(by: $0.1) }.max()
  }

  /// How full a mailbox is, by bytes or messages, whichever is more; 1 is the limit. Nil without one.
  package func share(of usage: QuotaUsage) -> Double? {
    let shares = [(usage.bytes, bytes), (usage.messages, messages)].filter { $0.1 > 0 }
    return shares.map { Double(max(0, $0.0)) / Double($0.1) }.max()
  }

  /// Whether a mailbox holds more than `percent` of its limit of bytes or messages; exactly that is not more.
  package func isExceeded(by usage: QuotaUsage, percent: Int64 = 100) -> Bool {
    [(usage.bytes, bytes), (usage.messages, messages)].contains {
      $0.1 > 0 && Self.product(max(0, $0.0), 100) > Self.product($0.1, percent)
    }
  }

  /// Exact for operands that are not negative.
  private static func product(_ left: Int64, _ right: Int64) -> UInt128 { UInt128(left) * UInt128(right) }

  /// The limit as other programs can read it: Exim uses a double, Courier an `int` for the messages.
  package var published: QuotaLimit {
    QuotaLimit(bytes: min(bytes, .max - 1023), messages: min(messages, Int64(Int32.max)))
  }
}

/// How much a mailbox holds.
package struct QuotaUsage: Equatable, Sendable {
  package var bytes: Int64
  package var messages: Int64

  package static let none = QuotaUsage(bytes: 0, messages: 0)

  package init(bytes: Int64, messages: Int64) {
    self.bytes = bytes
    self.messages = messages
  }

  package func plus(_ other: QuotaUsage) -> QuotaUsage {
    var sum = self
    sum += other
    return sum
  }

  package func minus(_ other: QuotaUsage) -> QuotaUsage {
    QuotaUsage(
      bytes: bytes.subtractingSaturating(other.bytes), messages: messages.subtractingSaturating(other.messages))
  }

  /// Without negative numbers.
  package var positive: QuotaUsage { QuotaUsage(bytes: max(0, bytes), messages: max(0, messages)) }

  /// Adds another usage, saturating at the bounds of Int64.
  package static func += (left: inout QuotaUsage, right: QuotaUsage) {
    left.bytes = left.bytes.addingSaturating(right.bytes)
    left.messages = left.messages.addingSaturating(right.messages)
  }
}

extension UInt128 {
  fileprivate func dividedSaturating(by other: Int64) -> Int64 { Int64(clamping: self / UInt128(other)) }
}

extension Int64 {
  func addingSaturating(_ other: Int64) -> Int64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? (other > 0 ? .max : .min) : sum
  }

  func subtractingSaturating(_ other: Int64) -> Int64 {
    let (difference, overflow) = subtractingReportingOverflow(other)
    return overflow ? (other > 0 ? .min : .max) : difference
  }
}
