// SPDX-License-Identifier: Apache-2.0

/// The result of one check.
package struct Diagnosis: Sendable, Equatable {
  package enum Area: String, Sendable, CaseIterable {
    case configuration, tables, postfix, mailboxes, imap, machine
  }

  package enum Severity: String, Sendable, CaseIterable {
    /// Mail is deferred, bounced or counted wrongly until this is fixed.
    case error
    /// It works, but not as well as it should, or not for long.
    case warning
    /// Worth knowing.
    case notice
    /// As it should be.
    case good
  }

  /// The kinds, by the names listed in the manual.
  package enum Kind: String, Sendable, CaseIterable {
    case badConfiguration = "bad-configuration"
    case unknownParameter = "unknown-parameter"
    case quotedValue = "quoted-value"
    case ownName = "own-name"
    case ignoredParameter = "ignored-parameter"
    case configurationRights = "configuration-rights"
    case badTable = "bad-table"
    case tableRights = "table-rights"
    case databaseUnreachable = "database-unreachable"
    case noIndex = "no-index"
    case lookupService = "lookup-service"
    case postfixDirectory = "postfix-directory"
    case noEntry = "no-entry"
    case recipientLimit = "recipient-limit"
    case flags
    case nullSender = "null-sender"
    case arguments
    case program
    case entryFields = "entry-fields"
    case mailUser = "mail-user"
    case processLimit = "process-limit"
    case timeLimit = "time-limit"
    case softBounce = "soft-bounce"
    case noMail = "no-mail"
    case otherValue = "other-value"
    case otherEntry = "other-entry"
    case logSocket = "log-socket"
    case base
    case mailboxList = "mailbox-list"
    case lookup
    case listDiffers = "list-differs"
    case mailboxRights = "mailbox-rights"
    case brokenMailbox = "broken-mailbox"
    case headerLimit = "header-limit"
    case limitNotEnforced = "limit-not-enforced"
    case quotaDriver = "quota-driver"
    case controlDirectory = "control-directory"
    case folderLayout = "folder-layout"
    case trash
    case countProfile = "count-profile"
    case fileLocks = "file-locks"
    case directorySync = "directory-sync"
    case clock
    /// Something could not be checked.
    case notChecked = "not-checked"
  }

  package let area: Area
  /// Nil if all is well.
  package let kind: Kind?
  package let severity: Severity
  /// A sentence.
  package let finding: String
  /// The file, the table, the mailbox.
  package let place: String
  /// Why it matters.
  package let reason: String
  /// A command, or what to write where; empty if nothing needs to be done.
  package let remedy: String
}

/// The diagnoses so far.
struct CheckReport {
  private(set) var diagnoses: [Diagnosis] = []
  private var area = Diagnosis.Area.configuration

  mutating func begin(_ area: Diagnosis.Area) { self.area = area }

  mutating func good(_ finding: String) {
    diagnoses.append(
      Diagnosis(area: area, kind: nil, severity: .good, finding: finding, place: "", reason: "", remedy: ""))
  }

  mutating func add(
    _ severity: Diagnosis.Severity, _ kind: Diagnosis.Kind, _ finding: String, at place: String, reason: String,
    remedy: String = ""
  ) {
    diagnoses.append(
      Diagnosis(
        area: area, kind: kind, severity: severity, finding: finding, place: place, reason: reason, remedy: remedy))
  }

  /// Reports something that could not be checked.
  mutating func skip(_ what: String, because reason: String, remedy: String = "") {
    add(.notice, .notChecked, what, at: "", reason: reason, remedy: remedy)
  }

  /// Whether there is an error or a warning after the first `count` diagnoses.
  func hasTrouble(since count: Int) -> Bool {
    diagnoses.dropFirst(count).contains { $0.severity == .error || $0.severity == .warning }
  }
}
