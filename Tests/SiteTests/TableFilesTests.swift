// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Posix
import TestSupport
import Testing
import Text

@testable import Site

func table(_ text: String) throws -> TableReference { try #require(TableReference(Array(text.utf8))) }

/// The files that a table needs, and who may read them.
struct TableFilesTests {
  @Test(
    "A table is read from its file, or from what postmap(1) makes of it; some tables have none",
    arguments: [
      ("texthash:/etc/x", ["/etc/x"]), ("pgsql:/etc/x.cf", ["/etc/x.cf"]), ("hash:/etc/x", ["/etc/x.db"]),
      ("btree:/etc/x", ["/etc/x.db"]), ("lmdb:/etc/x", ["/etc/x.lmdb"]), ("cdb:/etc/x", ["/etc/x.cdb"]),
      ("proxy:hash:/etc/x", ["/etc/x.db"]), ("static:/etc/x/", []), ("inline:{ a=b }", []),
      ("socketmap:unix:/run/x:map", []), ("hash:relative", []),
    ])
  func files(text: String, files: [String]) throws {
    #expect(TableFiles.files(of: try table(text)) == files)
  }

  @Test("A file is there if it can be seen; a name with NUL is none")
  func exists() throws {
    let sandbox = try Sandbox()
    try sandbox.write("x", "")
    #expect(TableFiles.exists(sandbox("x")) && !TableFiles.exists(sandbox("y")) && !TableFiles.exists("a\u{0}"))
  }

  @Test(
    "The commands open a closed file, and the closed directories above it, to that user and nobody else", .takesRoot)
  func commands() throws {
    let nobody = try #require(User(named: "nobody"))
    let sandbox = try Sandbox()
    for name in ["a/b/one", "a/b/two", "open"] { try sandbox.write(name, "x", mode: 0o600) }
    try Command.check(["chown", "-R", "root:root", sandbox.path])
    try Command.check(["chmod", "755", sandbox.path])
    try Command.check(["chmod", "644", sandbox("open")])
    let names = [sandbox("a/b/one"), sandbox("open"), sandbox("a/b/two")]
    // Below a directory that is closed nothing is known, so it may take two rounds.
    for _ in 0..<2 {
      for command in TableFiles.commands(toLet: nobody, read: names) { try Command.check(command.words) }
    }
    #expect(TableFiles.commands(toLet: nobody, read: names) == [])
    for name in names {
      #expect(nobody.credentials.acting { Path(name.utf8).map { isAllowed(.reading, to: $0) } } == true)
    }
    let other = Credentials(user: 4_000_000, group: 4_000_000)
    #expect(other.acting { Path(names[0].utf8).map { isAllowed(.reading, to: $0) } } == false)
  }

  @Test("Where nothing is closed there is nothing to do; without root nothing can be done")
  func nothing() throws {
    let nobody = try #require(User(named: "nobody"))
    #expect(TableFiles.commands(toLet: nobody, read: []) == [])
    #expect(TableFiles.commands(toLet: nobody, read: ["/etc/passwd"]) == [])
    #expect(nobody.credentials.acting { TableFiles.commands(toLet: nobody, read: ["/etc/shadow"]) } == [])
  }
}
