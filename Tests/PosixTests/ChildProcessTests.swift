// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

@testable import Posix

/// Programs that are run for their output.
struct ChildProcessTests {
  private static func shell(
    _ script: String, limit: Int = 1000, until deadline: Deadline = Deadline(secondsFromNow: 60)
  ) throws(SystemError) -> ChildProcess.Ending {
    guard let script = Path(script.utf8) else { preconditionFailure("a script with NUL") }
    return try ChildProcess.run("/bin/sh", ["-c", script], limit: limit, until: deadline)
  }

  @Test("Output, errors and the exit status are kept apart")
  func streams() throws {
    let ending = try Self.shell("echo out; echo err >&2; exit 7")
    #expect(ending.output.text == "out\n" && ending.errors.text == "err\n" && ending.status == 7)
  }

  @Test("A program that a signal ends has no exit status")
  func signal() throws {
    #expect(try Self.shell("kill -9 $$").status == nil)
  }

  @Test("Of a long output the beginning is kept, and a pipe that fills up blocks nobody")
  func limit() throws {
    let ending = try Self.shell("head -c 2000000 /dev/zero | tr '\\0' x; echo y >&2", limit: 10)
    #expect(ending.output.text == "xxxxxxxxxx" && ending.errors.text == "y\n" && ending.status == 0)
  }

  @Test("Standard input is empty, and no other descriptor is open")
  func descriptors() throws {
    let held = unsafe open("/dev/null", O_RDONLY)
    defer { close(held) }
    #expect(try Self.shell("cat; ls /proc/self/fd").output.text.split(separator: "\n") == ["0", "1", "2", "3"])
  }

  @Test("Arguments arrive byte for byte, whatever they are")
  func arguments() throws {
    let bytes: [UInt8] = [0xFF, 0x0A, 0x27, 0x20, 0x2A]
    let ending = try ChildProcess.run(
      "/usr/bin/printf", ["%s", try #require(Path(bytes))], limit: 100, until: Deadline(secondsFromNow: 60))
    #expect(ending.output == bytes)
  }

  @Test("A program that does not end is killed at the deadline")
  func deadline() throws {
    let sandbox = try Sandbox()
    let error = #expect(throws: SystemError.self) {
      try Self.shell(
        "echo $$ > \(sandbox("pid")); exec cat < /dev/zero > /dev/null", until: Deadline(secondsFromNow: 5))
    }
    #expect(error?.number == ETIMEDOUT)
    let process = try #require(sandbox.text("pid").flatMap { pid_t($0.trimmingCharacters(in: .newlines)) })
    #expect(kill(process, 0) == -1 && errno == ESRCH)
  }

  @Test("A missing program is an error that names it")
  func missing() {
    #expect(throws: SystemError(.posix_spawn, "/nonexistent".utf8, ENOENT)) {
      try ChildProcess.run("/nonexistent", [], limit: 10, until: .never)
    }
  }
}
