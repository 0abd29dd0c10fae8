// SPDX-License-Identifier: Apache-2.0

/// Why a ledger cannot be trusted. Every case means "count the mailbox", never "no quota".
///
/// The raw values are for programs and for the log.
package enum LedgerFault: String, Error, Sendable, CaseIterable {
  case missing, unreadable, empty, torn, overflow, negative
  case notAFile = "not-a-file"
  case headerOnly = "header-only"
  case tooLong = "too-long"
  case holdsNUL = "NUL-bytes"
  case holdsCR = "CR-line-ends"
  case badHeader = "bad-header"
  case badEntry = "bad-entry"
  case lopsided = "bytes-without-messages"
  /// The header says "no limit" although there is one: VDA invents the totals of such files, and others may not keep
  /// them.
  case unlimited = "headed-unlimited"

  /// The phrase that follows "maildirsize is" in a report.
  package var phrase: String {
    switch self {
    case .missing: "missing"
    case .unreadable: "unreadable"
    case .notAFile: "not a regular file"
    case .empty: "empty"
    case .headerOnly: "without a total"
    case .tooLong: "too long"
    case .holdsNUL: "broken, with NUL bytes"
    case .holdsCR: "broken, with CR line endings"
    case .torn: "torn, with an incomplete last line"
    case .badHeader: "broken in its first line"
    case .badEntry: "broken, with a line in an unknown format"
    case .overflow: "broken, with numbers that are too large"
    case .negative: "broken, with a negative total"
    case .lopsided: "broken, with bytes but no messages or the other way round"
    case .unlimited: "headed as unlimited, with totals that were not kept"
    }
  }
}
