// SPDX-License-Identifier: Apache-2.0
import Check
import Configuration
import Mailboxes
import Publication
import Sweep
import Tables
import Text

/// The usage of the mailboxes of one run on its way to the database.
final class UsagePublication {
  private let publisher: UsagePublisher
  private let say: (String) -> Void
  /// The addresses that are listed several times: which of their Maildirs is meant is unknown.
  private var repeated: Set<[UInt8]> = []

  /// Mailboxes.
  private(set) var seen = 0
  /// Those without a Maildir: nothing has been delivered to them yet.
  private(set) var absent = 0
  /// Those whose usage is unknown.
  private(set) var unknown = 0
  /// Those that are listed several times.
  private var ambiguous = 0

  /// Why the time of this run is not kept for whoever reads the figures; nil if it is.
  private(set) var timeIsNotKept: String?
  private let isDry: Bool

  /// Those that were not written although their usage is known.
  var refused: Int { ambiguous + publisher.rejected }
  var published: Int { seen - absent - unknown - refused }
  /// Rows that have changed.
  var changed: Int { publisher.changed }

  /// - Parameters:
  ///   - dovecot: Dovecot's configuration; nil to look at the usual place.
  ///   - waiting: called when the database does not answer, before half a minute of retries.
  ///   - say: writes a line to standard error.
  /// - Throws: also if a Dovecot on this host writes to the same table.
  init(
    _ settings: Settings, _ usage: UsageSettings, dovecot: String?, isDry: Bool,
    waiting: @escaping (TableError) -> Void, say: @escaping (String) -> Void
  ) throws {
    self.say = say
    self.isDry = isDry
    do { try Self.refuseSecondWriter(usage.target, dovecot) } catch let error as DovecotUnreadable {
      say("whether Dovecot writes the usage itself is unknown: \(error.text)")
    }
    let publisher = try UsagePublisher(usage, list: settings.listDatabase, isDry: isDry, waiting: waiting) {
      say("\(displayText($0)): not published: \($1)")
    }
    guard let publisher else {
      throw CommandError(ExitStatus.configuration, "usage_table is not set; see ullage.cf(5)")
    }
    self.publisher = publisher
  }

  private static func refuseSecondWriter(_ target: UsageSettings.Target, _ dovecot: String?) throws {
    guard let writer = try UsageWriter.find(beside: target, file: dovecot) else { return }
    let beginning =
      if let doubt = writer.doubt {
        "Dovecot may write there itself (\(writer.place), which cannot be read: \(doubt))"
      } else { "Dovecot writes there itself (\(writer.place))" }
    throw CommandError(
      ExitStatus.configuration,
      "\(beginning); two writers would overwrite each other's figures: remove that setting of Dovecot's, or usage_table"
    )
  }

  func note(repeated address: [UInt8], _ count: Int64) {
    say("\(displayText(address)): not published: it is listed \(count) times; ullage audit says more")
    repeated.insert(address)
  }

  func take(_ visit: Visit) throws {
    seen += 1
    if repeated.contains(visit.row.address) {
      ambiguous += 1
    } else if let usage = visit.report.figure, !visit.row.address.isEmpty {
      try publisher.publish(MailboxUsage(visit.row.address, usage))
    } else if visit.report.state == .absent {
      absent += 1
    } else {
      unknown += 1
    }
  }

  /// - Parameter isWhole: these were all mailboxes.
  func finish(isWhole: Bool) throws {
    try publisher.flush()
    if isWhole, !isDry { timeIsNotKept = try publisher.noteCompletion(mailboxes: published) }
  }
}
