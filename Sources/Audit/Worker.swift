// SPDX-License-Identifier: Apache-2.0
import Maildir
package import Posix
import Quota
import Text

/// The first message to a worker process.
struct WorkerSetup: WireValue {
  /// The user and group to become; nil to keep the current ones.
  let owner: Credentials?
  let rule: CountingRule

  init(owner: Credentials?, rule: CountingRule) {
    self.owner = owner
    self.rule = rule
  }

  func write(to wire: inout WireWriter) {
    wire.write(owner)
    wire.write(rule.profile.rawValue)
    wire.write(rule.uncountedFolders.map { WireText(bytes: $0) })
    wire.write(rule.leavesOutSubfolders)
    wire.write(rule.inboxOnly)
  }

  init(from wire: inout WireReader) {
    owner = wire.optional()
    let profile = CountingProfile(rawValue: wire.string()) ?? .common
    let folders = wire.values(WireText.self).map(\.bytes)
    let leavesOutSubfolders = wire.flag()
    rule = CountingRule(
      profile: profile, uncountedFolders: folders, leavesOutSubfolders: leavesOutSubfolders, inboxOnly: wire.flag())
  }
}

extension Credentials: WireValue {
  func write(to wire: inout WireWriter) {
    wire.write(Int64(user))
    wire.write(Int64(group))
  }

  init(from wire: inout WireReader) {
    let user = UInt32(wire.number())
    self.init(user: user, group: UInt32(wire.number()))
  }
}

private struct WireText: WireValue {
  let bytes: [UInt8]

  init(bytes: [UInt8]) {
    self.bytes = bytes
  }

  func write(to wire: inout WireWriter) { wire.write(bytes) }
  init(from wire: inout WireReader) { bytes = wire.text() }
}

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
