// SPDX-License-Identifier: Apache-2.0
import Configuration
import Posix
import TestSupport
import Testing
import Text

@testable import Tables

struct TableSetTests {
  private func lookup(_ table: String, _ key: String) throws -> String? {
    let reference = try #require(TableReference(Array(table.utf8)))
    return try TableSet().lookup(TableQuery(Array(key.utf8), until: .never), in: [reference])?.text
  }

  @Test(
    "Embedded tables answer as Postfix's do (DATABASE_README)",
    arguments: [
      ("static:x y", "any", "x y"), ("static:{ x y }", "any", "x y"), ("inline:{ a=1, B=2 }", "b", "2"),
      ("inline:{{a = 1 2}, b=3}", "a", "1 2"), ("inline:{ a=1 a=2 }", "a", "1"), ("inline:{ a=b=c }", "a", "b=c"),
      ("inline:{ a=1 }", "A", nil), ("inline:{ a= }", "a", ""), ("proxy:static:x", "any", "x"),
    ] as [(String, String, String?)])
  func embedded(table: String, key: String, value: String?) throws {
    #expect(try lookup(table, key) == value)
  }

  @Test("texthash: reads lines of key and value, with continuation, comments and quotes (postmap(1))")
  func texthash() throws {
    let sandbox = try Sandbox()
    try sandbox.write("t", "# c\nUser@D  1 2\n  3\n\"a b\"@d\tx\nuser@d 9\nü@d y\n\\ a z\n", mode: 0o644)
    #expect(try lookup("texthash:\(sandbox("t"))", "user@d") == "1 2  3")
    #expect(try lookup("texthash:\(sandbox("t"))", "\"a b\"@d") == "x")
    #expect(try lookup("texthash:\(sandbox("t"))", "\\ a") == "z")
    #expect(try lookup("texthash:\(sandbox("t"))", "none") == nil)
    // A decomposed letter is a different key from a composed one.
    #expect(try lookup("texthash:\(sandbox("t"))", "ü@d") == "y")
    #expect(try lookup("texthash:\(sandbox("t"))", "u\u{308}@d") == nil)
    try sandbox.write("t", "\"a b@d x\n", mode: 0o644)
    #expect(throws: TableError.self) { try lookup("texthash:\(sandbox("t"))", "a") }
  }

  @Test(
    "A table that cannot be used is an error, never not found",
    arguments: [
      "nonsense:/x", "hash:/nonexistent", "nonsense:", "socketmap:x", "socketmap:unix:/nonexistent",
      "socketmap:unix:/nonexistent:", "socketmap:unix:/nonexistent:m", "socketmap:inet:127.0.0.1:1:m",
      "socketmap:inet:127.0.0.1:m", "socketmap:inet::1:m", "texthash:relative", "texthash:/nonexistent",
      "pgsql:/nonexistent", "inline:a=b", "inline:{ a }",
      "proxy:x", "proxy:proxy:static:x", "texthash:/dev/null", "texthash:/",
    ])
  func unusable(table: String) {
    #expect(throws: TableError.self) { try lookup(table, "x") }
  }

  @Test("A service reads a texthash: file again that was replaced; one that is gone is an error, not an empty table")
  func replaced() throws {
    let sandbox = try Sandbox()
    func write(_ text: String) throws {
      try sandbox.write("new", text, mode: 0o644)
      // As a file that is complete.
      try Command.check(["touch", "-d", "1 hour ago", sandbox("new")])
      try Command.check(["mv", sandbox("new"), sandbox("t")])
    }
    try write("a 1\n")
    let reference = try #require(TableReference(Array("texthash:\(sandbox("t"))".utf8)))
    let tables = TableSet(isForService: true)
    func answer(_ key: String) throws -> String? {
      try tables.lookup(TableQuery(Array(key.utf8), until: .never), in: [reference])?.text
    }
    for _ in 0..<20 { #expect(try answer("a") == "1" && answer("b") == nil) }
    try write("a 2\nb 3\n")
    #expect(try answer("b") == "3" && answer("a") == "2")
    try Command.check(["rm", sandbox("t")])
    #expect(throws: TableError.self) { try answer("a") }
  }

  @Test("The first table that has the key answers")
  func order() throws {
    let tables = ["inline:{ a=1 }", "inline:{ a=2, b=2 }", "static:3"].compactMap { TableReference(Array($0.utf8)) }
    let set = TableSet()
    let answers = try ["a", "b", "c"].map {
      try set.lookup(TableQuery(Array($0.utf8), until: .never), in: tables)?.text
    }
    #expect(answers == ["1", "2", "3"])
  }
}
