// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Findings
import Mailboxes
import Maildir
import Posix
import Quota
package import Sweep
package import Tables
import Text

/// Examines all mailboxes of the list, and the directories beside them.
package final class AuditRun {
  private let options: AuditOptions
  private let rules: AuditRules
  private let sweep: Sweep
  private var walk: TreeWalk?
  /// The mailbox of the last Maildir visited.
  private var lastName = "another mailbox"
  private let base: Path?
  /// The list has paths that begin with the base: the Maildirs that they mean seem to have no mailbox.
  private var repeatsBase = false
  package private(set) var state: AuditState
  /// Nil if nobody asks for them, or if this run continues another and sees only a part of the mailboxes.
  package private(set) var statistics: AuditStatistics?

  /// - Parameter state: a new one, or that of an interrupted run.
  package init(
    _ settings: Settings, _ options: AuditOptions, _ state: AuditState, waiting: @escaping (TableError) -> Void
  ) throws {
    self.options = options
    self.state = state
    if options.keepsStatistics || !options.domainLimits.isEmpty, state.mailboxes == 0 {
      statistics = AuditStatistics(top: options.top)
    }
    rules = AuditRules(repairs: options.repairs)
    let position = state.address.map { MailboxList.Position(path: state.path, address: $0) }
    // Counting takes time, and smaller batches report progress sooner.
    let force = Sweep.Workload(
      workers: options.workers, batchSize: options.level == .ledgers ? 256 : 32, rate: options.rate)
    sweep = try Sweep(settings, .listedAfter(position, domain: options.domain), force, waiting: waiting)
    base = Path(settings.mailboxBase)
    if options.domain == nil, let base { walk = try TreeWalk(base: base) }
  }

  /// Whether the Maildirs are on another machine, as far as can be seen.
  package static func isRemote(_ settings: Settings) -> Bool {
    // A base that cannot be opened stops the run itself.
    guard let base = Path(settings.mailboxBase) else { return false }
    do { return try File(open: base, .directory).isOnNetworkFileSystem() } catch { return false }
  }

  /// How many mailboxes the list has.
  package func count() throws -> Int { try sweep.count() }

  /// The callbacks of a run.
  package struct Listener {
    let finding: (Finding) throws -> Void
    /// A mailbox that could not be audited, and why.
    let problem: (String) throws -> Void
    /// Called with the addresses that are listed several times, before all visits; nil if they do not matter.
    let repeated: (([(address: [UInt8], count: Int64)]) -> Void)?
    let visit: (Visit) throws -> Void
    /// Called at least once a second, with a state from which a run can continue.
    let idle: (AuditState) throws -> Void

    package init(
      finding: @escaping (Finding) throws -> Void, problem: @escaping (String) throws -> Void,
      repeated: (([(address: [UInt8], count: Int64)]) -> Void)? = nil,
      visit: @escaping (Visit) throws -> Void = { _ in },
      idle: @escaping (AuditState) throws -> Void
    ) {
      self.finding = finding
      self.problem = problem
      self.repeated = repeated
      self.visit = visit
      self.idle = idle
    }
  }

  package func run(_ listener: Listener) throws {
    if !state.directory.isEmpty { walk?.advance(to: state.directory, searches: false) { _ in } }
    if !state.hasAskedForRepeated || listener.repeated != nil {
      let repeated = try sweep.repeatedAddresses()
      listener.repeated?(repeated)
      if !state.hasAskedForRepeated {
        for (address, count) in repeated { try note(.repeated(address, count), listener) }
      }
      state.hasAskedForRepeated = true
    }
    if walk != nil {
      repeatsBase = try sweep.repeatsBase()
      if sweep.inactive.contains(path: []) == nil, let failure = sweep.inactive.failure {
        try note(notAudited: "which mailboxes are switched off: \(failure)", listener)
      }
    }
    let (options, night) = (options, state.night)
    try sweep.run(
      { options.work(for: $0, night: night) }, suspectTime: state.suspectTime, idle: { try listener.idle(self.state) }
    ) { visit in
      try self.examine(visit, listener)
      self.statistics?.note(visit.row, visit.report, directory: visit.task.directory)
      try listener.visit(visit)
      self.state.path = visit.position?.path
      self.state.address = visit.position?.address
    }
    guard Interruption.received == 0 else { return }
    try walk?.advance(to: nil) { try self.note(orphan: $0, listener) }
    for problem in walk?.problems ?? [] { try note(notAudited: problem, listener) }
    try compareDomains(listener)
  }

  private func compareDomains(_ listener: Listener) throws {
    if let problem = options.domainLimitsProblem { try note(notAudited: "the limits of domains: \(problem)", listener) }
    guard !options.domainLimits.isEmpty else { return }
    guard let statistics else {
      return try note(notAudited: "the limits of domains: this run has seen only a part of the list", listener)
    }
    let limits = DomainLimits(options.domainLimits)
    for (domain, sums) in statistics.domains.sorted(by: { $0.key < $1.key }) where Interruption.received == 0 {
      guard domain != AuditStatistics.otherDomains else {
        try note(notAudited: "the limits of the domains beyond \(grouped(AuditStatistics.maxDomains))", listener)
        continue
      }
      let limit: Int64?
      do { limit = try limits.limit(of: domain) } catch {
        try note(notAudited: "the limit of \(domain): \(error.shown)", listener)
        // Whatever keeps a table from answering would do so for each domain.
        if error.kind == .temporary { return }
        continue
      }
      if let limit, sums.usage.bytes > limit { try note(.domainOverLimit(domain, sums, limit), listener) }
    }
  }

  private func examine(_ visit: Visit, _ listener: Listener) throws {
    let path = visit.task.directory
    if !path.isEmpty {
      // The list is sorted, except for a path that leads to the same directory in an unusual way.
      if path == state.directory {
        try note(.sharedPath(visit.row, with: lastName), listener)
      } else if state.directory.lexicographicallyPrecedes(path) {
        try walk?.advance(to: path) { try self.note(orphan: $0, listener) }
        state.directory = path
        lastName = visit.row.name
      }
    }
    state.note(audited: visit.report)
    if state.suspectTime != nil, mayStayTooLow(visit.report) { state.noteUnmended() }
    for finding in rules.findings(visit.row, visit.report) { try note(finding, listener) }
    if case .failed(let text) = visit.report.state { try note(notAudited: "\(visit.row.name): \(text)", listener) }
  }

  /// After a power cut: it could not be counted, or was found too low and not mended.
  private func mayStayTooLow(_ report: MailboxReport) -> Bool {
    if case .failed = report.state { return true }
    guard report.isSuspect, !options.repairs, let drift = report.repair?.drift else { return false }
    return drift.bytes < 0 || drift.messages < 0
  }

  /// The Maildir of a mailbox that is switched off, of someone on leave for instance, is no orphan.
  private func note(orphan path: [UInt8], _ listener: Listener) throws {
    let isInactive = sweep.inactive.contains(path: path)
    guard isInactive != true else { return }
    try note(orphan(path, mayBeInactive: isInactive == nil), listener)
  }

  /// A Maildir to which no row of the list leads. Its removal is advised only if nothing shows that it is used.
  private func orphan(_ path: [UInt8], mayBeInactive: Bool) -> Finding {
    let name = displayText(path)
    var (reason, advice) = ("its mailbox was removed from the list", "remove it if it is no longer needed")
    if repeatsBase {
      reason = "paths in the list begin with virtual_mailbox_base, so this may be where a listed mailbox should be"
      advice = "keep it, and correct those paths"
    } else if mayBeInactive {
      reason = "which mailboxes are switched off is unknown"
      advice = "keep it, and correct mailbox_inactive_query"
    } else if isInUse(path) {
      reason = "it was used in the last \(Self.recentDays) days"
      advice = "keep it, and find out which address leads there (ullage map ADDRESS virtual_mailbox_maps)"
    }
    return Finding(
      .warning, .orphan, in: .mailboxes, .init(name, path: name), "no mailbox uses this Maildir", reason: reason,
      remedy: .advice(advice))
  }

  private static let recentDays: Int64 = 7

  /// By the last changes of its inbox and its ledger. What cannot be looked at may be in use.
  private func isInUse(_ path: [UInt8]) -> Bool {
    guard let base, let directory = Path(path) else { return true }
    for name: Path in ["new", "cur", "maildirsize"] {
      do throws(SystemError) {
        let changed = try stat(base.appending(directory).appending(name)).changed
        if Timestamp.now < changed.adding(seconds: Self.recentDays * 86400) { return true }
      } catch {
        guard error.number == Errno.ENOENT else { return true }
      }
    }
    return false
  }

  private func note(_ finding: Finding, _ listener: Listener) throws {
    guard let kind = finding.kind, !options.ignored.contains(kind) else { return }
    state.note(finding, of: kind)
    try listener.finding(finding)
  }

  private func note(notAudited text: String, _ listener: Listener) throws {
    state.note(notAudited: text)
    try listener.problem(text)
  }
}

/// What the list and the directories show beside single mailboxes.
extension Finding {
  fileprivate static func sharedPath(_ row: MailboxRow, with other: String) -> Finding {
    Finding(
      .warning, .duplicatePath, in: .mailboxes, .init(row.name, path: row.pathText), "\(other) has the same Maildir",
      reason: "both limits are compared with the same total",
      remedy: .advice("correct one of the rows, unless this is intended"))
  }

  fileprivate static func domainOverLimit(
    _ domain: String, _ sums: AuditStatistics.Sums, _ limit: Int64
  ) -> Finding {
    let excess = sums.usage.bytes - limit
    return Finding(
      .warning, .domainOverLimit, in: .mailboxes, .init(domain),
      "\(quantity(sums.mailboxes, "mailbox", plural: "mailboxes")) hold \(ByteSize.text(sums.usage.bytes)) of"
        + " \(ByteSize.text(limit)) together",
      reason: "virtual_domain_limit_maps gives less than they hold",
      remedy: .advice("ask the domain's owner to make room, or raise its limit"), bytes: excess)
  }

  fileprivate static func repeated(_ address: [UInt8], _ count: Int64) -> Finding {
    Finding(
      .error, .duplicateAddress, in: .mailboxes, .init(displayText(address)), "listed \(count) times",
      reason: "mailbox_list_query joins a table that has several rows for it",
      remedy: .advice("correct the query or the rows"))
  }
}
