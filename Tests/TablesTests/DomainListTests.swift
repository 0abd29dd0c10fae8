// SPDX-License-Identifier: Apache-2.0
import Configuration
import Posix
import TestSupport
import Testing
import Text

@testable import Tables

struct DomainListTests {
  private func contains(_ list: String, _ domain: String, files: [String: String] = [:]) throws -> Bool {
    let domains = try DomainList(Array(list.utf8), line: 1) { name throws(TableError) in
      guard let file = files[name.text] else { throw TableError(.configuration, name.text, "is missing") }
      return Array(file.utf8)
    }
    return try domains.contains(Array(domain.utf8)) { table throws(TableError) in
      try TableSet().lookup(TableQuery(Array(domain.utf8), until: .never), in: [table]) != nil
    }
  }

  @Test(
    "Names match exactly but for case, ! excludes, and the first match decides (pgsql_table(5))",
    arguments: [
      ("!b.org, Example.ORG b.org", "example.org", true), ("!b.org, Example.ORG b.org", "b.org", false),
      ("example.org", "sub.example.org", false), ("!!a.org", "a.org", true), ("a.org", "A.org", true),
    ])
  func names(list: String, domain: String, result: Bool) throws {
    #expect(try contains(list, domain) == result)
  }

  @Test(
    "A file is replaced by its contents, also after !, and may name other files",
    arguments: [
      ("/f", "a.org", true), ("/f", "b.org", true), ("/f", "c.org", false), ("!/f, c.org a.org", "a.org", false),
      ("!/f c.org", "c.org", true), ("/g", "b.org", true), ("/g", "d.org", false), ("!/g d.org", "d.org", true),
    ])
  func files(list: String, domain: String, result: Bool) throws {
    let files = ["/f": "# domains\na.org,\n  b.org\n", "/g": "!d.org /f\n"]
    #expect(try contains(list, domain, files: files) == result)
  }

  @Test(
    "A table matches if it has the domain",
    arguments: [
      ("inline:{a.org=x}", "a.org", true), ("inline:{a.org=x}", "b.org", false),
      ("!inline:{a.org=x} a.org", "a.org", false),
      ("inline:{a.org=x},b.org", "b.org", true),
    ])
  func tables(list: String, domain: String, result: Bool) throws {
    #expect(try contains(list, domain) == result)
  }

  @Test(
    "A file that is missing or names itself, a lone ! and a name with a bad type are errors",
    arguments: ["/none", "/loop", "a.org !", "a.org :x", "!/loop"])
  func errors(list: String) {
    #expect(throws: (any Error).self) { try contains(list, "b.org", files: ["/loop": "/loop"]) }
  }

  @Test("A table that cannot be read is an error, not a mismatch")
  func tableError() {
    #expect(throws: TableError.self) { try contains("texthash:/nonexistent", "a.org") }
  }

  @Test("A pgsql table queries only keys of its domains, and reads the file of them when it is opened")
  func fileOfTable() throws {
    let sandbox = try Sandbox()
    try sandbox.write("t.cf", "dbname = d\nquery = SELECT '%s'\ndomain = \(sandbox("none"))\n", mode: 0o644)
    let table = try #require(TableReference(Array("pgsql:\(sandbox("t.cf"))".utf8)))
    #expect(throws: TableError.self) { try TableSet().open([table], until: .never) }
    try sandbox.write("none", "b.org\n", mode: 0o644)
    let set = TableSet()
    // Nothing is queried: there is no such database.
    for key in ["you@a.org", "@b.org", "b.org", "you"] {
      #expect(try set.lookup(TableQuery(Array(key.utf8), until: .never), in: [table]) == nil)
    }
    #expect(throws: TableError.self) { try set.lookup(TableQuery(Array("you@b.org".utf8), until: .never), in: [table]) }
  }
}
