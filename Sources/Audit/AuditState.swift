// SPDX-License-Identifier: Apache-2.0
package import Findings
import Sweep

/// The progress of an audit and what it has found so far: enough to continue after an interruption.
///
/// All findings are counted, but only the worst few of each kind are kept, so that a million of them take
/// no more memory than a few hundred.
package struct AuditState: Sendable, Codable, Equatable {
  /// The form of the file: a state of another one is not continued.
  static let currentVersion = 1
  private(set) var version = AuditState.currentVersion
  /// The fingerprint of the options; a run with other options cannot continue from here.
  package let options: String
  /// Which share is due: the number of the night on which the audit began.
  package let night: Int
  /// Position of the last completed mailbox, nil at the start. For a row without a path it is nil, too.
  package var path: [UInt8]?
  package var address: [UInt8]?
  /// The last directory visited, even if rows without a path came after it.
  package var directory: [UInt8] = []
  /// The list has been searched for repeated addresses.
  package var hasAskedForRepeated = false
  /// Becomes the clean point once the whole list is done; nil if this audit makes none.
  package private(set) var begin: CleanPoint?
  /// See `MailboxTask.suspectTime`.
  package private(set) var suspectTime: Int64?
  /// Mailboxes that may still be too low because of it: not counted, or not mended.
  package private(set) var unmended: Int?
  package private(set) var mailboxes = 0
  /// Mailboxes whose messages were counted.
  package private(set) var counted = 0
  package private(set) var repaired = 0
  /// The number of findings, by kind and severity.
  package private(set) var counts: [FindingKind: [Finding.Severity: Int]] = [:]
  /// The worst of each kind.
  package private(set) var worst: [FindingKind: [Finding]] = [:]
  /// Mailboxes that could not be audited, and why; the first `keptProblems`.
  package private(set) var notAudited: [String] = []
  package private(set) var notAuditedCount = 0

  /// How many findings of a kind are kept.
  package static let kept = 50

  package init(options: String, night: Int) {
    self.options = options
    self.night = night
  }

  /// Notes where this run stands to the clean point of an earlier audit; a resumed run may do so in a later boot.
  package mutating func note(begin now: CleanPoint?, suspectTime time: Int64?) {
    if mailboxes == 0 && begin == nil { begin = now }
    if let time { suspectTime = min(time, suspectTime ?? time) }
  }

  /// The number of findings of a kind, of a severity, or in all.
  package func count(_ kind: FindingKind? = nil, _ severity: Finding.Severity? = nil) -> Int {
    counts.filter { kind == nil || $0.key == kind }.values
      .flatMap { $0.filter { severity == nil || $0.key == severity }.values }.reduce(0, +)
  }

  package static let keptProblems = 100

  mutating func note(audited report: MailboxReport) {
    mailboxes += 1
    if report.repair != nil { counted += 1 }
    if !report.isSynchronized { begin = nil }
  }

  mutating func noteUnmended() { unmended = (unmended ?? 0) + 1 }

  mutating func note(notAudited text: String) {
    notAuditedCount += 1
    if notAudited.count < Self.keptProblems { notAudited.append(text) }
  }

  mutating func note(_ finding: Finding, of kind: FindingKind) {
    counts[kind, default: [:]][finding.severity, default: 0] += 1
    if finding.isRepaired { repaired += 1 }
    worst[kind, default: []].append(finding)
    // Sort only now and then.
    if worst[kind, default: []].count >= 4 * Self.kept { cut(kind) }
  }

  /// The worst findings of each kind, the worst first.
  package mutating func sortedFindings() -> [Finding] {
    for kind in worst.keys { cut(kind) }
    return worst.values.flatMap { $0 }.sorted(by: Finding.isWorse)
  }

  private mutating func cut(_ kind: FindingKind) {
    guard let findings = worst[kind] else { return }
    worst[kind] = Array(findings.sorted(by: Finding.isWorse).prefix(Self.kept))
  }
}
