// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Configuration
import Mailboxes
import Posix
import Presentation
import Sweep
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

      EXIT STATUS: 0 done, 2 some mailboxes not published, 64 usage error, 67 no mailbox in the domain, \
      75 try again, 78 something must be corrected first.
      """)

  @Option(help: ArgumentHelp("Only a domain's mailboxes.", valueName: "domain"))
  var domain: String?

  @Flag(name: .customLong("dry-run"), help: "Only say how many rows would be updated.")
  var isDryRun = false

  @Flag(name: .shortAndLong, help: "Write nothing but what went wrong.")
  var quiet = false

  @OptionGroup var configurationOption: ConfigurationOption

  func run() throws {
    try perform {
      let settings = try configurationOption.settingsWithLedger()
      var meter: ProgressMeter?
      let publication = try UsagePublication(
        settings, configurationOption.file, isDry: isDryRun, waiting: sayThatItWaits
      ) { text in
        meter?.clear()
        say(text)
      }
      let sweep = try Sweep(
        settings, .listed(domain: domain), Sweep.Workload(batchSize: 256), waiting: sayThatItWaits)
      let progress = try ProgressMeter("mailboxes") { try sweep.count() }
      meter = progress
      defer { progress.clear() }
      try publication.note(repeated: sweep.repeatedAddresses())
      try sweep.run({ _ in [] }, idle: progress.show) { visit in
        progress.done += 1
        try publication.take(visit)
      }
      let wasInterrupted = Interruption.received != 0
      try publication.finish(isWhole: domain == nil && !wasInterrupted)
      progress.clear()
      if wasInterrupted {
        say(isDryRun ? "interrupted" : "interrupted; what was read until then is published")
        return ExitStatus.signal(Interruption.received)
      }
      if publication.seen == 0, let domain { throw CommandError.noMailboxes(in: domain) }
      if !quiet { try write(publication, progress.elapsed) }
      return publication.refused > 0 ? ExitStatus.incomplete : ExitStatus.done
    }
  }

  private func write(_ publication: UsagePublication, _ seconds: Double) throws {
    let mailboxes = quantity(publication.published, "mailbox", plural: "mailboxes")
    let rows = quantity(publication.changed, "row")
    let time = "(\(tenths(ofSeconds: seconds)) s)"
    var lines =
      isDryRun
      ? ["Dry run: the usage of \(mailboxes) would update \(rows) \(time)"]
      : ["The usage of \(mailboxes) is published; \(rows) updated \(time)"]
    if publication.absent > 0 {
      lines.append("  \(grouped(publication.absent)) without a Maildir: no mail has been delivered yet")
    }
    if publication.unknown > 0 {
      lines.append("  \(grouped(publication.unknown)) without a usable maildirsize: ullage recompute --all makes one")
    }
    if let reason = publication.timeIsNotKept {
      lines.append("  the time of this run is not kept: \(reason)")
    }
    let output = Output.standard()
    try output.write(lines.joined(separator: "\n") + "\n")
    try output.flush()
  }
}
