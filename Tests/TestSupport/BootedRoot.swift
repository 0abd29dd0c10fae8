// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A `DebianRoot` in which systemd runs as process 1 of namespaces of its own, with a loopback network alone.
package final class BootedRoot {
  package let root: DebianRoot
  /// scripts/boot-root, and the process 1 that it has started, as seen from outside.
  private let outside: Command
  private let process: Int

  /// Boots the root, whose packages have been installed.
  package init(_ root: DebianRoot) throws {
    self.root = root
    let file = root.sandbox("process")
    outside = try Command([Project.path("scripts/boot-root"), root.path, file], input: .closed)
    do {
      process = try waitUntil("process 1") { root.sandbox.text("process").flatMap { Int($0.dropLast()) } }
    } catch {
      // Without a process 1 there is no deinit.
      outside.kill(SIGKILL)
      _ = outside.wait()
      throw error
    }
    // It says "starting" until all units have been started.
    try waitUntil("the boot", seconds: 120) {
      let state = try run("systemctl is-system-running").output
      return ["running\n", "degraded\n"].contains(state) ? () : nil
    }
  }

  deinit {
    // Process 1 takes all others with it; to systemd SIGTERM means something else.
    kill(pid_t(process), SIGKILL)
    _ = outside.wait()
  }

  /// Runs lines of bash(1) inside.
  package func run(_ script: String) throws -> Command.Ending {
    try Command.run(
      [
        "nsenter", "-t", "\(process)", "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "env", "-i",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
        "DEBIAN_FRONTEND=noninteractive", "bash", "-c", script,
      ])
  }

  @discardableResult
  package func shell(_ script: String) throws -> String {
    let ending = try run("set -e\n\(script)")
    guard ending.status == 0 else {
      let journal = try run("journalctl -q --no-pager -o cat -n 40").output
      throw TestError("\(script): status \(ending.status): \(ending.output)\(ending.errors)\(journal)")
    }
    return ending.output
  }
}
