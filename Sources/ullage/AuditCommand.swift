// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Audit
import Configuration
import Posix

/// `ullage audit`
struct AuditCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit",
    abstract: "Check all mailboxes for faults, and repair them on request.",
    usage: """
      ullage audit [--level LEVEL] [--share 1/N] [--repair] [--clean-tmp] [OPTIONS]
      """,
    discussion: """
      The mailboxes are those of mailbox_list_query. Level 0 compares every maildirsize with the limit in the list. \
      Level 1 also counts a share of the mailboxes, another one each night, and any that look odd. Level 2 also checks \
      the size of each of their files. Nothing is written without --repair or --clean-tmp.

      EXAMPLES:
        ullage audit
        ullage audit --level 1 --share 1 --repair
        ullage audit --level 1 --quiet --state /var/lib/ullage/audit.state
        ullage audit --level 0 --nagios

      EXIT STATUS: 0 nothing found, 1 findings, 2 some mailboxes not audited, 64 usage error, 67 no mailbox in \
      the domain, 75 try again, \
      78 something must be corrected first. With --nagios: 0 OK, 1 warning, 2 critical, 3 unknown.
      """)

  @Option(help: "0, 1 or 2.")
  var level = AuditOptions.Level.counts

  @Option(help: ArgumentHelp("The share that is counted each night: 1/7 is a seventh, 1 is all.", valueName: "1/n"))
  var share = Share(count: 7)

  @Option(
    help: ArgumentHelp(
      "Which share is due, by default today's: a number that grows by one each night.", valueName: "number"))
  var night: Int?

  @Flag(help: "Repair what is counted and found wrong, as \"ullage recompute\" does.")
  var repair = false

  @Flag(name: .customLong("clean-tmp"), help: "Remove files in tmp/ that are older than 36 hours.")
  var cleansTmp = false

  @Option(
    help: ArgumentHelp("Only a domain's mailboxes, and no search for Maildirs without a mailbox.", valueName: "domain"))
  var domain: String?

  @Option(
    parsing: .singleValue,
    help: ArgumentHelp("A kind of finding to leave out; may be given several times.", valueName: "kind"))
  var ignore: [Finding.Kind] = []

  @Option(
    name: .customLong("max-rate"),
    help: ArgumentHelp("The most mailboxes a second, to spare the disks.", valueName: "number"))
  var rate: Int?

  @Option(
    help: ArgumentHelp("Mailboxes at a time; by default as many as there are processors.", valueName: "number"))
  var jobs: Int?

  @Option(
    help: ArgumentHelp(
      "Keep the progress in a file, to resume an interrupted run. Removed at the end.",
      valueName: "file"))
  var state: String?

  @Flag(name: .shortAndLong, help: "Write nothing if nothing was found.")
  var quiet = false

  @Flag(help: "One line for a check plugin.")
  var nagios = false

  @Option(help: "table (the worst 50 findings of each kind), json, jsonl or csv (all of them).")
  var format = OutputFormat.table

  @OptionGroup var configurationOption: ConfigurationOption

  struct Share: ExpressibleByArgument {
    let count: Int

    init(count: Int) {
      self.count = count
    }

    init?(argument: String) {
      let digits = argument == "1" ? "1" : argument.hasPrefix("1/") ? String(argument.dropFirst(2)) : ""
      guard let count = Int(digits), (1...10_000).contains(count), digits.first != "+" else { return nil }
      self.count = count
    }

    var defaultValueDescription: String { "1/\(count)" }
  }

  func validate() throws {
    if let rate, !(1...1_000_000).contains(rate) { throw ValidationError("--max-rate must be from 1 to 1000000") }
    if let jobs, !(1...256).contains(jobs) { throw ValidationError("--jobs must be from 1 to 256") }
    if let night, night < 0 { throw ValidationError("--night must not be negative") }
    if nagios, format != .table { throw ValidationError("give either --nagios or --format") }
  }

  func run() throws {
    var hasReported = false
    guard nagios else { return try perform { try audit(&hasReported) } }
    do { try perform { try audit(&hasReported) } } catch let status as ExitCode where status.rawValue > 3 {
      if !hasReported { try? Output.print("ULLAGE UNKNOWN - the audit failed; see standard error\n") }
      throw ExitCode(3)
    }
  }

  private func audit(_ hasReported: inout Bool) throws -> Int32 {
    let settings = try configurationOption.settingsWithLedger()
    let options = AuditOptions(
      level: level, share: share.count, repairs: repair, cleansTmp: cleansTmp, domain: domain.map { Array($0.utf8) },
      rate: rate, workers: jobs ?? CurrentProcess.processorCount, ignored: Set(ignore))
    let store = try state.map { try AuditStateFile($0) }
    let today = night ?? Int(Timestamp.now.localDay)
    let fresh = AuditState(options: options.fingerprint, night: today)
    Interruption.listen()
    var status: Int32 = 0
    if let begun = try store?.load(options: options.fingerprint) {
      status = try audit(settings, options, begun, store, &hasReported)
      // The audit of an earlier night counted the share of that night only.
      if begun.night == today || Interruption.received != 0 { return status }
    }
    return max(status, try audit(settings, options, fresh, store, &hasReported))
  }

  private func audit(
    _ settings: Settings, _ options: AuditOptions, _ state: AuditState, _ store: AuditStateFile?,
    _ hasReported: inout Bool
  ) throws -> Int32 {
    // Fail early if the state cannot be written.
    try store?.save(state)
    let run = try AuditRun(settings, options, state, waiting: sayThatItWaits)
    let report = AuditReport(format: format, nagios: nagios, quiet: quiet)
    defer { hasReported = hasReported || report.isFinished }
    let meter = try ProgressMeter("mailboxes") { try run.count() }
    meter.done = run.state.mailboxes
    do {
      try run.run(listener(report, meter, store))
    } catch {
      meter.clear()
      try store?.save(run.state)
      if run.state.mailboxes > 0 { try report.finish(run.state, seconds: meter.elapsed, isComplete: false) }
      throw error
    }
    meter.clear()
    let wasInterrupted = Interruption.received != 0
    if wasInterrupted { try store?.save(run.state) } else { try store?.remove() }
    if !wasInterrupted, let domain, run.state.mailboxes == 0 { throw CommandError.noMailboxes(in: domain) }
    try report.finish(run.state, seconds: meter.elapsed, isComplete: !wasInterrupted)
    guard wasInterrupted else { return report.status(run.state) }
    let next = store == nil ? "" : "; the same command resumes there"
    StandardStream.writeError("ullage: audit: interrupted after \(run.state.mailboxes) mailboxes\(next)\n")
    return nagios ? 3 : ExitStatus.signal(Interruption.received)
  }

  private func listener(_ report: AuditReport, _ meter: ProgressMeter, _ store: AuditStateFile?) -> AuditRun.Listener {
    AuditRun.Listener(
      finding: { finding in
        if report.writesAtOnce { meter.clear() }
        try report.write(finding)
      },
      problem: { problem in
        meter.clear()
        report.write(problem: problem)
      },
      idle: { state in
        meter.done = state.mailboxes
        meter.show()
        try store?.save(state, atMostEvery: 5)
      })
  }
}

extension AuditOptions.Level: ExpressibleByArgument {}
extension Finding.Kind: ExpressibleByArgument {}
