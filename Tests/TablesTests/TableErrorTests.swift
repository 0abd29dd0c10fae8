// SPDX-License-Identifier: Apache-2.0
import Configuration
import Foundation
import Posix
import Synchronization
import TestSupport
import Testing
import Text

@testable import Tables

/// What is said about a table that gives no answer, and how a lookup can be followed.
struct TableErrorTests {
  private let sandbox: Sandbox

  init() throws { sandbox = try Sandbox() }

  private static func reference(_ text: String) throws -> TableReference {
    try #require(TableReference(Array(text.utf8)))
  }

  private static func error(_ table: String, seconds: Int64 = 30) throws -> TableError? {
    let reference = try reference(table)
    return #expect(throws: TableError.self) {
      try TableSet().lookup(
        TableQuery(Array("you@example.org".utf8), until: Deadline(secondsFromNow: seconds)), in: [reference])
    }
  }

  @Test(
    "A mistake in the name or the text of a table is the administrator's to correct, and the sentence says how",
    arguments: [
      ("inline:a=b", "inline:a=b: expected inline:{ key=value, {key = value} }"),
      ("inline:{ a }", "inline:{ a }: expected key=value, found \"a\""),
      ("texthash:relative", "texthash:relative: the name must be a path that begins with /"),
      (
        "texthash:/nonexistent",
        "texthash:/nonexistent: open /nonexistent: No such file or directory; it must be a file: create it, or correct"
          + " its name in ullage.cf"
      ),
      ("socketmap:x", "socketmap:x: expected socketmap:unix:/path:name or :inet:host:port:name"),
      ("proxy:proxy:static:x", "proxy:proxy:static:x: expected proxy: and a table, such as proxy:pgsql:/file"),
    ])
  func configuration(table: String, sentence: String) throws {
    let error = try Self.error(table)
    #expect(error?.shown == sentence && error?.kind == .configuration && error?.isUnsupportedType == false)
  }

  @Test(
    "A line without a value is named by its number; a byte order mark and a quote that stays open are errors",
    arguments: [
      ("a@b x\nc@d\n", "line 2: expected a key and a value"),
      ("\u{FEFF}a@b x\n", "the file begins with a byte order mark; remove it"),
      ("\"a@b x\n", "line 1: expected a key and a value"),
    ])
  func lines(text: String, sentence: String) throws {
    try sandbox.write("t", text, mode: 0o644)
    #expect(try Self.error("texthash:\(sandbox("t"))")?.shown == "texthash:\(sandbox("t")): \(sentence)")
  }

  @Test("An empty file is taken for one that is just being written: it may work later")
  func empty() throws {
    try sandbox.write("t", "", mode: 0o644)
    let error = try Self.error("texthash:\(sandbox("t"))")
    #expect(error?.kind == .temporary && error?.shown.hasSuffix("the file is empty") == true)
  }

  @Test("A file that is closed to us is an error with the command that opens it", .takesRoot)
  func closed() throws {
    try sandbox.write("t", "a x\n", mode: 0o600)
    try Command.check(["chown", "root", sandbox("t")])
    let mailUser = Credentials(user: UInt32(MailUser.id), group: UInt32(MailUser.group))
    let error = try mailUser.acting { try Self.error("texthash:\(sandbox("t"))") }
    #expect(error?.shown.contains("(as uid \(MailUser.id)); let that user read it, for instance: ") == true)
    let command = try #require(error?.shown.firstMatch(of: #/instance: (setfacl .*?) \(and/#)).1
    try Command.check(["sh", "-c", String(command)])
    let set = TableSet()
    let reference = try Self.reference("texthash:\(sandbox("t"))")
    #expect(
      try mailUser.acting { try set.lookup(TableQuery(Array("a".utf8), until: .never), in: [reference]) }?.text == "x")
  }

  @Test(
    "A mistake in a pgsql: file is named by its line, and no password is repeated",
    arguments: [
      ("hosts = h\ndbname = d\nquery = SELECT %s\n", "line 3: an expansion must be inside single quotes"),
      ("hosts = h\nquery = SELECT '%s'\n", "dbname is missing"),
      ("dbname = d\npassword s3cret\n", "line 2: expected name = value"),
      ("dbname = d\nquery = SELECT '%s'\nexpansion_limit = -1\n", "line 3: expansion_limit must be a whole number"),
      (
        "dbname = d\nquery = SELECT '%s'\nresult_format = %x\n",
        "line 3: % must be followed by one of s u d S U D 1-9 %"
      ),
      (" hosts = h\n dbname = d\n query = SELECT '%s'\n", "line 1: the line begins with a blank"),
      (
        "hosts = h\n dbname = d\n query = SELECT '%s'\n",
        "line 2: dbname stands on a line that begins with a blank, and so continues hosts"
      ),
      (
        "dbname = d\n password = s3cret\n query=SELECT '%s'\n",
        "line 2: password stands on a line that begins with a blank, and so continues dbname"
      ),
      ("dbname = d\nquery = SELECT '%s'\ndomain = !\n", "line 3: domain: a name is missing after !"),
    ])
  func pgsql(text: String, sentence: String) throws {
    try sandbox.write("t.cf", text, mode: 0o644)
    let error = try Self.error("pgsql:\(sandbox("t.cf"))")
    #expect(error?.shown.hasPrefix("pgsql:\(sandbox("t.cf")): \(sentence)") == true, "\(error?.shown ?? "")")
    #expect(error?.kind == .configuration && error?.shown.contains("s3cret") == false)
  }

  @Test(
    "A connection string in dbname, and SQL of several lines, are no indented settings",
    arguments: [
      "dbname = host=/run/pg user=vmail password=x dbname=mail\nquery = SELECT '%s'\n",
      "hosts = /nonexistent\ndbname = d\nquery = SELECT 1 FROM t\n  WHERE\n  user = '%s'\n",
      "dbname = d\ntable = t\nselect_field = f\nwhere_field = a\nadditional_conditions =\n AND\n user = 'x'\n",
    ])
  func noIndentation(text: String) throws {
    try sandbox.write("t.cf", text, mode: 0o644)
    #expect(try Self.error("pgsql:\(sandbox("t.cf"))")?.kind == .temporary)
  }

  @Test("A database that is not there may be there later")
  func absentDatabase() throws {
    try sandbox.write("t.cf", "hosts = /nonexistent\ndbname = d\nquery = SELECT '%s'\n", mode: 0o644)
    let error = try Self.error("pgsql:\(sandbox("t.cf"))")
    #expect(error?.kind == .temporary && error?.shown.contains("no connection: ") == true)
  }

  @Test(
    "No database is asked for a key to which the query does not apply",
    arguments: [
      ("SELECT '%d'", "", "user"), ("SELECT '%s'", "domain = other.example", "you@example.org"),
      ("SELECT '%s'", "domain = example.org", "user"), ("SELECT '%3'", "", "you@example.org"),
      ("SELECT '%s'", "result_format = %D", "user"),
    ])
  func unconcerned(query: String, lines: String, key: String) throws {
    try sandbox.write("t.cf", "hosts = /nonexistent\ndbname = d\nquery = \(query)\n\(lines)\n", mode: 0o644)
    let reference = try Self.reference("pgsql:\(sandbox("t.cf"))")
    #expect(try TableSet().lookup(TableQuery(Array(key.utf8), until: .never), in: [reference]) == nil)
  }

  @Test("If a server does not answer, the error asks whether it runs")
  func absentServer() throws {
    let error = try Self.error("socketmap:unix:/nonexistent:m")
    #expect(error?.kind == .temporary)
    #expect(
      error?.shown
        == "socketmap:unix:/nonexistent:m: connect /nonexistent: No such file or directory; is the server running?")
  }

  @Test("Each step of a lookup can be observed: which table was asked for which key, and its answer")
  func observer() throws {
    let steps = Mutex<[String]>([])
    let set = TableSet { step in
      let text =
        switch step {
        case .asked(let table, let key): "\(table.text) \(key.text)"
        case .statement(let sql): sql.text
        case .answered(.success(let value)): value?.text ?? "nothing"
        case .answered(.failure(let error)): error.shown
        }
      steps.withLock { $0.append(text) }
    }
    let tables = try ["inline:{ b=1 }", "inline:{ a=2 }", "static:3"].map { try Self.reference($0) }
    #expect(try set.lookup(TableQuery(Array("a".utf8), until: .never), in: tables)?.text == "2")
    #expect(steps.withLock { $0 } == ["inline:{ b=1 } a", "nothing", "inline:{ a=2 } a", "2"])
  }

  @Test("A table is opened once: a file that changes during a run stays what it was")
  func once() throws {
    try sandbox.write("t", "a 1\n", mode: 0o644)
    let set = TableSet()
    let table = try Self.reference("texthash:\(sandbox("t"))")
    let query = TableQuery(Array("a".utf8), until: .never)
    try set.open([table], until: .never)
    try sandbox.write("t", "a 2\n", mode: 0o644)
    #expect(try set.lookup(query, in: [table])?.text == "1")
    #expect(try TableSet().lookup(query, in: [table])?.text == "2")
  }

  @Test("Like postmap -q, a query folds the key, unless the table matches patterns by itself")
  func folding() throws {
    let query = TableQuery(Array("A".utf8), until: .never)
    #expect(try TableSet().query(query, in: try Self.reference("inline:{ a=1 }"))?.text == "1")
    let server = try MadeUpServer { _ in (netstring("OK 1"), false) }
    _ = try TableSet().query(query, in: try Self.reference("socketmap:unix:\(server.path):m"))
    #expect(server.requests == ["m A"])
  }
}
