// SPDX-License-Identifier: Apache-2.0
package import Configuration
import Mailboxes
import Maildir
package import Posix
import Quota
package import Tables
import Text

/// A mailbox that was worked on, and what came of it.
package struct Visit: Sendable {
  package let row: MailboxRow
  package let task: MailboxTask
  /// The user and group that the work was done as; nil for our own.
  package let owner: Credentials?
  package let report: MailboxReport
  /// The position of its row in the list, nil without a list.
  package let position: MailboxList.Position?
}

/// One run over many mailboxes: a selection, a workload, and the reports in the order of the selection.
///
/// The work on a Maildir is done by worker processes, which under root become the owner of the Maildirs. SIGINT and
/// SIGTERM end a run in an orderly way: started work is finished (`Interruption`). To divide the selection among hosts,
/// or to take it from a queue, change `next`.
package final class Sweep {
  /// How the work is spread.
  package struct Workload: Sendable {
    /// Mailboxes at a time.
    let workers: Int
    /// Mailboxes in one message to a worker: many where each takes microseconds, few where it may take minutes.
    let batchSize: Int
    /// Mailboxes per second, nil for no limit.
    let rate: Int?

    /// - Parameter workers: nil for the number of processors.
    package init(workers: Int? = nil, batchSize: Int, rate: Int? = nil) {
      self.workers = workers ?? CurrentProcess.processorCount
      self.batchSize = batchSize
      self.rate = rate
    }
  }

  private let rule: CountingRule
  private let workload: Workload
  /// The list, nil where the jobs are known from the start.
  private let list: MailboxList?
  private var maker: JobMaker?
  private var jobs: ArraySlice<MailboxJob> = []

  package let inactive: InactiveMailboxes
  /// Addresses that have no mailbox.
  package private(set) var unknownAddresses: [String] = []
  /// Those among them that belong to a mailbox that is switched off.
  package private(set) var inactiveAddresses: Set<String> = []
  /// Why the lookup service was skipped, nil when it was not.
  package private(set) var serviceFailure: String?

  /// - Parameter waiting: called when the database of the list does not answer, before half a minute of retries; nil
  ///   not to retry.
  /// - Throws: `MaildirError` if the base is missing or empty, `TableError` for the list, `SweepError`.
  package init(
    _ settings: Settings, _ selection: MailboxSelection, _ workload: Workload, waiting: ((TableError) -> Void)? = nil
  ) throws {
    rule = settings.countingRule
    inactive = InactiveMailboxes(settings)
    self.workload = workload
    func makeList(_ domain: String?, after position: MailboxList.Position?) throws -> MailboxList {
      try MailboxList(settings, domain: domain.map { Array($0.utf8) }, after: position, waiting: waiting)
    }
    switch selection {
    case .listed(let domain):
      maker = try JobMaker(settings)
      list = try makeList(domain, after: nil)
    case .listedAfter(let position, let domain):
      maker = try JobMaker(settings)
      list = try makeList(domain, after: position)
    case .rows(let rows):
      list = nil
      var maker = try JobMaker(settings)
      jobs = rows.map { maker.job($0) }[...]
    case .addresses(let addresses):
      list = nil
      try lookUp(addresses, settings)
    case .maildirs(let names, let limit):
      list = nil
      jobs = try names.map { try Self.job(forDirectory: $0, limit, settings) }[...]
    }
  }

  /// The number of mailboxes.
  package func count() throws -> Int { try list?.count() ?? jobs.count }

  /// The addresses that are listed more than once, at most a thousand.
  package func repeatedAddresses() throws -> [(address: [UInt8], count: Int64)] {
    try list?.repeatedAddresses() ?? []
  }

  /// Whether paths in the list begin with the base, to which they should be relative.
  package func repeatsBase() throws -> Bool { try list?.repeatsBase() ?? false }

  /// Runs the work over the selection.
  ///
  /// - Parameters:
  ///   - work: what to do with a mailbox.
  ///   - suspectTime: a mailbox that was changed at this time or later is counted in any case.
  ///   - idle: called at least once a second.
  ///   - take: called with each mailbox, in the order of the selection.
  package func run(
    _ work: (MailboxRow) -> MailboxTask.Work, suspectTime: Int64? = nil, idle: () throws -> Void = {},
    take: (Visit) throws -> Void
  ) throws {
    Interruption.listen()
    var synchronized: Set<UInt64> = []
    let pool = WorkerPool(workers: workload.workers, batchSize: workload.batchSize, rule: rule, rate: workload.rate)
    try pool.run(
      next: {
        guard var job = try next() else { return nil }
        job.task.work = work(job.row)
        job.task.suspectTime = suspectTime
        job.task.synchronized = Array(synchronized)
        return job
      },
      take: { job, report in
        if let device = report.synchronizedDevice { synchronized.insert(device) }
        try take(
          Visit(row: job.row, task: job.task, owner: job.owner, report: report, position: job.position))
      }, idle: idle)
  }

  private func next() throws -> MailboxJob? {
    guard let list else { return jobs.popFirst() }
    guard let row = try list.next(), var job = maker?.job(row) else { return nil }
    job.position = list.position
    return job
  }

  private func lookUp(_ addresses: [String], _ settings: Settings) throws {
    // Bypass the cache of the lookup service: a change made a moment ago must show.
    let lookup = MailboxLookup(settings, prefersTables: true)
    var maker = try JobMaker(settings)
    for address in addresses {
      let bytes = Array(address.utf8)
      do throws(MailboxError) {
        let query = AddressQuery(bytes, until: Deadline(secondsFromNow: 20))
        guard let mailbox = try lookup.mailbox(of: query, for: nil) else {
          if inactive.contains(address: bytes) == true { inactiveAddresses.insert(address) }
          unknownAddresses.append(address)
          continue
        }
        let path = mailbox.components.flatMap { $0.bytes + [UInt8(ascii: "/")] }
        let row = MailboxRow(address: bytes, path: path, quota: mailbox.quota)
        jobs.append(maker.job(row, components: mailbox.components, limit: mailbox.quota.limit))
      } catch {
        // One bad mailbox must not stop the rest.
        guard error.isOfOneMailbox else { throw SweepError.lookup(address: address, error) }
        let row = MailboxRow(address: bytes, path: [], quota: EffectiveLimit(.none, .fallback))
        jobs.append(maker.failed(row, error.shown))
      }
    }
    serviceFailure = lookup.serviceFailure
  }

  private static func job(
    forDirectory name: String, _ limit: QuotaLimit?, _ settings: Settings
  ) throws -> MailboxJob {
    let parts = name.split(separator: "/")
    let above = (name.hasPrefix("/") ? "/" : "./") + parts.dropLast().joined(separator: "/")
    guard let last = parts.last.flatMap({ Path($0.utf8) }), let base = Path(above.utf8) else {
      throw SweepError.badDirectory(name, "that is not a Maildir")
    }
    let row = MailboxRow(address: [], path: Array(name.utf8), quota: EffectiveLimit(limit ?? .none, .given))
    var maker = JobMaker(base: base, settings)
    let (isThere, isFolder): (Bool, Bool)
    do throws(SystemError) {
      isThere = try exists(base)
      let mark = base.appending(last).appending("maildirfolder")
      isFolder = last.bytes.first == UInt8(ascii: ".") ? try exists(mark) : false
    } catch {
      // One bad mailbox must not stop the rest.
      return maker.failed(row, error.shown)
    }
    guard !isFolder else { throw SweepError.badDirectory(name, "that is a folder; give the Maildir above it") }
    guard isThere else { return maker.failed(row, "there is no \(above)") }
    return maker.job(row, components: [last], limit: limit)
  }

  private static func exists(_ path: Path) throws(SystemError) -> Bool {
    do { _ = try stat(path) } catch {
      guard error.number == Errno.ENOENT || error.number == Errno.ENOTDIR else { throw error }
      return false
    }
    return true
  }
}

extension MailboxError {
  /// Other addresses may be fine.
  fileprivate var isOfOneMailbox: Bool {
    switch self {
    case .badPath, .badNumber: true
    case .table, .otherUser: false
    }
  }
}
