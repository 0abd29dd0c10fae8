// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

@testable import Posix

/// Lines for the system's log.
struct SystemLogTests {
  private let sandbox: Sandbox
  private let receiver: LogReceiver
  private let log: SystemLog

  init() throws {
    sandbox = try Sandbox()
    receiver = try LogReceiver(sandbox("log"))
    log = SystemLog(socket: Array(sandbox("log").utf8), name: Array("postfix/ullage".utf8))
  }

  @Test(
    "A line has the priority of its severity and the facility mail, the time, the name and the process",
    arguments: [(SystemLog.Severity.error, 19), (.warning, 20), (.information, 22)])
  func format(severity: SystemLog.Severity, priority: Int) throws {
    log.write(severity, Array("4Abc: to=<you@example.org>, status=sent".utf8))
    let line = try #require(receiver.datagrams().first)
    let parts = try #require(
      line.wholeMatch(of: /<(\d+)>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d postfix\/ullage\[(\d+)\]: (.*)/))
    #expect(parts.1 == "\(priority)" && parts.2 == "\(getpid())")
    #expect(parts.3 == "4Abc: to=<you@example.org>, status=sent")
  }

  @Test(
    "Nothing in a line makes a second line or a control sequence of a terminal",
    arguments: [
      ("a\nb", "a\\012b"), ("a\u{1B}[31mb", "a\\033[31mb"), ("a\r", "a\\015"), ("é", "é"), ("\u{7F}", "\\177"),
    ])
  func escaping(text: String, logged: String) {
    log.write(.information, Array(text.utf8))
    #expect(receiver.lines() == [logged])
  }

  @Test("Bytes that are no UTF-8 are octal numbers")
  func notText() {
    log.write(.information, [97, 0xFF, 0xC3])
    #expect(receiver.lines() == ["a\\377\\303"])
  }

  @Test("A long line is cut, and says so")
  func long() {
    log.write(.information, [UInt8](repeating: 120, count: 5000))
    #expect(receiver.lines() == [String(repeating: "x", count: 2300) + "..."])
  }
}
