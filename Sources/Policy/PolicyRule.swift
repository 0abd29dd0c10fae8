// SPDX-License-Identifier: Apache-2.0

/// Whether a recipient is refused, by what its targets are (policy_rule).
package struct PolicyRule: Sendable {
  /// `policy_rule = any`: one full target is enough.
  private let refusesForAny: Bool
  /// `virtual_overquota_bounce`
  private let bounces: Bool

  package init(refusesForAny: Bool, bounces: Bool) {
    self.refusesForAny = refusesForAny
    self.bounces = bounces
  }

  /// What an address is to which a message would be delivered.
  package enum Target: Equatable, Sendable {
    /// Not asked: an autoresponder, or a mailbox that has been counted already.
    case uncounted
    /// A mailbox of ours whose whole limit is below the size of the message.
    case tooSmall
    /// A mailbox of ours that is full, by a count or, if `isEstimate`, by a figure from SQL.
    case full(isEstimate: Bool)
    /// Anything else: room, another host's address, an address that is not known, trouble.
    case other
  }

  /// What is said of a recipient.
  package enum Decision: Equatable, Sendable {
    case pass
    /// 552 5.2.2: larger than the whole limit of every mailbox that refuses.
    case tooLarge
    /// The configured text, with the configured code.
    case full(PolicyAnswer.Code)
  }

  package func decision(_ targets: [Target]) -> Decision {
    let counted = targets.filter { $0 != .uncounted }
    let refusing = counted.filter { $0 != .other }
    // "All of none" is no reason.
    guard !refusing.isEmpty, refusesForAny || refusing.count == counted.count else { return .pass }
    if refusing.allSatisfy({ $0 == .tooSmall }) { return .tooLarge }
    let isForGood = bounces && !refusing.contains(.full(isEstimate: true))
    return .full(isForGood ? .fullForGood : .full)
  }

  /// What is said of a message for several recipients: it is refused only if each of them refuses it.
  package func decision(_ recipients: [Decision]) -> Decision {
    guard !recipients.isEmpty, !recipients.contains(.pass) else { return .pass }
    if recipients.allSatisfy({ $0 == .tooLarge }) { return .tooLarge }
    let isForGood = bounces && !recipients.contains(.full(.full))
    return .full(isForGood ? .fullForGood : .full)
  }
}

/// The least number of bytes that a message of an announced size may have in a mailbox.
///
/// SIZE counts each line end as CR LF (RFC 1870), a Maildir holds LF: 1/78 less for base64, 2 to 3 % for ordinary text,
/// half for empty lines. The headers that are added here only make it larger.
///
/// - Parameter slack: percent (`policy_size_slack`).
package func leastSize(ofAnnounced size: Int64, slack: Int64) -> Int64 {
  let (whole, rest) = size.quotientAndRemainder(dividingBy: 100)
  return whole * (100 - slack) + rest * (100 - slack) / 100
}
