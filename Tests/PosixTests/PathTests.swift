// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

@testable import Posix

/// Names as the kernel takes them, and what errors say about them.
struct PathTests {
  @Test("A path is any bytes but NUL; its text shows what is not printable")
  func text() throws {
    #expect(try #require(Path(Array("a/b".utf8))).text == "a/b")
    #expect(try #require(Path([0xFF, 10])).text == "\\377\\012")
    #expect(Path([0]) == nil && Path([UInt8]()) != nil)
    #expect(try #require(Path("x".utf8)) == "x")
  }

  @Test("A name is appended after a slash")
  func appending() {
    let base: Path = "/var/mail"
    #expect(base.appending("example.org").appending("you") == "/var/mail/example.org/you")
    #expect(base.appending("x").bytes.elementsEqual("/var/mail/x".utf8))
  }

  @Test("A temporary directory is private and new each time")
  func temporary() throws {
    let first = try Path.makeTemporaryDirectory("ullage-test")
    let second = try Path.makeTemporaryDirectory("ullage-test")
    defer { for path in [first, second] { _ = unsafe rmdir(path.text) } }
    #expect(first != second)
    #expect(try stat(first).permissions == 0o700 && stat(first).kind == .directory)
  }

  @Test(
    "An error names the call and what it was about, without a control character",
    arguments: [
      (SystemError(.openat, "tmp".utf8, ENOENT), "openat tmp: No such file or directory"),
      (SystemError(.fsync, [], ENOSPC), "fsync: No space left on device"),
      (SystemError(.rename, [0xFF, 27], EXDEV), "rename \\377\\033: Invalid cross-device link"),
      (SystemError(.read, "x".utf8, 99999), "read x: Unknown error 99999"),
    ])
  func sentence(error: SystemError, text: String) {
    #expect(error.shown == text)
  }

  @Test("EINTR is retried until the deadline; any other error is thrown at once")
  func retries() {
    var calls = 0
    let interrupted = { () -> Int32 in
      calls += 1
      errno = calls < 5 ? EINTR : EIO
      return -1
    }
    #expect(throws: SystemError(.read, "x".utf8, EIO)) { try systemCall(.read, "x", interrupted) }
    #expect(calls == 5)
    calls = 0
    #expect(throws: SystemError(.read, "x".utf8, ETIMEDOUT)) {
      try systemCall(.read, "x", until: Deadline(secondsFromNow: 0), interrupted)
    }
    #expect(calls == 1)
  }
}
