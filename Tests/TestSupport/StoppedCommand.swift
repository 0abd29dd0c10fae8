// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A program that stops itself after one system call, so that a test can change something meanwhile.
/// strace(1) sends it SIGSTOP there: no test needs a delay that could be too short.
package final class StoppedCommand {
  private let command: Command
  private let stopped: pid_t

  /// Starts the program, and returns when it has stopped.
  ///
  /// - Parameters:
  ///   - systemCall: its name.
  ///   - occurrence: which of its calls, from 1 on.
  ///   - failing: another system call, whose second call fails with EIO.
  package init(
    _ arguments: [String], at systemCall: String, occurrence: Int = 1, failing: String? = nil,
    input: Command.Input = .bytes([]), environment: [String: String] = [:]
  ) throws {
    let sandbox = try Sandbox()
    let trace = sandbox("trace")
    let calls = [systemCall] + (failing.map { [$0] } ?? [])
    let strace =
      [
        "strace", "-f", "-o", trace, "-e", "trace=\(calls.joined(separator: ","))", "-e",
        "inject=\(systemCall):signal=SIGSTOP:when=\(occurrence)",
      ] + (failing.map { ["-e", "inject=\($0):error=EIO:when=2"] } ?? [])
    command = try Command(strace + arguments, input: input, environment: environment, asMailUser: true)
    stopped = try waitUntil("\(systemCall) of \(arguments[0])") {
      let lines = (sandbox.text("trace") ?? "").split(separator: "\n")
      guard let line = lines.first(where: { $0.contains("--- stopped by SIGSTOP ---") }) else { return nil }
      return line.split(separator: " ").first.flatMap { pid_t($0) }
    }
  }

  /// The largest resident set of the program so far, in KiB (proc(5), VmHWM). Unlike ru_maxrss it begins with the
  /// program, and not with the process that started it.
  package func peakMemory() throws -> Int {
    let status = try String(contentsOfFile: "/proc/\(stopped)/status", encoding: .utf8)
    guard let peak = status.firstMatch(of: #/VmHWM:\s+(\d+) kB/#).flatMap({ Int($0.1) }) else {
      throw TestError("no VmHWM in \(status)")
    }
    return peak
  }

  /// Lets the program go on, and waits for its end.
  package func resume() throws -> Command.Ending {
    guard kill(stopped, SIGCONT) == 0 else { throw TestError("kill: \(errorText(errno))") }
    return command.wait()
  }
}
