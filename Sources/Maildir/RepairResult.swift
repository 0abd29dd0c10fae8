// SPDX-License-Identifier: Apache-2.0
package import Quota

/// What a count of a mailbox found, and what was done to its ledger.
package struct RepairResult: Sendable, Equatable {
  /// What the ledger said, nil if it was invalid.
  package let before: QuotaUsage?
  package let fault: LedgerFault?
  /// What the Maildir holds.
  package let counted: QuotaUsage
  /// What the ledger says now (after a dry run: would say), nil if it is still invalid.
  package let after: QuotaUsage?
  package let action: Action
  /// Why the ledger was wrong; nil if it was right, or if the fault needs no explanation.
  package internal(set) var cause: DriftCause?
  /// Whether another program or a restored backup put the ledger there.
  let wasReplaced: Bool

  package init(
    before: QuotaUsage?, fault: LedgerFault?, counted: QuotaUsage, after: QuotaUsage?, action: Action,
    cause: DriftCause? = nil, wasReplaced: Bool = false
  ) {
    self.before = before
    self.fault = fault
    self.counted = counted
    self.after = after
    self.action = action
    self.cause = cause
    self.wasReplaced = wasReplaced
  }

  /// What was done to the ledger. The raw values are for programs.
  package enum Action: String, Sendable, CaseIterable {
    /// The ledger was right.
    case exact
    /// The difference was appended.
    case corrected
    /// A new ledger was written.
    case replaced
    /// The total is too high, but the mailbox was in use: a message may be about to be recorded or removed.
    case busy
    /// For the same reason, only the part of the total that was too low was corrected.
    case raised
  }

  /// How much the ledger's total was too high (positive) or too low (negative); nil if it was invalid.
  package var drift: QuotaUsage? {
    before.map { $0.minus(counted) }
  }

  /// The total was too low, and entries may have been lost with the file that was replaced.
  var lostEntries: Bool { wasReplaced && drift.map { $0.bytes < 0 || $0.messages < 0 } ?? false }
}
