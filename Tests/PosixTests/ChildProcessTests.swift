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
        "echo $$ > \(sandbox("pid")); exec cat < /dev/zero > /dev/null", until: Deadline(secondsFromNow: 1))
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

/// The user and group databases, as far as every machine has the same.
struct UserTests {
  @Test("Root is found by name and by id; what is unknown is nil")
  func users() throws {
    let root = try #require(User(named: "root"))
    #expect(root.id == 0 && root.group == 0 && User(id: 0) == root)
    #expect(User(named: "no such user") == nil && User(named: "") == nil && User(id: 4_000_000) == nil)
    #expect(User.name(of: 0) == "root" && User.name(of: 4_000_000) == "uid 4000000")
  }

  @Test(
    "user= of pipe(8) is a user, or a user and a group",
    arguments: [
      ("nobody", true), ("nobody:daemon", true), ("nobody:no such group", false), ("no such user", false),
      ("no such user:daemon", false), ("", false), (":daemon", false), ("nobody:", true), (":", false),
    ])
  func entry(text: String, isKnown: Bool) throws {
    let user = User(ofEntry: text)
    #expect((user != nil) == isKnown)
    if text.hasSuffix(":daemon"), let user {
      #expect(user.group == Group.id(of: "daemon") && user.id == User(named: "nobody")?.id)
    }
  }

  @Test("Groups are found by name and by id; nobody works with root's group")
  func groups() throws {
    let daemon = try #require(Group.id(of: "daemon"))
    #expect(Group.name(of: daemon) == "daemon" && Group.name(of: 0) == "root")
    #expect(Group.id(of: "no such group") == nil && Group.name(of: 4_000_000) == nil)
    #expect(Group.primary(of: 0) == 65534 && Group.primary(of: 4_000_000) == 65534)
    #expect(try Group.primary(of: #require(User(named: "daemon")).id) == daemon)
  }
}

/// Times and their texts.
struct TimestampTests {
  @Test("A time is within a span if it is in the past and not older")
  func within() {
    let now = Timestamp.now
    #expect(now.isWithin(seconds: 60))
    #expect(now.adding(seconds: -50).isWithin(seconds: 60) && !now.adding(seconds: -61).isWithin(seconds: 60))
    #expect(!now.adding(seconds: 60).isWithin(seconds: 600))
  }

  @Test("Sums saturate, since a file may have any time stamp")
  func saturation() {
    let end = Timestamp(seconds: .max, nanoseconds: 5)
    #expect(end.adding(seconds: 1) == end)
    #expect(Timestamp(seconds: .max - 1, nanoseconds: 0).adding(seconds: 900).seconds == .max)
    #expect(!end.isWithin(seconds: .max))
  }

  @Test("Nanoseconds decide between equal seconds")
  func order() {
    #expect(Timestamp(seconds: 5, nanoseconds: 1) < Timestamp(seconds: 5, nanoseconds: 2))
    #expect(Timestamp(seconds: 5, nanoseconds: 999_999_999) < Timestamp(seconds: 6, nanoseconds: 0))
    #expect(!(Timestamp(seconds: 5, nanoseconds: 1) < Timestamp(seconds: 5, nanoseconds: 1)))
  }

  @Test("The text for the log is what date(1) prints for that second", arguments: [0, 951_826_554, 1_764_353_101])
  func syslogText(seconds: Int64) throws {
    let date = try Command.check(["date", "-d", "@\(seconds)", "+%b %e %H:%M:%S"])
    #expect(Timestamp(seconds: seconds, nanoseconds: 0).syslogText + "\n" == date)
  }

  @Test("A day ends at midnight of the local time")
  func localDay() {
    let day = Timestamp(seconds: 1_764_353_101, nanoseconds: 0)
    #expect(day.adding(seconds: 86400).localDay == day.localDay + 1)
    #expect(Timestamp(seconds: 0, nanoseconds: 0).localDay.magnitude <= 1)
  }
}
