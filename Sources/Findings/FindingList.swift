// SPDX-License-Identifier: Apache-2.0

/// Collects findings about one area.
package struct FindingList: Sendable {
  package private(set) var findings: [Finding] = []
  private let area: Finding.Area

  package init(_ area: Finding.Area) {
    self.area = area
  }

  /// Something is as it should be.
  package mutating func good(_ evidence: String) {
    findings.append(Finding(.good, nil, in: area, .init(""), evidence))
  }

  package mutating func add(
    _ severity: Finding.Severity, _ kind: FindingKind, _ evidence: String, at place: String, reason: String,
    remedy: Remedy? = nil
  ) {
    findings.append(Finding(severity, kind, in: area, .init(place), evidence, reason: reason, remedy: remedy))
  }

  /// Something could not be checked.
  package mutating func skip(_ what: String, because reason: String, remedy: Remedy? = nil) {
    add(.notice, .notChecked, what, at: "", reason: reason, remedy: remedy)
  }

  package mutating func append(_ other: [Finding]) { findings += other }

  /// Whether there is an error or a warning after the first `count` findings.
  package func hasTrouble(since count: Int = 0) -> Bool {
    findings.dropFirst(count).contains { $0.severity == .error || $0.severity == .warning }
  }
}
