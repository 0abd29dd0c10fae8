// SPDX-License-Identifier: Apache-2.0
import Posix
import Quota

/// A worker process, as the tool sees it.
final class WorkerProcess {
  let owner: Credentials?
  let process: PipedProcess
  /// How many reports it owes.
  private var owed = 0

  var isBusy: Bool { owed > 0 }

  /// - Parameter owner: the user and group that it switches to; nil to keep ours.
  init(_ owner: Credentials?, _ rule: CountingRule) throws(SystemError) {
    self.owner = owner
    process = try PipedProcess([Worker.argument])
    var wire = WireWriter()
    wire.write(WorkerSetup(owner: owner, rule: rule))
    try send(wire)
  }

  func send(_ tasks: [MailboxTask]) throws(SystemError) {
    var wire = WireWriter()
    wire.write(tasks)
    try send(wire)
    owed = tasks.count
  }

  private func send(_ wire: WireWriter) throws(SystemError) {
    do { try WireFrame.send(wire.bytes, to: process.input) } catch {
      // That it has ended is noticed when its answer is read.
      guard error.number == Errno.EPIPE else { throw error }
    }
  }

  /// The answer to what was sent, nil if the worker has ended.
  func receive() -> [MailboxReport]? {
    let count = owed
    // In any case, there is no second answer to read.
    owed = 0
    let frame: [UInt8]?
    do { frame = try WireFrame.receive(from: process.output) } catch { return nil }
    guard let frame else { return nil }
    var reader = WireReader(frame)
    return (0..<count).map { _ in reader.value(MailboxReport.self) }
  }

  /// Ends the worker and says how it ended.
  func end() -> String {
    // Read its answer now: in a full pipe, it would keep the worker from ending.
    if isBusy { _ = receive() }
    do { try send([]) } catch { process.kill() }
    let status: Int32?
    do { status = try process.wait() } catch { status = nil }
    return status.map { "with exit status \($0)" } ?? "by a signal"
  }
}
