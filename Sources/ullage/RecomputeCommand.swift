// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Audit
import Configuration
import Mailboxes
import Maildir
import Posix
import Presentation
import Quota
import Sweep
import Tables
import Text

/// `ullage recompute`
struct RecomputeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "recompute",
    abstract: "Count messages, and correct maildirsize where it is wrong.",
    usage: """
      ullage recompute ADDRESS... [OPTIONS]
      ullage recompute --domain DOMAIN | --all [OPTIONS]
      ullage recompute --maildir DIR... [--limit BYTES] [OPTIONS]
      """,
    discussion: """
      Mail may be delivered and read meanwhile: no entry is lost. Where maildirsize is too low, it is raised at \
      once. Where it is too high, it is lowered only while the mailbox is at rest, that is when nothing in it \
      has changed for a minute; otherwise the result is "busy, not lowered". A missing or broken maildirsize is \
      rewritten.

      As root, the work in each Maildir is done with its owner's rights.

      EXAMPLES:
        ullage recompute you@example.org
        ullage recompute --all --dry-run
        ullage recompute --maildir /var/vmail/example.org/you --limit 1G

      EXIT STATUS: 0 done, 2 some mailboxes could not be recomputed, 64 usage error, 67 unknown address, 75 try again, \
      78 something must be corrected first.
      """)

  @OptionGroup var selection: SelectionOption

  @Option(
    name: .customLong("maildir"), parsing: .upToNextOption,
    help: ArgumentHelp("The directories of Maildirs; no table is queried.", valueName: "dir"))
  var maildirs: [String] = []

  @Option(
    help: ArgumentHelp(
      "With --maildir: the limit in bytes, optionally with K, M, G or T; 0 for none. By default the one in"
        + " maildirsize stays.",
      valueName: "bytes"))
  var limit: ByteCount?

  @Flag(name: .customLong("dry-run"), help: "Only show what would be done.")
  var isDryRun = false

  @Flag(
    help: "Rewrite a wrong maildirsize even if the mailbox may be in use: entries of other programs can be lost.")
  var force = false

  @Flag(
    name: .customLong("retry-waiting"),
    help: "Let Postfix try mail again that waits for these mailboxes, where there is room now (postqueue -i).")
  var retriesWaiting = false

  @Option(
    help: ArgumentHelp("Mailboxes at a time; by default as many as there are processors.", valueName: "number"))
  var jobs: Int?

  @Option(help: "table (only what differs, unless addresses are given), json, jsonl or csv.")
  var format = OutputFormat.table

  @OptionGroup var configurationOption: ConfigurationOption

  struct ByteCount: ExpressibleByArgument {
    let bytes: Int64

    init?(argument: String) {
      guard let bytes = ByteSize.parse(argument) else { return nil }
      self.bytes = bytes
    }
  }

  func validate() throws {
    guard selection.isEmpty != maildirs.isEmpty else {
      throw ValidationError("give addresses, --domain, --all or --maildir, and only one of these")
    }
    guard limit == nil || !maildirs.isEmpty else { throw ValidationError("--limit needs --maildir") }
    guard !retriesWaiting || maildirs.isEmpty && !isDryRun else {
      throw ValidationError("--retry-waiting needs addresses, --domain or --all, and a run that is not dry")
    }
    if let jobs, !(1...256).contains(jobs) { throw ValidationError("--jobs must be from 1 to 256") }
  }

  func run() throws {
    try perform {
      let settings =
        try maildirs.isEmpty ? configurationOption.settingsWithLedger() : configurationOption.settingsOrDefaults()
      if !isDryRun { makeServiceForget(settings) }
      let sweep = try Sweep(
        settings,
        maildirs.isEmpty
          ? selection.selection : .maildirs(maildirs, limit: limit.map { QuotaLimit(bytes: $0.bytes) }),
        Sweep.Workload(workers: jobs, batchSize: 1), waiting: sayThatItWaits)
      reportLookups(of: sweep)
      var printer = RecomputePrinter(
        as: format, showsAll: !selection.addresses.isEmpty || !maildirs.isEmpty, isDryRun: isDryRun, to: .standard(),
        style: .standardOutput)
      var waiting = retriesWaiting ? mailQueue(settings) : nil
      let done = try recompute(sweep, &printer, &waiting)
      if Interruption.received != 0 {
        say("interrupted; work in progress was finished")
        return ExitStatus.signal(Interruption.received)
      }
      retry(waiting)
      if done == 0, let domain = selection.domain { throw CommandError.noMailboxes(in: domain) }
      if !sweep.unknownAddresses.isEmpty { return ExitStatus.noUser }
      return printer.failures > 0 ? ExitStatus.incomplete : ExitStatus.done
    }
  }

  /// Otherwise deliveries would write the old limit again for `lookup_cache_time`.
  private func makeServiceForget(_ settings: Settings) {
    guard maildirs.isEmpty else { return }
    // The empty address stands for all.
    for address in selection.addresses.isEmpty ? [""] : selection.addresses {
      do throws(TableError) {
        try MailboxLookup.forget(AddressQuery(Array(address.utf8), until: Deadline(secondsFromNow: 5)), settings)
      } catch {
        say("deliveries may use the old limit for lookup_cache_time: \(error.shown)")
        return
      }
    }
  }

  /// Nil if Postfix's queue cannot be read: the mailboxes are recomputed all the same.
  private func mailQueue(_ settings: Settings) -> WaitingMail? {
    do { return try WaitingMail(settings) } catch {
      say("waiting mail is not tried again: \(error.shown)")
      return nil
    }
  }

  private func retry(_ waiting: WaitingMail?) {
    do { if let text = try waiting?.retry() { say(text) } } catch {
      say("not all waiting mail is tried again: \(error.shown)")
    }
  }

  private var work: MailboxTask.Work {
    var work: MailboxTask.Work = [.count, .limitAtOnce]
    if !isDryRun { work.insert(.repair) }
    if force { work.insert(.force) }
    return work
  }

  /// - Returns: how many mailboxes there were.
  private func recompute(
    _ sweep: Sweep, _ printer: inout RecomputePrinter, _ waiting: inout WaitingMail?
  ) throws -> Int {
    let meter = try ProgressMeter("mailboxes", total: sweep.count)
    func finish() throws {
      meter.clear()
      if let summary = try printer.finish(seconds: meter.elapsed) { StandardStream.writeError(summary + "\n") }
    }
    do {
      try sweep.run({ _ in work }, idle: meter.show) { visit in
        meter.done += 1
        if printer.isWritten { meter.clear() }
        try printer.write(visit)
        waiting?.note(visit)
        for folder in visit.report.unreadable {
          say("\(visit.row.name): not counted, no permission to read it: \(folder)")
        }
        for folder in visit.report.linked {
          say("\(visit.row.name): not counted, a folder that is a symlink: \(folder)")
        }
      }
    } catch {
      // Show what was done.
      try finish()
      throw error
    }
    try finish()
    return meter.done
  }
}
