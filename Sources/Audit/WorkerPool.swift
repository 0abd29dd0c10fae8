// SPDX-License-Identifier: Apache-2.0
package import Posix
package import Quota

/// A mailbox on its way through the workers.
package struct MailboxJob: Sendable {
  package let row: MailboxRow
  package var task: MailboxTask
  /// The user and group to work as; nil for our own.
  package let owner: Credentials?
  /// The result, if it is known without a worker.
  package let known: MailboxReport?

  package init(_ row: MailboxRow, _ task: MailboxTask, owner: Credentials?, known: MailboxReport? = nil) {
    self.row = row
    self.task = task
    self.owner = owner
    self.known = known
  }
}

/// Hands jobs to worker processes, and returns the reports in the order of the jobs.
package final class WorkerPool {
  /// Jobs in one message to a worker.
  private let batchSize: Int
  private let workerCount: Int
  private let rule: CountingRule
  /// Mailboxes per second, nil for no limit.
  private let rate: Double?
  private var workers: [WorkerProcess] = []
  /// In the order in which their reports are returned.
  private var batches: [Batch] = []
  private var waiting: [Unit] = []
  private var handedOut = 0
  private let start = ContinuousClock.now

  package init(workers: Int, batchSize: Int, rule: CountingRule, rate: Int? = nil) {
    workerCount = workers
    self.rule = rule
    self.rate = rate.map(Double.init)
    self.batchSize = rate.map { max(1, min(batchSize, $0 / 20)) } ?? batchSize
  }

  /// Jobs whose reports are returned together.
  private final class Batch {
    let jobs: [MailboxJob]
    var reports: [MailboxReport?]

    init(_ jobs: [MailboxJob]) {
      self.jobs = jobs
      reports = jobs.map(\.known)
    }

    var isDone: Bool { reports.allSatisfy { $0 != nil } }
  }

  /// Jobs of one batch that go to a worker together.
  private struct Unit {
    let batch: Batch
    let indices: [Int]

    var owner: Credentials? { batch.jobs[indices[0]].owner }
    var tasks: [MailboxTask] { indices.map { batch.jobs[$0].task } }
  }

  /// Hands out the jobs that `next` returns until it returns nil or a signal arrives, and calls `take` with
  /// each report, in the order of the jobs.
  ///
  /// - Parameter idle: called at least once a second.
  package func run(
    next: () throws -> MailboxJob?, take: (MailboxJob, MailboxReport) throws -> Void, idle: () throws -> Void = {}
  ) throws {
    defer { workers.forEach { _ = $0.end() } }
    var isExhausted = false
    while true {
      while let batch = batches.first, batch.isDone {
        batches.removeFirst()
        for (job, report) in zip(batch.jobs, batch.reports) { if let report { try take(job, report) } }
      }
      while !isExhausted, Interruption.received == 0, batches.count < workerCount * 2, !isAheadOfRate {
        guard let batch = try nextBatch(next) else {
          isExhausted = true
          break
        }
        batches.append(batch)
      }
      if Interruption.received != 0 { dropWhatHasNotBegun() }
      while let unit = waiting.first, let worker = try worker(for: unit.owner) {
        waiting.removeFirst()
        try worker.send(unit)
      }
      if batches.isEmpty, isExhausted || Interruption.received != 0 { return }
      try idle()
      try collect()
    }
  }

  /// Leaves the batches after the last one that is handed out completely for another run.
  private func dropWhatHasNotBegun() {
    guard let first = waiting.first, let index = batches.firstIndex(where: { $0 === first.batch }) else { return }
    batches.removeSubrange(index...)
    waiting = []
  }

  private func nextBatch(_ next: () throws -> MailboxJob?) throws -> Batch? {
    var jobs: [MailboxJob] = []
    while jobs.count < batchSize, let job = try next() { jobs.append(job) }
    guard !jobs.isEmpty else { return nil }
    handedOut += jobs.count
    let batch = Batch(jobs)
    let open = jobs.indices.filter { jobs[$0].known == nil }
    for (_, indices) in Dictionary(grouping: open, by: { jobs[$0].owner }) {
      waiting.append(Unit(batch: batch, indices: indices))
    }
    return batch
  }

  /// More has been handed out than `rate` allows for the time since the start.
  private var isAheadOfRate: Bool {
    guard let rate else { return false }
    return Double(handedOut) > rate * ((ContinuousClock.now - start) / .seconds(1))
  }

  /// An idle worker for this owner: an existing one or a new one, which replaces another owner's if there may
  /// be no more. Nil if all are busy.
  private func worker(for owner: Credentials?) throws(SystemError) -> WorkerProcess? {
    if let worker = workers.first(where: { $0.unit == nil && $0.owner == owner }) { return worker }
    if workers.count >= workerCount {
      guard let index = workers.firstIndex(where: { $0.unit == nil }) else { return nil }
      _ = workers.remove(at: index).end()
    }
    let worker = try WorkerProcess(owner, rule)
    workers.append(worker)
    return worker
  }

  /// Waits for answers and takes them.
  private func collect() throws(SystemError) {
    let busy = workers.filter { $0.unit != nil }
    // Jobs whose reports are known need no worker.
    guard !busy.isEmpty || isAheadOfRate else { return }
    let readable = try PipedProcess.waitForOutput(
      of: busy.map(\.process), milliseconds: isAheadOfRate ? 20 : 1000)
    for worker in readable.map({ busy[$0] }) {
      guard let unit = worker.unit else { continue }
      if let reports = worker.receive() {
        for (index, report) in zip(unit.indices, reports) { unit.batch.reports[index] = report }
      } else {
        workers.removeAll { $0 === worker }
        isolate(unit, worker.end())
      }
    }
  }

  /// One of these mailboxes killed a worker: tries each alone, and reports one that kills a worker again.
  private func isolate(_ unit: Unit, _ ending: String) {
    if unit.indices.count == 1 {
      unit.batch.reports[unit.indices[0]] = MailboxReport(.failed("its worker process ended \(ending)"))
    } else {
      waiting = unit.indices.map { Unit(batch: unit.batch, indices: [$0]) } + waiting
    }
  }

  private final class WorkerProcess {
    let owner: Credentials?
    let process: PipedProcess
    /// What it works on, nil while it is idle.
    private(set) var unit: Unit?

    init(_ owner: Credentials?, _ rule: CountingRule) throws(SystemError) {
      self.owner = owner
      process = try PipedProcess([Worker.argument])
      var wire = WireWriter()
      wire.write(WorkerSetup(owner: owner, rule: rule))
      try send(wire)
    }

    func send(_ unit: Unit) throws(SystemError) {
      var wire = WireWriter()
      wire.write(unit.tasks)
      try send(wire)
      self.unit = unit
    }

    private func send(_ wire: WireWriter) throws(SystemError) {
      do { try WireFrame.send(wire.bytes, to: process.input) } catch {
        // That it has ended is noticed when its answer is read.
        guard error.number == Errno.EPIPE else { throw error }
      }
    }

    /// The answer to what was sent, nil if the worker has ended.
    func receive() -> [MailboxReport]? {
      guard let unit else { return nil }
      // In any case, there is no second answer to read.
      self.unit = nil
      guard let frame = try? WireFrame.receive(from: process.output) else { return nil }
      var reader = WireReader(frame)
      return unit.indices.map { _ in reader.value(MailboxReport.self) }
    }

    /// Ends the worker and says how it ended.
    func end() -> String {
      // Read its answer now: in a full pipe, it would keep the worker from ending.
      if unit != nil { _ = receive() }
      var wire = WireWriter()
      wire.write([MailboxTask]())
      do { try send(wire) } catch { process.kill() }
      let status: Int32? = (try? process.wait()) ?? nil
      return status.map { "with exit status \($0)" } ?? "by a signal"
    }
  }
}
