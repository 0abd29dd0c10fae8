// SPDX-License-Identifier: Apache-2.0
package import Aliases
package import Mailboxes
package import Policy
package import Posix
package import Quota
import Text

/// What becomes of a recipient, and why: everything that led to the decision.
package struct Judgement: Sendable {
  package let recipient: [UInt8]
  package let expansion: AliasExpansion
  /// The addresses that the message would go to, each once. Not all of them, if one of the first decided.
  package let targets: [Target]
  package let decision: PolicyRule.Decision

  /// An address that the message would go to.
  package struct Target: Sendable {
    /// Without quotes.
    package let address: [UInt8]
    package let mailbox: Mailbox?
    /// The Maildir; nil without a mailbox.
    package let path: Path?
    package let state: State

    package var ruling: PolicyRule.Target { state.ruling }
  }

  /// What is known of a target.
  package enum State: Sendable {
    /// In `policy_uncounted_domains`.
    case leftOut
    /// The mailbox of a target before it.
    case sameMailbox
    /// In `mydestination`.
    case local
    /// Not in `virtual_mailbox_domains`.
    case elsewhere
    /// `virtual_mailbox_maps` do not have it.
    case noMailbox
    case unlimited
    /// There is no Maildir, so it cannot be full here.
    case noMaildir
    /// Nil if the usage does not matter, or is not known to the byte.
    case room(QuotaUsage?)
    case tooSmall
    /// By a total that was counted at this time.
    case full(QuotaUsage, counted: Timestamp)
    case fullByEstimate(QuotaUsage)
    /// SQL says that it is full, and it is not known when that was true.
    case fullByOldEstimate(QuotaUsage)
    /// The ledger says that it is full, and the messages could not be counted in time.
    case uncounted
    /// Another user's Maildir.
    case foreign(UInt32)
    /// The tables or the Maildir could not be read.
    case trouble([UInt8])

    /// How the rule takes it.
    var ruling: PolicyRule.Target {
      switch self {
      case .leftOut, .sameMailbox: .uncounted
      case .tooSmall: .tooSmall
      case .full: .full(isEstimate: false)
      case .fullByEstimate: .full(isEstimate: true)
      case .local, .elsewhere, .noMailbox, .unlimited, .noMaildir, .room, .fullByOldEstimate, .uncounted, .foreign,
        .trouble:
        .other
      }
    }
  }

  /// Why a recipient passes, for the counters.
  package enum Reason: String, CaseIterable, Sendable {
    case room, unlimited, elsewhere
    case noMaildir = "no-maildir"
    case noMailbox = "no-mailbox"
    case noTarget = "no-target"
    case foreign
    case alias = "alias-error"
    case table = "table-error"
    case uncounted = "not-counted"
    case estimate = "old-estimate"
    case trouble
  }

  /// Nil if it is refused.
  package var reason: Reason? {
    guard decision == .pass else { return nil }
    if case .failure(let failure) = expansion.result {
      if case .table = failure { return .table }
      return .alias
    }
    guard let target = targets.first(where: { $0.ruling == .other }) else { return .noTarget }
    return switch target.state {
    case .room: .room
    case .noMaildir: .noMaildir
    case .unlimited: .unlimited
    case .local, .elsewhere: .elsewhere
    case .noMailbox: .noMailbox
    case .foreign: .foreign
    case .uncounted: .uncounted
    case .fullByOldEstimate: .estimate
    default: .trouble
    }
  }

  /// What keeps it from being known whether the recipient is to be refused, nil if nothing does.
  package var trouble: [UInt8]? {
    if case .failure(let failure) = expansion.result { return failure.sentence }
    for target in targets {
      if case .trouble(let text) = target.state { return escaped(target.address) + Array(": ".utf8) + text }
    }
    return nil
  }

  /// The first target that refuses.
  package var firstRefusing: Target? { targets.first { $0.ruling != .other && $0.ruling != .uncounted } }
}
