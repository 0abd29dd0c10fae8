// SPDX-License-Identifier: Apache-2.0

/// Something that an audit, a check or a migration found.
package struct Finding: Sendable, Equatable, Codable {
  /// How bad it is, the worst first.
  package enum Severity: String, Sendable, Codable, CaseIterable {
    /// Mail is deferred, lost to the sender or counted wrongly until this is corrected.
    case error
    /// It works, but not as well or not as long as it should.
    case warning
    /// Worth knowing.
    case notice
    /// As it should be.
    case good
  }

  /// What was looked at.
  package enum Area: String, Sendable, Codable, CaseIterable {
    case configuration, tables, postfix, mailboxes, imap, machine
  }

  /// What the finding is about.
  package struct Subject: Sendable, Equatable, Codable {
    /// The address of a mailbox, or its path where it has none; else a file, a table, a parameter. Empty for nothing in
    /// particular.
    package let name: String
    /// The path of a mailbox below the base; empty for any other subject.
    package let path: String

    package init(_ name: String, path: String = "") {
      self.name = name
      self.path = path
    }
  }

  package let area: Area
  /// Nil for what is as it should be.
  package let kind: FindingKind?
  package let severity: Severity
  package let subject: Subject
  /// What was seen.
  package let evidence: String
  /// Why it is so, or why it matters; empty when that is plain.
  package let reason: String
  /// What to do, nil when nothing needs to be done.
  package let remedy: Remedy?
  /// How much it is about, where that is a number of bytes and of messages.
  package let bytes: Int64?
  package let messages: Int64?
  /// This run has corrected it.
  package let isRepaired: Bool

  package init(
    _ severity: Severity, _ kind: FindingKind?, in area: Area, _ subject: Subject, _ evidence: String,
    reason: String = "", remedy: Remedy? = nil, bytes: Int64? = nil, messages: Int64? = nil, isRepaired: Bool = false
  ) {
    self.area = area
    self.kind = kind
    // What has been corrected leaves nothing to be done.
    self.severity = isRepaired ? .notice : severity
    self.subject = subject
    self.evidence = evidence
    self.reason = reason
    self.remedy = isRepaired ? nil : remedy
    self.bytes = bytes
    self.messages = messages
    self.isRepaired = isRepaired
  }

  /// The worst first: by severity, then by kind, then by bytes.
  package static func isWorse(_ left: Finding, _ right: Finding) -> Bool {
    func key(_ finding: Finding) -> (Int, Int, UInt64) {
      (
        Severity.allCases.firstIndex(of: finding.severity) ?? 0,
        finding.kind.flatMap { FindingKind.allCases.firstIndex(of: $0) } ?? 0, .max - (finding.bytes ?? 0).magnitude
      )
    }
    let (a, b) = (key(left), key(right))
    return a != b ? a < b : left.subject.name < right.subject.name
  }
}
