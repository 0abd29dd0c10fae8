// SPDX-License-Identifier: Apache-2.0
import Quota

/// Something that an audit found.
package struct Finding: Sendable, Codable, Equatable {
  /// The kinds, by the names listed in the manual.
  package enum Kind: String, Sendable, Codable, CaseIterable {
    case brokenLedger = "broken-ledger"
    case strayFolderMark = "stray-maildirfolder"
    case brokenMaildir = "broken-maildir"
    case wrongRights = "wrong-owner-or-mode"
    case duplicateAddress = "duplicate-address"
    case duplicatePath = "duplicate-path"
    case badPath = "path-outside-base"
    case badLimit = "bad-limit"
    case drift
    case overQuota = "over-quota"
    case limitNotEnforced = "limit-not-enforced"
    case headerLimit = "header-limit"
    case sizeInName = "size-in-name"
    case nullInList = "null-in-list"
    case negativeLimit = "negative-limit"
    case orphan = "maildir-without-mailbox"
    case absent = "mailbox-without-maildir"
    case staleFiles = "stale-tmp"
  }

  package enum Severity: String, Sendable, Codable, CaseIterable {
    case error, warning, notice
  }

  package let kind: Kind
  package var severity: Severity
  /// The address, or the path if there is none.
  package let mailbox: String
  package let path: String
  /// What was seen.
  package let evidence: String
  /// The likely cause, empty if it is obvious.
  package var cause = ""
  /// What to do, empty if nothing needs to be done.
  package var remedy = ""
  /// How many bytes and messages it concerns, where that applies.
  package var bytes: Int64?
  package var messages: Int64?
  /// This run has repaired it.
  package var isMended = false

  /// The worst first.
  package static func isWorse(_ left: Finding, _ right: Finding) -> Bool {
    func key(_ finding: Finding) -> (Int, Int, UInt64) {
      (
        Severity.allCases.firstIndex(of: finding.severity) ?? 0, Kind.allCases.firstIndex(of: finding.kind) ?? 0,
        .max - (finding.bytes ?? 0).magnitude
      )
    }
    let (a, b) = (key(left), key(right))
    return a != b ? a < b : left.mailbox < right.mailbox
  }
}
