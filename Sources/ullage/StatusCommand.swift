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

/// `ullage status`
struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show how full mailboxes are.",
    usage: """
      ullage status [ADDRESS...] [OPTIONS]
      ullage status --domain DOMAIN | --all [--over PERCENT] [--top NUMBER] [OPTIONS]
      ullage status --domains [--over PERCENT] [--top NUMBER] [OPTIONS]
      """,
    discussion: """
      The usage is what maildirsize says; nothing is counted and nothing is written. "ullage recompute" counts.

      With --domains, the mailboxes of each domain are added up, and compared with virtual_domain_limit_maps.

      Without a selection, the fullest twenty are shown, or the first twenty in the order of --sort.

      EXAMPLES:
        ullage status
        ullage status you@example.org
        ullage status --all --over 90
        ullage status --domain example.org --top 20 --sort messages

      EXIT STATUS: 0 shown, 2 some mailboxes could not be read, 64 usage error, 67 unknown address, 75 try again, \
      78 something must be corrected first.
      """)

  @OptionGroup var selection: SelectionOption

  @Flag(help: "Whole domains: their sums, and the limits of virtual_domain_limit_maps.")
  var domains = false

  @Option(help: ArgumentHelp("Only those that hold more than this share of their limit.", valueName: "percent"))
  var over: Int64?

  @Option(help: ArgumentHelp("At most this many, in the order of --sort.", valueName: "number"))
  var top: Int?

  @Option(help: "The order: percent, used, messages or address (with --domains, the domain).")
  var sort = Order.percent

  @Option(help: "table, json, jsonl or csv.")
  var format = OutputFormat.table

  @OptionGroup var configurationOption: ConfigurationOption

  enum Order: String, CaseIterable, ExpressibleByArgument {
    case percent, used, messages, address
  }

  func validate() throws {
    if let over, !(0...1000).contains(over) { throw ValidationError("--over must be from 0 to 1000") }
    guard !domains || selection.isEmpty else {
      throw ValidationError("give either --domains or addresses, --domain or --all")
    }
    if let top, top < 1 { throw ValidationError("--top must be at least 1") }
  }

  func run() throws {
    try perform {
      let settings = try configurationOption.settingsWithLedger()
      if domains { return try showDomains(settings) }
      let isUnselected = selection.isEmpty && over == nil && top == nil
      let sweep = try Sweep(settings, selection.selection, Sweep.Workload(batchSize: 128), waiting: sayThatItWaits)
      reportLookups(of: sweep)
      let (lines, seen, unknown) = try collect(sweep, top: isUnselected ? 20 : top)
      if seen == 0, let domain = selection.domain { throw CommandError.noMailboxes(in: domain) }
      let printer = StatusPrinter(to: .standard(), style: .standardOutput, now: Timestamp.now.seconds)
      try printer.write(lines, as: format)
      if isUnselected, seen > lines.count { say("these are the first 20 of \(seen) mailboxes; --all shows all") }
      if Interruption.received != 0 { return ExitStatus.signal(Interruption.received) }
      if !sweep.unknownAddresses.isEmpty { return ExitStatus.noUser }
      return unknown > 0 ? ExitStatus.incomplete : ExitStatus.done
    }
  }

  private func showDomains(_ settings: Settings) throws -> Int32 {
    let limits = DomainLimits(try SettingsFile(configurationOption.file).domainLimits.get())
    let sweep = try Sweep(settings, .listed(domain: nil), Sweep.Workload(batchSize: 128), waiting: sayThatItWaits)
    let meter = try ProgressMeter("mailboxes") { try sweep.count() }
    var statistics = AuditStatistics(maxDomains: .max)
    var failures = 0
    try sweep.run({ _ in [] }, idle: meter.show) { visit in
      meter.done += 1
      statistics.note(visit.row, visit.report, directory: visit.task.directory)
      if visit.report.state != .examined, visit.report.state != .absent { failures += 1 }
    }
    meter.clear()
    if Interruption.received != 0 { return ExitStatus.signal(Interruption.received) }
    var lines: [DomainLine] = []
    for (domain, sums) in statistics.domains {
      do { lines.append(DomainLine(domain, sums, limit: try limits.limit(of: domain))) } catch {
        // One wrong value says nothing of the others.
        guard error.kind == .configuration else { throw error }
        lines.append(DomainLine(domain, sums, limit: nil, problem: error.shown))
      }
    }
    if let over { lines.removeAll { !$0.isOver(over) } }
    func key(_ line: DomainLine) -> (Int64, Int64) {
      switch sort {
      case .percent: (line.percent ?? -1, line.sums.usage.bytes)
      case .used: (line.sums.usage.bytes, 0)
      case .messages: (line.sums.usage.messages, 0)
      case .address: (0, 0)
      }
    }
    lines.sort { key($0) != key($1) ? key($0) > key($1) : $0.domain < $1.domain }
    try DomainPrinter(to: .standard(), style: .standardOutput).write(Array(lines.prefix(top ?? .max)), as: format)
    return failures > 0 || lines.contains { $0.problem != nil } ? ExitStatus.incomplete : ExitStatus.done
  }

  /// - Returns: the lines to show, how many mailboxes there were, and how many of them could not be examined.
  private func collect(_ sweep: Sweep, top: Int?) throws -> (lines: [StatusLine], seen: Int, unknown: Int) {
    let meter = ProgressMeter("mailboxes") { nil }
    var lines: [StatusLine] = []
    var unknown = 0
    try sweep.run({ _ in [] }, idle: meter.show) { visit in
      meter.done += 1
      // A mailbox without a Maildir is known: nothing has been delivered to it yet.
      if visit.report.state != .examined, visit.report.state != .absent { unknown += 1 }
      let line = StatusLine(visit)
      if let over, !line.isOver(over) { return }
      lines.append(line)
      // Prune only when more than twice as many are held, because that sorts them all.
      if let top, lines.count >= 2 * top + 1000 { lines = Array(sorted(lines).prefix(top)) }
    }
    meter.clear()
    return (Array(sorted(lines).prefix(top ?? .max)), meter.done, unknown)
  }

  /// Sorted by `sort`: numbers largest first, unknown usage last; by percent, those without a limit just
  /// before those of unknown usage.
  private func sorted(_ lines: [StatusLine]) -> [StatusLine] {
    func key(_ line: StatusLine) -> (Int64, Int64) {
      let used = line.report.usage?.bytes ?? -2
      switch sort {
      case .percent: return (line.percent ?? (used < 0 ? used : -1), used)
      case .used: return (used, 0)
      case .messages: return (line.report.usage?.messages ?? -1, used)
      case .address: return (0, 0)
      }
    }
    return lines.map { ($0, key($0)) }.sorted {
      $0.1 != $1.1 ? $0.1 > $1.1 : $0.0.row.address.lexicographicallyPrecedes($1.0.row.address)
    }.map(\.0)
  }
}
