// SPDX-License-Identifier: Apache-2.0

/// How far an audit has come and what it has found so far: enough to go on after a break.
///
/// Of each kind of finding the worst few are kept and all are counted, so that a million of them take no more memory
/// than a hundred.
package struct AuditState: Sendable, Codable, Equatable {
  /// What was asked for; a run with other options cannot go on from here.
  package let options: String
  /// Which share is due, by the day on which the audit began.
  package let night: Int
  /// Of the last mailbox that is done, nil at the start. The path is nil among the rows that have none.
  package var path: [UInt8]?
  package var address: [UInt8]?
  /// The last directory that was passed, also when rows without a path have come since.
  package var directory: [UInt8] = []
  /// The list has been asked for repeated addresses.
  package var hasAskedForRepeated = false
  package private(set) var mailboxes = 0
  /// Those whose messages were counted.
  package private(set) var counted = 0
  package private(set) var mended = 0
  /// How many findings there are, by kind and severity.
  package private(set) var counts: [Finding.Kind: [Finding.Severity: Int]] = [:]
  /// The worst of each kind.
  package private(set) var worst: [Finding.Kind: [Finding]] = [:]
  /// Mailboxes that could not be audited, and why; the first `keptProblems`.
  package private(set) var notAudited: [String] = []
  package private(set) var notAuditedCount = 0

  /// How many of a kind are kept.
  package static let kept = 50

  package init(options: String, night: Int) {
    self.options = options
    self.night = night
  }

  /// How many findings of a kind there are, or of a severity, or in all.
  package func count(_ kind: Finding.Kind? = nil, _ severity: Finding.Severity? = nil) -> Int {
    counts.filter { kind == nil || $0.key == kind }.values
      .flatMap { $0.filter { severity == nil || $0.key == severity }.values }.reduce(0, +)
  }

  package static let keptProblems = 100

  mutating func note(audited report: MailboxReport) {
    mailboxes += 1
    if report.repair != nil { counted += 1 }
  }

  mutating func note(notAudited text: String) {
    notAuditedCount += 1
    if notAudited.count < Self.keptProblems { notAudited.append(text) }
  }

  mutating func note(_ finding: Finding) {
    counts[finding.kind, default: [:]][finding.severity, default: 0] += 1
    if finding.isMended { mended += 1 }
    worst[finding.kind, default: []].append(finding)
    // Sorted now and then only.
    if worst[finding.kind, default: []].count >= 4 * Self.kept { cut(finding.kind) }
  }

  /// Of every kind the worst, the worst kind first.
  package mutating func sortedFindings() -> [Finding] {
    for kind in Finding.Kind.allCases { cut(kind) }
    return worst.values.flatMap { $0 }.sorted(by: Finding.isWorse)
  }

  private mutating func cut(_ kind: Finding.Kind) {
    guard let findings = worst[kind] else { return }
    worst[kind] = Array(findings.sorted(by: Finding.isWorse).prefix(Self.kept))
  }
}
