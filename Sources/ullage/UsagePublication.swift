// SPDX-License-Identifier: Apache-2.0
import Check
import Configuration
import Mailboxes
import Posix
import Publication
import Sweep
import Tables
import Text

/// The usage of the mailboxes of one run on its way to the database.
final class UsagePublication {
  private let publisher: UsagePublisher
  private let isDry: Bool
  private let refusals: Refusals
  /// The addresses that are listed several times: which of their Maildirs is meant is unknown.
  private var repeated: Set<[UInt8]> = []

  /// Mailboxes that have an address.
  private(set) var seen = 0
  /// Those without a Maildir: nothing has been delivered to them yet.
  private(set) var absent = 0
  /// Those without a usable `maildirsize`.
  private(set) var unknown = 0
  /// Those that could not be read, or were not written, each of which is named.
  var refused: Int { refusals.count }
  var published: Int { seen - absent - unknown - refused }
  /// Rows that have changed.
  var changed: Int { publisher.changed }
  /// Why the time of this run is not kept for whoever reads the figures; nil if it is.
  private(set) var timeIsNotKept: String?

  /// Mailboxes that are not published, and why. Only the first are named: all of them may have the same fault.
  private final class Refusals {
    private(set) var count = 0
    private let say: (String) -> Void
    private static let maxNamed = 50

    init(say: @escaping (String) -> Void) {
      self.say = say
    }

    func note(_ name: String, _ reason: String) {
      count += 1
      if count <= Self.maxNamed { say("\(name): not published: \(reason)") }
    }

    func finish() {
      if count > Self.maxNamed { say("and \(grouped(count - Self.maxNamed)) more are not published") }
    }
  }

  /// - Parameters:
  ///   - waiting: called when the database does not answer, before half a minute of retries.
  ///   - say: writes a line to standard error.
  /// - Throws: also if a Dovecot on this host writes to the same table, or may do so.
  init(
    _ settings: Settings, _ configurationFile: String, isDry: Bool, waiting: @escaping (TableError) -> Void,
    say: @escaping (String) -> Void
  ) throws {
    self.isDry = isDry
    let refusals = Refusals(say: say)
    self.refusals = refusals
    let usage = try SettingsFile(configurationFile).usage.get()
    if let writer = SecondWriter.find(beside: usage) { throw Self.error(writer) }
    let publisher = try UsagePublisher(usage, list: settings.listDatabase, isDry: isDry, waiting: waiting) {
      refusals.note(displayText($0), $1)
    }
    guard let publisher else {
      throw CommandError(ExitStatus.configuration, "usage_table is not set; see ullage.cf(5)")
    }
    self.publisher = publisher
  }

  private static func error(_ writer: SecondWriter) -> CommandError {
    var evidence = writer.evidence
    if case .dovecot = writer { evidence += ", and each would overwrite the other's figures" }
    return CommandError(
      ExitStatus.configuration, "\(evidence): \(writer.advice(for: "uid \(CurrentProcess.effectiveUser)"))")
  }

  /// - Parameter rows: the addresses that are listed several times.
  /// - Throws: if there are more than the list tells.
  func note(repeated rows: [(address: [UInt8], count: Int64)]) throws {
    guard rows.count < MailboxList.maxRepeated else {
      throw CommandError(
        ExitStatus.configuration,
        "mailbox_list_query lists \(grouped(rows.count)) addresses or more several times: correct it; see ullage.cf(5)")
    }
    repeated = Set(rows.map(\.address))
  }

  func take(_ visit: Visit) throws {
    guard !visit.row.address.isEmpty else { return }
    seen += 1
    guard !repeated.contains(visit.row.address) else {
      return refusals.note(visit.row.name, "it is listed several times; ullage audit says more")
    }
    if let usage = visit.report.knownUsage {
      return try publisher.publish(MailboxUsage(visit.row.address, usage))
    }
    switch visit.report.state {
    case .absent: absent += 1
    case .examined: unknown += 1
    case .broken(let reason), .failed(let reason): refusals.note(visit.row.name, reason)
    case .foreign(let user):
      refusals.note(
        visit.row.name, "its Maildir belongs to uid \(user), and this is uid \(CurrentProcess.effectiveUser)")
    }
  }

  /// Writes what has waited for some seconds.
  func idle() throws { try publisher.flush(olderThan: 5) }

  /// - Parameter isWhole: these were all mailboxes.
  func finish(isWhole: Bool) throws {
    try publisher.flush()
    refusals.finish()
    guard isWhole, !isDry else { return }
    timeIsNotKept = publisher.noteCompletion(mailboxes: published, host: CurrentProcess.hostName)
  }
}
