// SPDX-License-Identifier: Apache-2.0
import Maildir
import Quota
import Sweep
import Text

/// What `ullage recompute` did with one mailbox.
struct RecomputeResult {
  /// How it ended, in the order of the summary.
  enum Kind: String, CaseIterable {
    case exact, corrected, raised, replaced, busy, absent, failed

    var isChange: Bool { self == .corrected || self == .raised || self == .replaced }

    /// For the summary.
    var word: String {
      switch self {
      case .exact: "exact"
      case .corrected: "corrected"
      case .raised: "corrected in part"
      case .replaced: "rewritten"
      case .busy: "busy, not lowered"
      case .absent: "without a Maildir"
      case .failed: "failed"
      }
    }
  }

  let kind: Kind
  /// A phrase for people.
  let text: String

  init(_ visit: Visit, isDryRun: Bool) {
    let report = visit.report
    // Without a Maildir there is nothing to count. That must not fail, in PostfixAdmin's hook for instance. A directory
    // that was named itself ought to exist.
    if report.state == .absent, visit.row.quota.source != .given {
      (kind, text) = (.absent, "no Maildir yet")
      return
    }
    guard let repair = report.repair else {
      (kind, text) = (.failed, report.state.problem ?? "not counted")
      return
    }
    let would = isDryRun ? "would be " : ""
    let trouble = report.state.problem.map { "; then: \($0)" } ?? ""
    let cause = repair.cause.map { ": \($0.sentence)" } ?? ""
    switch repair.action {
    case .exact: (kind, text) = (.exact, "exact" + trouble)
    case .corrected: (kind, text) = (.corrected, would + "corrected" + cause + trouble)
    case .raised: (kind, text) = (.raised, would + "corrected in part, in use" + cause + trouble)
    case .busy: (kind, text) = (.busy, "busy, not lowered" + cause + trouble)
    case .replaced:
      let fault = repair.fault.map { ": it was \($0.phrase)" }
      (kind, text) = (.replaced, would + "rewritten" + (fault ?? cause) + trouble)
    }
  }

  var colour: TerminalStyle.Colour? {
    switch kind {
    case .exact: .green
    case .corrected, .raised, .busy, .replaced: .yellow
    case .failed: .red
    case .absent: nil
    }
  }

  func record(_ visit: Visit) -> Record {
    let (row, repair) = (visit.row, visit.report.repair)
    return Record([
      ("address", .init(row.address.isEmpty ? nil : row.name)), ("path", .text(row.pathText)),
      ("result", .text(repair?.action.rawValue ?? (visit.report.state == .absent ? "absent" : "failed"))),
      ("before_bytes", .init(repair?.before?.bytes)), ("before_messages", .init(repair?.before?.messages)),
      ("counted_bytes", .init(repair?.counted.bytes)), ("counted_messages", .init(repair?.counted.messages)),
      ("after_bytes", .init(repair?.after?.bytes)), ("after_messages", .init(repair?.after?.messages)),
      ("drift_bytes", .init(repair?.drift?.bytes)), ("drift_messages", .init(repair?.drift?.messages)),
      ("fault", .init(repair?.fault?.rawValue)), ("cause", .init(repair?.cause?.name)),
      ("text", .text(text)),
    ])
  }
}
