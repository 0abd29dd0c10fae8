// SPDX-License-Identifier: Apache-2.0
import Posix
import Quota

/// Hands jobs to worker processes, and returns the reports in the order of the jobs.
final class WorkerPool {
  /// Jobs in one message to a worker.
  private let batchSize: Int
  private let workerCount: Int
  private let rule: CountingRule
  /// Mailboxes per second, nil for no limit.
  private let rate: Double?
  private var workers: [WorkerProcess] = []
  /// In the order in which their reports are returned.
  private var batches: [Batch] = []
  private var waiting: [Assignment] = []
  /// What each busy worker works on.
  private var assignments: [ObjectIdentifier: Assignment] = [:]
  private var handedOut = 0
  private let start = ContinuousClock.now

  init(workers: Int, batchSize: Int, rule: CountingRule, rate: Int? = nil) {
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
      reports = jobs.map(\.settledReport)
    }

    var isDone: Bool { reports.allSatisfy { $0 != nil } }
  }

  /// Jobs of one batch that go to a worker together.
  private struct Assignment {
    let batch: Batch
    let indices: [Int]

    var owner: Credentials? { batch.jobs[indices[0]].owner }
    var tasks: [MailboxTask] { indices.map { batch.jobs[$0].task } }
  }

  /// Hands out the jobs that `next` returns until it returns nil or a signal arrives, and calls `take` with
  /// each report, in the order of the jobs.
  ///
  /// - Parameter idle: called at least once a second.
  func run(
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
      while let assignment = waiting.first, let worker = try worker(for: assignment.owner) {
        waiting.removeFirst()
        try worker.send(assignment.tasks)
        assignments[ObjectIdentifier(worker)] = assignment
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
    let open = jobs.indices.filter { jobs[$0].settledReport == nil }
    for (_, indices) in Dictionary(grouping: open, by: { jobs[$0].owner }) {
      waiting.append(Assignment(batch: batch, indices: indices))
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
    if let worker = workers.first(where: { !$0.isBusy && $0.owner == owner }) { return worker }
    if workers.count >= workerCount {
      guard let index = workers.firstIndex(where: { !$0.isBusy }) else { return nil }
      _ = workers.remove(at: index).end()
    }
    let worker = try WorkerProcess(owner, rule)
    workers.append(worker)
    return worker
  }

  /// Waits for answers and takes them.
  private func collect() throws(SystemError) {
    let busy = workers.filter { $0.isBusy }
    // Jobs whose reports are known need no worker.
    guard !busy.isEmpty || isAheadOfRate else { return }
    let readable = try PipedProcess.waitForOutput(
      of: busy.map(\.process), milliseconds: isAheadOfRate ? 20 : 1000)
    for worker in readable.map({ busy[$0] }) {
      guard let assignment = assignments.removeValue(forKey: ObjectIdentifier(worker)) else { continue }
      if let reports = worker.receive() {
        for (index, report) in zip(assignment.indices, reports) { assignment.batch.reports[index] = report }
      } else {
        workers.removeAll { $0 === worker }
        isolate(assignment, worker.end())
      }
    }
  }

  /// One of these mailboxes killed a worker: tries each alone, and reports one that kills a worker again.
  private func isolate(_ assignment: Assignment, _ ending: String) {
    if assignment.indices.count == 1 {
      assignment.batch.reports[assignment.indices[0]] = MailboxReport(.failed("its worker process ended \(ending)"))
    } else {
      waiting = assignment.indices.map { Assignment(batch: assignment.batch, indices: [$0]) } + waiting
    }
  }
}
