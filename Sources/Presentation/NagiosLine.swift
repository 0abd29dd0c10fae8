// SPDX-License-Identifier: Apache-2.0
package import Audit
package import Findings
import Text

/// One line for a monitoring plugin: the state, a sentence, and performance data after a bar (the Monitoring Plugins'
/// guidelines).
package struct NagiosLine: AuditPrinter {
  private let output: Output

  package let writesAtOnce = false
  package let listsProblems = false

  init(_ output: Output) {
    self.output = output
  }

  package func write(_ finding: Finding) {}

  package func finish(_ state: AuditState, seconds: Double, isComplete: Bool) throws {
    try output.write(Self.text(state, seconds: seconds, isComplete: isComplete))
    try output.flush()
  }

  /// The word and the exit status of a plugin.
  package enum Status: Int32, Sendable {
    case ok = 0
    case warning = 1
    case critical = 2
    case unknown = 3

    package init(_ state: AuditState, isComplete: Bool) {
      if !isComplete || state.notAuditedCount > 0 {
        self = .unknown
      } else if state.count(nil, .error) > 0 {
        self = .critical
      } else {
        self = state.count() > 0 ? .warning : .ok
      }
    }

    var word: String {
      switch self {
      case .ok: "OK"
      case .warning: "WARNING"
      case .critical: "CRITICAL"
      case .unknown: "UNKNOWN"
      }
    }
  }

  private static func text(_ state: AuditState, seconds: Double, isComplete: Bool) -> String {
    let mailboxes = quantity(state.mailboxes, "mailbox", plural: "mailboxes")
    let kinds = FindingKind.allCases.filter { state.count($0) > 0 }
    let found = kinds.map { "\(state.count($0)) \($0.rawValue)" }.joined(separator: ", ")
    let sentence =
      isComplete
      ? "\(mailboxes) audited, \(found.isEmpty ? "nothing found" : found)"
        + (state.notAuditedCount > 0 ? ", \(state.notAuditedCount) not audited" : "")
      : "interrupted after \(mailboxes)"
    let figures =
      [("mailboxes", state.mailboxes), ("counted", state.counted)]
      + SeveritySummary.severities.map { ("\($0.rawValue)s", state.count(nil, $0)) }
      + [("mended", state.repaired), ("not_audited", state.notAuditedCount)]
    let milliseconds = Int(seconds * 1000)
    let time = "time=\(milliseconds / 1000).\(String("\(1000 + milliseconds % 1000)".dropFirst()))s"
    return "ULLAGE \(Status(state, isComplete: isComplete).word) - \(sentence) | "
      + figures.map { "\($0.0)=\($0.1)" }.joined(separator: " ") + " \(time)\n"
  }
}
