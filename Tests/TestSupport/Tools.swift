// SPDX-License-Identifier: Apache-2.0
import Foundation

/// maildrop's `deliverquota`: the Maildir++ protocol as Courier wrote it.
package enum DeliverQuota {
  package static let path = "/usr/sbin/deliverquota.maildrop"
}

/// A server that accepts connections on a loopback port and never sends anything. It ends with the test.
package final class SilentServer {
  package let port: Int
  private let command: Command

  package init() throws {
    port = try freePort()
    let script = """
      import socket, sys
      s = socket.create_server(('127.0.0.1', \(port)), backlog=50); sys.stdin.read()
      """
    command = try Command(["python3", "-c", script], input: .pipe)
    let connect = ["python3", "-c", "import socket; socket.create_connection(('127.0.0.1', \(port)))"]
    _ = try waitUntil("the silent server") { try Command.run(connect).status == 0 ? () : nil }
  }

  deinit { _ = command.wait() }
}

/// A small file system in a file, unmounted with the test. Needs root.
package final class LoopDisk {
  package let path: String
  private let sandbox: Sandbox

  /// - Parameter mkfs: the command that makes the file system, without the file's name.
  package init(_ mkfs: String, megabytes: Int, options: String = "loop") throws {
    guard geteuid() == 0 else { throw TestError("mounting a file system needs root") }
    sandbox = try Sandbox()
    path = sandbox("disk")
    try sandbox.makeDirectory("disk")
    try Command.check(["truncate", "-s", "\(megabytes)M", sandbox("image")])
    try Command.check(mkfs.split(separator: " ").map(String.init) + [sandbox("image")])
    try Command.check(["mount", "-o", options, sandbox("image"), path])
    try Command.check(["chown", "\(MailUser.id):\(MailUser.group)", path])
  }

  /// Runs debugfs(8) commands on the file system, which is unmounted meanwhile.
  package func edit(_ commands: String) throws {
    try sandbox.write("commands", commands + "\n")
    try whenIdle(["umount", path])
    // A mount namespace that another test makes at this moment has a copy of the mount, and with it of the old inodes.
    try waitUntil("the end of the loop device") {
      try Command.check(["losetup", "--associated", sandbox("image")]).isEmpty ? () : nil
    }
    try Command.check(["debugfs", "-w", "-f", sandbox("commands"), sandbox("image")])
    try Command.check(["mount", "-o", "loop", sandbox("image"), path])
  }

  package func remount(_ option: String) throws {
    try whenIdle(["mount", "-o", "remount,\(option)", path])
  }

  /// Cuts the power at this moment: what the file system has not written to its disk is gone.
  ///
  /// - Parameter options: mount options that the copy of the disk needs.
  package func cutPower(options: String = "loop") throws {
    try Command.check(["cp", "--sparse=always", sandbox("image"), sandbox("image.cut")])
    try whenIdle(["umount", path])
    try Command.check(["mount", "-o", options, sandbox("image.cut"), path])
  }

  /// Repeats a command that fails while a file is open: a program that the code under test starts at this moment, in
  /// another test, has a copy of every descriptor until its exec.
  private func whenIdle(_ command: [String]) throws {
    var last = Command.Ending(status: 0, output: "", errors: "")
    do {
      try waitUntil(command.joined(separator: " ")) {
        last = try Command.run(command)
        return last.status == 0 ? () : nil
      }
    } catch { throw TestError("\(error): \(last.errors)") }
  }

  deinit {
    _ = try? Command.run(["umount", "-l", path])
  }
}

/// Polls until `look` returns a value, for at most `seconds`.
package func waitUntil<R>(_ what: String, seconds: Double = 20, _ look: () throws -> R?) throws -> R {
  let limit = Date().addingTimeInterval(seconds)
  while Date() < limit {
    if let result = try look() { return result }
    // Lets the awaited process run: no fixed time, which could be too short.
    poll(nil, 0, 1)
  }
  throw TestError("timed out after \(Int(seconds)) s, waiting for \(what)")
}

extension MailHost {
  /// Waits until the delivery has a file open for the message: the body has begun to arrive.
  package func waitUntilMessageIsOpen(_ delivery: Command) throws {
    try waitUntil("the opening of a file for the message") {
      let files = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(delivery.process)/fd")) ?? []
      let targets = files.compactMap {
        try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(delivery.process)/fd/\($0)")
      }
      return targets.contains { $0.contains("/tmp/") && $0.contains(maildir) } ? () : nil
    }
  }
}
