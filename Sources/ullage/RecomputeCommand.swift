// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Audit
import Configuration
import Mailboxes
import Maildir
import Posix
import Quota
import Reports
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
      once. Where it is too high, it is lowered only while the mailbox is at rest, that is when nothing in it has changed \
      for a minute; otherwise the result is "busy, not lowered". A missing or broken maildirsize is rewritten.

      As root, the work in each Maildir is done with its owner's rights.

      EXAMPLES:
        ullage recompute you@example.org
        ullage recompute --all --dry-run
        ullage recompute --maildir /var/vmail/example.org/you --limit 1G

      EXIT STATUS: 0 done, 2 some mailboxes could not be recomputed, 64 usage error, 67 unknown address, 75 try again, \
      78 something must be corrected first.
      """)

  @OptionGroup var selection: MailboxSelection

  @Option(
    name: .customLong("maildir"), parsing: .upToNextOption,
    help: ArgumentHelp("The directories of Maildirs; no table is queried.", valueName: "dir"))
  var maildirs: [String] = []

  @Option(
    help: ArgumentHelp(
      "With --maildir: the limit in bytes, optionally with K, M, G or T; 0 for none. By default the one in maildirsize stays.",
      valueName: "bytes"))
  var limit: ByteCount?

  @Flag(name: .customLong("dry-run"), help: "Only show what would be done.")
  var isDryRun = false

  @Flag(
    help: "Rewrite a wrong maildirsize even if the mailbox may be in use: entries of other programs can be lost.")
  var force = false

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
    if let jobs, !(1...256).contains(jobs) { throw ValidationError("--jobs must be from 1 to 256") }
  }

  func run() throws {
    try perform {
      let settings =
        try maildirs.isEmpty ? configurationOption.settingsWithLedger() : configurationOption.settingsOrDefaults()
      var report = RecomputeReport(
        format: format, showsAll: !selection.addresses.isEmpty || !maildirs.isEmpty, isDryRun: isDryRun)
      let source = try source(settings, &report)
      let pool = WorkerPool(workers: jobs ?? CurrentProcess.processorCount, batchSize: 1, rule: settings.countingRule)
      let meter = try ProgressMeter("mailboxes", total: source.count)
      Interruption.listen()
      do {
        try pool.run(
          next: source.next,
          take: { job, result in
            meter.done += 1
            if report.isWritten { meter.clear() }
            try report.add(job.row, result)
          }, idle: meter.show)
      } catch {
        // Show what was done.
        meter.clear()
        _ = try report.finish(seconds: meter.elapsed)
        throw error
      }
      meter.clear()
      let status = try report.finish(seconds: meter.elapsed)
      if status == 0, meter.done == 0, let domain = selection.domain { throw CommandError.noMailboxes(in: domain) }
      return status
    }
  }

  private typealias Source = (next: () throws -> MailboxJob?, count: () throws -> Int?)

  private func source(_ settings: Settings, _ report: inout RecomputeReport) throws -> Source {
    var work: MailboxTask.Work = [.count, .limitAtOnce]
    if !isDryRun { work.insert(.repair) }
    if force { work.insert(.force) }
    if !maildirs.isEmpty {
      return Self.source(of: try maildirs.map { try job(forDirectory: $0, settings, work) })
    }
    let maker = try JobMaker(settings, work: work)
    guard selection.addresses.isEmpty else {
      let (jobs, unknown) = try selection.lookUp(settings, maker)
      report.noteUnknown(unknown)
      return Self.source(of: jobs)
    }
    let list = try MailboxList(settings, domain: selection.domain.map { Array($0.utf8) }, waiting: sayThatItWaits)
    return ({ try list.next().map(maker.job) }, { try list.count() })
  }

  private static func exists(_ name: String) -> Bool {
    guard let path = Path(name.utf8) else { return false }
    return (try? stat(path)) != nil
  }

  private static func source(of jobs: [MailboxJob]) -> Source {
    var rest = jobs[...]
    return ({ rest.popFirst() }, { jobs.count })
  }

  private func job(
    forDirectory name: String, _ settings: Settings, _ work: MailboxTask.Work
  ) throws -> MailboxJob {
    let parts = name.split(separator: "/")
    guard let last = parts.last.flatMap({ Path($0.utf8) }) else {
      throw CommandError(status: ExitStatus.usage, text: "--maildir \(name): that is not a Maildir")
    }
    let above = (name.hasPrefix("/") ? "/" : "./") + parts.dropLast().joined(separator: "/")
    guard let base = Path(above.utf8) else {
      throw CommandError(status: ExitStatus.usage, text: "--maildir: the name contains NUL")
    }
    let isFolder = last.bytes.first == UInt8(ascii: ".") && Self.exists("\(name)/maildirfolder")
    guard !isFolder else {
      throw CommandError(
        status: ExitStatus.usage, text: "--maildir \(name): that is a folder; give the Maildir above it")
    }
    let limit = limit.map { QuotaLimit(bytes: $0.bytes) }
    let row = MailboxRow(address: [], path: Array(name.utf8), quota: EffectiveLimit(limit ?? .none, .given))
    guard Self.exists(above) else {
      return JobMaker(base: base, settings, work: work).failed(row, "there is no \(above)")
    }
    return JobMaker(base: base, settings, work: work).job(row, components: [last], limit: limit)
  }
}
