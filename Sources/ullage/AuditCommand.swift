// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Audit
import Configuration
import Findings
import Mailboxes
import Posix
import Presentation
import Text

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

      EXIT STATUS: 0 nothing found, 1 findings, 2 some mailboxes not audited or not published, 64 usage error, \
      67 no mailbox in the domain, 75 try again, \
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

  @Flag(
    name: .customLong("after-crash"),
    help: "Count what was changed since the last audit began: for storage whose crashes this host does not see.")
  var isAfterCrash = false

  @Option(
    help: ArgumentHelp("Only a domain's mailboxes, and no search for Maildirs without a mailbox.", valueName: "domain"))
  var domain: String?

  @Option(
    parsing: .singleValue,
    help: ArgumentHelp("A kind of finding to leave out; may be given several times.", valueName: "kind"))
  var ignore: [AuditKind] = []

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

  @Flag(help: "Also write the usage to usage_table, as \"ullage publish\" does.")
  var publish = false

  @Flag(name: .shortAndLong, help: "Write nothing if nothing was found.")
  var quiet = false

  @Flag(help: "One line for a check plugin.")
  var nagios = false

  @Option(
    help: ArgumentHelp(
      "Also write figures for Prometheus' textfile collector, once the audit is complete.", valueName: "file"))
  var prometheus: String?

  @Option(
    help: ArgumentHelp("Also write a page to look at in a browser, once the audit is complete.", valueName: "file"))
  var html: String?

  @Option(
    help: ArgumentHelp("With --prometheus: also the largest mailboxes, by their addresses.", valueName: "number"))
  var top: Int?

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
    if let top {
      guard prometheus != nil else { throw ValidationError("--top needs --prometheus") }
      guard (1...1000).contains(top) else { throw ValidationError("--top must be from 1 to 1000") }
    }
    guard prometheus == nil && html == nil || domain == nil else {
      throw ValidationError("--prometheus and --html are about the whole list: give either them or --domain")
    }
    if nagios, format != .table { throw ValidationError("give either --nagios or --format") }
  }

  func run() throws {
    guard nagios else { return try perform(audits) }
    do { try perform(audits) } catch let status as ExitCode where status.rawValue > 3 {
      throw ExitCode(NagiosLine.Status.unknown.rawValue)
    }
  }

  private func audits() throws -> Int32 {
    var hasReported = false
    do { return try audits(&hasReported) } catch {
      // A monitoring system expects a line whatever happens.
      if nagios, !hasReported {
        let output = Output.standard()
        try output.write("ULLAGE UNKNOWN - the audit failed; see standard error\n")
        try output.flush()
      }
      throw error
    }
  }

  private func audits(_ hasReported: inout Bool) throws -> Int32 {
    let settings = try configurationOption.settingsWithLedger()
    var options = auditOptions
    let file = try state.map { try stateFile($0) }
    try file?.acquire()
    let today = night ?? Int(Timestamp.now.localDay)
    let fresh = AuditState(options: options.fingerprint, night: today)
    // One audit at a time, and one report: the share that was due on the night of an interrupted one is counted first.
    var begun = try file.flatMap { try interruptedState(in: $0, options) } ?? fresh
    do { options.domainLimits = try SettingsFile(configurationOption.file).domainLimits.get() } catch {
      options.domainLimitsProblem = CommandError(error).shown
    }
    options.makesCleanPoint = file != nil && domain == nil
    try compare(&begun, withCleanPointIn: file, options, settings)
    return try audit(settings, options, begun, file, &hasReported)
  }

  /// Which mailboxes a power cut may have touched.
  private func compare(
    _ state: inout AuditState, withCleanPointIn file: AuditStateFile?, _ options: AuditOptions, _ settings: Settings
  ) throws {
    let now = CleanPoint.now()
    let time = CleanPoint.suspectTime(
      since: try file?.cleanPoint(), now: now, isForced: isAfterCrash, isRemote: AuditRun.isRemote(settings))
    state.note(begin: options.makesCleanPoint ? now : nil, suspectTime: time)
    guard time != nil, !quiet else { return }
    let reason = isAfterCrash ? "--after-crash" : "the machine was started since the last audit"
    say("\(reason): every mailbox \(time == .min ? "" : "that was changed since the last audit began ")is counted")
  }

  private var auditOptions: AuditOptions {
    var options = AuditOptions()
    options.level = level
    options.share = share.count
    options.repairs = repair
    options.cleansTmp = cleansTmp
    options.isAfterCrash = isAfterCrash
    options.domain = domain
    options.rate = rate
    options.workers = jobs
    options.ignored = Set(ignore.map(\.kind))
    options.keepsStatistics = prometheus != nil || html != nil
    options.top = max(top ?? 0, html != nil ? AuditPage.largest : 0)
    return options
  }

  private func stateFile(_ name: String) throws -> AuditStateFile {
    guard let path = Path(name.utf8) else {
      throw CommandError(ExitStatus.usage, "--state: the name contains NUL")
    }
    return AuditStateFile(path)
  }

  private func interruptedState(in file: AuditStateFile, _ options: AuditOptions) throws -> AuditState? {
    switch try file.load(options: options.fingerprint) {
    case .nothing: return nil
    case .other(let options):
      say("\(state ?? "") is from an audit with other options (\(options)); starting a new one")
      return nil
    case .otherVersion:
      say("\(state ?? "") is from another version of ullage; starting a new audit")
      return nil
    case .interrupted(let begun):
      if begun.mailboxes > 0 {
        say("continuing the audit that was interrupted after \(begun.mailboxes) mailboxes; see \(state ?? "")")
      }
      return begun
    }
  }

  private func audit(
    _ settings: Settings, _ options: AuditOptions, _ state: AuditState, _ file: AuditStateFile?,
    _ hasReported: inout Bool
  ) throws -> Int32 {
    // The queries before the first mailbox can take minutes.
    Interruption.listen()
    // Fail early if the state cannot be written.
    try file?.save(state)
    let files = AuditFiles(prometheus: prometheus, top: top ?? 0, html: html, ignored: options.ignored, say: say)
    try files.checkDirectories()
    let publication = publish ? AuditPublication(settings, configurationOption.file, waiting: sayThatItWaits) : nil
    let run = try AuditRun(settings, options, state, waiting: sayThatItWaits)
    let auditFormat = nagios ? AuditFormat.nagios : format.makeWriter.map { .records($0) } ?? .text(quiet: quiet)
    var printer = auditFormat.printer(
      RemedyText(configurationFile: configurationOption.path), to: .standard(), style: .standardOutput)
    let meter = try ProgressMeter("mailboxes") { try run.count() }
    meter.done = run.state.mailboxes
    let listener = AuditRun.Listener(
      finding: { finding in
        if printer.writesAtOnce { meter.clear() }
        try printer.write(finding)
      },
      problem: { problem in
        // Each is named: those that the report has no room for at once.
        if printer.listsProblems, run.state.notAuditedCount <= AuditState.keptProblems { return }
        meter.clear()
        say("not audited: \(problem)")
      },
      repeated: publication.map { publication in { publication.note(repeated: $0) } },
      visit: { publication?.take($0) },
      idle: { state in
        meter.done = state.mailboxes
        meter.show()
        publication?.idle()
        try file?.save(state, atMostEvery: 5)
      })
    do {
      try run.run(listener)
      publication?.finish(isWhole: domain == nil && Interruption.received == 0 && state.mailboxes == 0)
    } catch {
      meter.clear()
      try file?.save(run.state)
      if run.state.mailboxes > 0 {
        try printer.finish(run.state, seconds: meter.elapsed, isComplete: false)
        hasReported = true
      }
      throw error
    }
    meter.clear()
    let wasInterrupted = Interruption.received != 0
    if wasInterrupted { try file?.save(run.state) } else { try complete(run.state, file) }
    if !wasInterrupted, let domain, run.state.mailboxes == 0 { throw CommandError.noMailboxes(in: domain) }
    try printer.finish(run.state, seconds: meter.elapsed, isComplete: !wasInterrupted)
    hasReported = true
    if !wasInterrupted {
      files.write(
        run.state, run.statistics, RemedyText(configurationFile: configurationOption.path), seconds: meter.elapsed)
    }
    if wasInterrupted { return interrupted(run.state, isKept: file != nil) }
    let status = status(run.state)
    return nagios ? status : publication?.status(beside: status) ?? status
  }

  private func complete(_ state: AuditState, _ file: AuditStateFile?) throws {
    // What may still be too low has to be looked at again.
    if let begin = state.begin, (state.unmended ?? 0) == 0 { try file?.save(begin) }
    try file?.remove()
  }

  private func interrupted(_ state: AuditState, isKept: Bool) -> Int32 {
    say("interrupted after \(state.mailboxes) mailboxes\(isKept ? "; the same command resumes there" : "")")
    return nagios ? NagiosLine.Status.unknown.rawValue : ExitStatus.signal(Interruption.received)
  }

  private func status(_ state: AuditState) -> Int32 {
    if nagios { return NagiosLine.Status(state, isComplete: true).rawValue }
    if state.notAuditedCount > 0 { return ExitStatus.incomplete }
    return state.count() > 0 ? 1 : ExitStatus.done
  }
}

/// A kind of finding that an audit can leave out.
struct AuditKind: ExpressibleByArgument {
  let kind: FindingKind

  init?(argument: String) {
    guard let kind = FindingKind(rawValue: argument), FindingKind.ofAudit.contains(kind) else { return nil }
    self.kind = kind
  }

  static var allValueStrings: [String] { FindingKind.ofAudit.map(\.rawValue) }
}

extension AuditOptions.Level: ExpressibleByArgument {}
