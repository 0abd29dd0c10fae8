// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Check
import Configuration
import Mailboxes
import Posix
import Presentation
import Publication
import Sweep
import Tables
import Text

/// `ullage publish`
struct PublishCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "publish",
    abstract: "Write the usage of mailboxes to the database, where panels show it.",
    usage: """
      ullage publish [--domain DOMAIN] [--dry-run] [OPTIONS]
      """,
    discussion: """
      The usage is what maildirsize says; nothing is counted. The mailboxes are those of mailbox_list_query, and \
      usage_table says where their usage goes. Only rows that differ are written; rows of other mailboxes, and of \
      mailboxes without a usable maildirsize, stay as they are.

      EXAMPLES:
        ullage publish
        ullage publish --dry-run
        ullage publish --domain example.org

      EXIT STATUS: 0 done, 2 the database refused some rows, 64 usage error, 67 no mailbox in the domain, \
      75 try again, 78 something must be corrected first.
      """)

  @Option(help: ArgumentHelp("Only a domain's mailboxes.", valueName: "domain"))
  var domain: String?

  @Flag(name: .customLong("dry-run"), help: "Only say how many rows would change.")
  var isDryRun = false

  @Flag(name: .shortAndLong, help: "Write nothing but what went wrong.")
  var quiet = false

  @Option(help: ArgumentHelp("Dovecot's configuration; /etc/dovecot/dovecot.conf if there is one.", valueName: "file"))
  var dovecot: String?

  @OptionGroup var configurationOption: ConfigurationOption

  func run() throws {
    try perform {
      let settings = try configurationOption.settingsWithLedger()
      let usage = try SettingsFile(configurationOption.file).usage.get()
      try refuseSecondWriter(usage.target)
      let tally = Tally()
      let publisher = try UsagePublisher(
        usage, list: settings.listDatabase, isDry: isDryRun, waiting: sayThatItWaits
      ) { address, reason in
        tally.refused += 1
        say("\(displayText(address)): not published: \(reason)")
      }
      guard let publisher else {
        throw CommandError(ExitStatus.configuration, "usage_table is not set; see ullage.cf(5)")
      }
      try publish(settings, to: publisher, tally)
      if Interruption.received != 0 {
        say("interrupted; what was read until then is published")
        return ExitStatus.signal(Interruption.received)
      }
      if tally.seen == 0, let domain { throw CommandError.noMailboxes(in: domain) }
      if !quiet { try write(tally, changed: publisher.changed) }
      return tally.refused > 0 ? ExitStatus.incomplete : ExitStatus.done
    }
  }

  /// Numbers of mailboxes.
  private final class Tally {
    var seen = 0
    /// Those without a Maildir: nothing has been delivered to them yet.
    var absent = 0
    /// Those whose usage is unknown.
    var unknown = 0
    /// Those that the database, or we, would not write.
    var refused = 0
    var seconds = 0.0

    var published: Int { seen - absent - unknown - refused }
  }

  private func refuseSecondWriter(_ target: UsageSettings.Target) throws {
    do {
      guard let writer = try UsageWriter.find(beside: target, file: dovecot) else { return }
      let remedy = "two writers would overwrite each other's figures: remove that setting of Dovecot's, or usage_table"
      guard let doubt = writer.doubt else {
        throw CommandError(ExitStatus.configuration, "Dovecot writes there itself (\(writer.place)); \(remedy)")
      }
      throw CommandError(
        ExitStatus.configuration, "Dovecot may write there itself (\(writer.place), unreadable: \(doubt)); \(remedy)")
    } catch let error as DovecotUnreadable {
      say("whether Dovecot writes there itself is unknown: \(error.text)")
    }
  }

  private func publish(_ settings: Settings, to publisher: UsagePublisher, _ tally: Tally) throws {
    let sweep = try Sweep(
      settings, .listed(domain: domain), Sweep.Workload(batchSize: 256), waiting: sayThatItWaits)
    let meter = try ProgressMeter("mailboxes") { try sweep.count() }
    defer { meter.clear() }
    var repeated: Set<[UInt8]> = []
    for (address, count) in try sweep.repeatedAddresses() {
      say("\(displayText(address)): not published: it is listed \(count) times; ullage audit says more")
      repeated.insert(address)
    }
    try sweep.run({ _ in [] }, idle: meter.show) { visit in
      meter.done += 1
      tally.seen += 1
      if repeated.contains(visit.row.address) {
        tally.refused += 1
      } else if let usage = visit.report.usage, !visit.row.address.isEmpty {
        try publisher.publish(MailboxUsage(visit.row.address, usage))
      } else if visit.report.state == .absent {
        tally.absent += 1
      } else {
        tally.unknown += 1
      }
    }
    try publisher.flush()
    tally.seconds = meter.elapsed
  }

  private func write(_ tally: Tally, changed: Int) throws {
    let mailboxes = quantity(tally.published, "mailbox", plural: "mailboxes")
    let rows = quantity(changed, "row")
    let time = "(\(tenths(ofSeconds: tally.seconds)) s)"
    var lines =
      isDryRun
      ? ["Dry run: the usage of \(mailboxes) would change \(rows) \(time)"]
      : ["The usage of \(mailboxes) is published; \(rows) changed \(time)"]
    if tally.absent > 0 {
      lines.append("  \(grouped(tally.absent)) without a Maildir: no mail has been delivered yet")
    }
    if tally.unknown > 0 {
      lines.append("  \(grouped(tally.unknown)) without a usable maildirsize: ullage audit names them")
    }
    let output = Output.standard()
    try output.write(lines.joined(separator: "\n") + "\n")
    try output.flush()
  }
}
