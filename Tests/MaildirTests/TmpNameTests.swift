// SPDX-License-Identifier: Apache-2.0
import Foundation
import Posix
import TestSupport
import Testing
import Text

@testable import Maildir

/// A name in `tmp/`.
struct TmpNameTests {
  private let sandbox: Sandbox

  init() throws {
    sandbox = try Sandbox()
    try sandbox.makeMaildir("m")
  }

  private func name(_ name: Path = "name") throws -> TmpName {
    let maildir = try Maildir.open(
      base: try #require(Path(sandbox.path.utf8)), components: ["m"], owner: UInt32(MailUser.id))
    return try TmpName(name, in: maildir)
  }

  @Test("It is removed with its value, whatever file has it by then")
  func removed() throws {
    do {
      let name = try name()
      _ = try name.create()
      #expect(sandbox.list("m/tmp") == ["name"])
      try Command.check(["sh", "-c", "cd \(sandbox("m/tmp")); rm name; echo other > name"])
      _ = consume name
    }
    #expect(sandbox.list("m/tmp") == [])
  }

  @Test("A file that has the name already is not overwritten")
  func exists() throws {
    try sandbox.write("m/tmp/name", "other")
    let name = try name()
    #expect(throws: SystemError(.openat, "tmp/name".utf8, Errno.EEXIST)) { _ = try name.create() }
    #expect(sandbox.text("m/tmp/name") == "other")
  }

  @Test("Without replacing, an existing target stays; exchanging swaps; replacing replaces")
  func rename() throws {
    try sandbox.write("m/new/target", "old")
    let name = try name()
    try name.create().write(Array("new".utf8).span)
    #expect(throws: SystemError(.renameat2, "new/target".utf8, Errno.EEXIST)) {
      try name.rename(to: "new/target", .withoutReplacing)
    }
    try name.rename(to: "new/target", .exchanging)
    #expect(sandbox.text("m/new/target") == "new" && sandbox.text("m/tmp/name") == "old")
    try name.rename(to: "new/target", .replacing)
    #expect(sandbox.text("m/new/target") == "old")
    #expect(try name.status() == nil)
  }
}
