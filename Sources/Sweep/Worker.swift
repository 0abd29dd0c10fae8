// SPDX-License-Identifier: Apache-2.0
import Maildir
package import Posix
import Quota
import Text

/// The worker process: reads tasks from standard input and answers on standard output until the input ends.
///
/// A separate process, because it becomes the owner of the Maildirs, and because a mailbox that kills it (a
/// failing disk, a bug) must not end the audit of all others.
package enum Worker {
  /// The tool starts itself with this argument.
  package static let argument: Path = "worker"

  package static func run() -> Never {
    ProcessStart.openStandardStreams()
    ProcessStart.ignoreWriteSignals()
    ProcessStart.interruptWaitsEverySecond()
    Interruption.ignore()
    do { try serve() } catch {
      StandardStream.writeError("ullage: worker: \(error.shown)\n")
      CurrentProcess.exit(71)  // EX_OSERR
    }
    CurrentProcess.exit(0)
  }

  private static func serve() throws(SystemError) {
    let input = File(owning: 0)
    let output = File(owning: 1)
    guard let first = try WireFrame.receive(from: input) else { return }
    var reader = WireReader(first)
    let setup = reader.value(WorkerSetup.self)
    if let owner = setup.owner { try owner.become() }
    var examiner = MailboxExaminer(rule: setup.rule, names: UniqueName(host: CurrentProcess.hostName))
    while let frame = try WireFrame.receive(from: input) {
      var reader = WireReader(frame)
      let tasks = reader.values(MailboxTask.self)
      // An empty list of tasks tells the worker to end.
      guard !tasks.isEmpty else { return }
      var wire = WireWriter()
      for task in tasks { wire.write(examiner.report(on: task)) }
      do { try WireFrame.send(wire.bytes, to: output) } catch {
        // The tool has ended, and the work is done.
        guard error.number == Errno.EPIPE else { throw error }
        return
      }
    }
  }
}
