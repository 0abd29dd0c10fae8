// SPDX-License-Identifier: Apache-2.0
import Foundation
import Posix
import TestSupport
import Testing
import Text

@testable import Maildir

/// A message on its way into `new/`, as an unnamed file and as a file in `tmp/`.
struct MessageFileTests {
  private let sandbox: Sandbox
  private let names = UniqueName(host: Array("host".utf8))

  init() throws {
    sandbox = try Sandbox()
    try sandbox.makeMaildir("m")
  }

  private func maildir() throws -> Maildir {
    try Maildir.open(base: try #require(Path(sandbox.path.utf8)), components: ["m"], owner: UInt32(MailUser.id))
  }

  @Test(
    "A published message has the bytes, mode 0600 and its size in the name; tmp/ is empty", arguments: [true, false])
  func publish(unnamed: Bool) throws {
    var message = try MessageFile.create(in: try maildir(), names: names, unnamed: unnamed)
    try message.write(Array("From: a\n".utf8).span)
    try message.write(Array("\nbody\n".utf8).span)
    try message.synchronize()
    #expect(message.size == 14 && sandbox.list("m/new") == [])
    let name = try message.publish(in: try maildir()).text
    _ = consume message
    #expect(sandbox.list("m/new") == [name] && name.hasSuffix(".host,S=14"))
    #expect(sandbox.text("m/new/\(name)") == "From: a\n\nbody\n")
    #expect(sandbox.status("m/new/\(name)")?.st_mode == S_IFREG | 0o600)
    #expect(sandbox.list("m/tmp") == [])
  }

  @Test("A message that is given up leaves no file", arguments: [true, false])
  func dropped(unnamed: Bool) throws {
    var message = try MessageFile.create(in: try maildir(), names: names, unnamed: unnamed)
    try message.write(Array("half a mess".utf8).span)
    #expect(sandbox.list("m/tmp").count == (unnamed ? 0 : 1))
    _ = consume message
    #expect(sandbox.list("m/tmp") == [] && sandbox.list("m/new") == [])
  }

  @Test("A missing tmp/ is created", arguments: [true, false])
  func missingTmp(unnamed: Bool) throws {
    try Command.check(["rmdir", sandbox("m/tmp")])
    var message = try MessageFile.create(in: try maildir(), names: names, unnamed: unnamed)
    _ = try message.publish(in: try maildir())
    #expect(sandbox.status("m/tmp")?.st_mode == S_IFDIR | 0o700)
    #expect(sandbox.list("m/new").count == 1)
  }

  @Test(
    "What is no directory in the place of tmp/ is an error, and stays",
    arguments: [
      ("touch tmp", MaildirError.notADirectory(Array("tmp".utf8))),
      ("ln -s new tmp", .symlinkInside(Array("tmp".utf8))), ("mkfifo tmp", .notADirectory(Array("tmp".utf8))),
    ], [true, false])
  func noTmp(arrangement: (commands: String, error: MaildirError), unnamed: Bool) throws {
    try Command.check(["sh", "-ec", "cd \(sandbox("m")); rmdir tmp; \(arrangement.commands)"])
    let maildir = try maildir()
    #expect(throws: arrangement.error) {
      _ = try MessageFile.create(in: maildir, names: names, unnamed: unnamed)
    }
    #expect(sandbox.list("m") == ["cur", "new", "tmp"])
  }

  @Test("Two messages of equal content get two files")
  func equalMessages() throws {
    let maildir = try maildir()
    for _ in 0..<2 {
      var message = try MessageFile.create(in: maildir, names: names, unnamed: true)
      try message.write(Array("x\n".utf8).span)
      _ = try message.publish(in: maildir)
    }
    #expect(sandbox.list("m/new").count == 2)
  }
}
