// SPDX-License-Identifier: Apache-2.0
package import Configuration
import Mailboxes
import Maildir
import Posix
import Quota
package import Tables
import Text

/// What an audit does.
package struct AuditOptions: Sendable {
  package enum Level: Int, Sendable, CaseIterable {
    /// Compares every ledger with the list.
    case ledgers = 0
    /// Also counts a share of the mailboxes, and every one whose ledger looks suspicious.
    case counts = 1
    /// Also compares the size of every file in the counted mailboxes with its name.
    case files = 2
  }

  package let level: Level
  /// One in this many mailboxes is counted each night.
  package let share: Int
  package let repairs: Bool
  package let cleansTmp: Bool
  package let domain: [UInt8]?
  /// Mailboxes per second, nil for no limit.
  package let rate: Int?
  package let workers: Int
  package let ignored: Set<Finding.Kind>

  package init(
    level: Level, share: Int, repairs: Bool, cleansTmp: Bool, domain: [UInt8]?, rate: Int?, workers: Int,
    ignored: Set<Finding.Kind>
  ) {
    self.level = level
    self.share = share
    self.repairs = repairs
    self.cleansTmp = cleansTmp
    self.domain = domain
    self.rate = rate
    self.workers = workers
    self.ignored = ignored
  }

  /// What must be equal for a run to continue where another one stopped.
  package var fingerprint: String {
    let domain = domain.map { String(decoding: $0, as: UTF8.self) } ?? "all"
    let ignored = ignored.map(\.rawValue).sorted().joined(separator: ",")
    return
      "level=\(level.rawValue) share=\(share) repair=\(repairs) clean-tmp=\(cleansTmp) domain=\(domain) ignore=\(ignored)"
  }
}

/// Audits all mailboxes of the list, and looks for Maildirs that are not in it.
package final class AuditRun {
  private let options: AuditOptions
  private let maker: JobMaker
  private let rules: AuditRules
  private let list: MailboxList
  private let pool: WorkerPool
  private var walk: TreeWalk?
  /// The mailbox of the last Maildir visited.
  private var lastName = "another mailbox"
  package private(set) var state: AuditState

  /// - Parameter state: a new one, or that of an interrupted run.
  package init(
    _ settings: Settings, _ options: AuditOptions, _ state: AuditState, waiting: @escaping (TableError) -> Void
  ) throws {
    self.options = options
    self.state = state
    maker = try JobMaker(settings, work: [])
    rules = AuditRules(repairs: options.repairs)
    let position = state.address.map { MailboxList.Position(path: state.path, address: $0) }
    list = try MailboxList(settings, domain: options.domain, after: position, waiting: waiting)
    // Counting takes time, and smaller batches report progress sooner.
    pool = WorkerPool(
      workers: options.workers, batchSize: options.level == .ledgers ? 256 : 32, rule: settings.countingRule,
      rate: options.rate)
    if options.domain == nil, let base = Path(settings.mailboxBase) { walk = try TreeWalk(base: base) }
  }

  /// How many mailboxes the list has.
  package func count() throws -> Int { try list.count() }

  /// The callbacks of a run.
  package struct Listener {
    let finding: (Finding) throws -> Void
    /// A mailbox that could not be audited, and why.
    let problem: (String) throws -> Void
    /// Called at least once a second, with a state from which a run can continue.
    let idle: (AuditState) throws -> Void

    package init(
      finding: @escaping (Finding) throws -> Void, problem: @escaping (String) throws -> Void,
      idle: @escaping (AuditState) throws -> Void
    ) {
      self.finding = finding
      self.problem = problem
      self.idle = idle
    }
  }

  package func run(_ listener: Listener) throws {
    if !state.directory.isEmpty { walk?.advance(to: state.directory, searches: false) { _ in } }
    if !state.hasAskedForRepeated {
      for (address, count) in try list.repeatedAddresses() { try note(Self.repeated(address, count), listener) }
      state.hasAskedForRepeated = true
    }
    var positions: [MailboxList.Position] = []
    var given = 0
    let (list, maker, options, night) = (list, maker, options, state.night)
    let pool = pool
    try pool.run(
      next: {
        guard let row = try list.next() else { return nil }
        if let position = list.position { positions.append(position) }
        var job = maker.job(row)
        job.task.work = options.work(for: row, night: night)
        return job
      },
      take: { job, report in
        try self.examine(job, report, listener)
        self.state.path = positions[given].path
        self.state.address = positions[given].address
        given += 1
        if given >= 4096 {
          positions.removeFirst(given)
          given = 0
        }
      }, idle: { try listener.idle(self.state) })
    guard Interruption.received == 0 else { return }
    try walk?.advance(to: nil) { try self.note(Self.orphan($0), listener) }
    for problem in walk?.problems ?? [] { try note(notAudited: problem, listener) }
  }

  private func examine(_ job: MailboxJob, _ report: MailboxReport, _ listener: Listener) throws {
    let path = job.task.components.flatMap { $0.bytes + [UInt8(ascii: "/")] }
    if !path.isEmpty {
      // The list is sorted, except for a path that leads to the same directory in an unusual way.
      if path == state.directory {
        try note(Self.sharedPath(job.row, with: lastName), listener)
      } else if state.directory.lexicographicallyPrecedes(path) {
        try walk?.advance(to: path) { try self.note(Self.orphan($0), listener) }
        state.directory = path
        lastName = job.row.name
      }
    }
    state.note(audited: report)
    for finding in rules.findings(job.row, report) { try note(finding, listener) }
    if case .failed(let text) = report.state { try note(notAudited: "\(job.row.name): \(text)", listener) }
  }

  private func note(_ finding: Finding, _ listener: Listener) throws {
    guard !options.ignored.contains(finding.kind) else { return }
    state.note(finding)
    try listener.finding(finding)
  }

  private func note(notAudited text: String, _ listener: Listener) throws {
    state.note(notAudited: text)
    try listener.problem(text)
  }

  private static func orphan(_ path: [UInt8]) -> Finding {
    let name = displayText(path)
    return Finding(
      kind: .orphan, severity: .warning, mailbox: name, path: name, evidence: "no mailbox uses this Maildir",
      cause: "its mailbox was removed, or is not active", remedy: "remove it if it is no longer needed")
  }

  private static func sharedPath(_ row: MailboxRow, with other: String) -> Finding {
    Finding(
      kind: .duplicatePath, severity: .warning, mailbox: row.name, path: row.pathText,
      evidence: "\(other) has the same Maildir", cause: "both limits are compared with the same total",
      remedy: "correct one of the rows, unless this is intended")
  }

  private static func repeated(_ address: [UInt8], _ count: Int64) -> Finding {
    let name = displayText(address)
    return Finding(
      kind: .duplicateAddress, severity: .error, mailbox: name, path: "", evidence: "listed \(count) times",
      cause: "mailbox_list_query joins a table that has several rows for it", remedy: "correct the query or the rows")
  }
}

extension AuditOptions {
  /// The work on a mailbox on this night.
  fileprivate func work(for row: MailboxRow, night: Int) -> MailboxTask.Work {
    var work: MailboxTask.Work = []
    if level != .ledgers || repairs { work.insert(.countIfOdd) }
    if level != .ledgers, isDue(row, night: night) { work.insert(.count) }
    if level == .files { work.insert(.checkSizes) }
    if repairs { work.insert(.repair) }
    if cleansTmp { work.insert(.cleanTmp) }
    return work
  }

  /// Every mailbox is due once in `share` nights, whatever is added to the list or removed from it.
  func isDue(_ row: MailboxRow, night: Int) -> Bool {
    // FNV-1a, 64 bits.
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in row.address { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    return Int(hash % UInt64(share)) == night % share
  }
}
