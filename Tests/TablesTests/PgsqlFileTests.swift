// SPDX-License-Identifier: Apache-2.0
import Configuration
import Database
import Testing
import Text

@testable import Tables

private func parse(_ text: String) throws(ConfigurationError) -> PgsqlFile { try PgsqlFile(parsing: Array(text.utf8)) }

struct QueryTemplateTests {
  private func sql(_ query: String, _ key: String) throws -> String? {
    try QueryTemplate(Array(query.utf8), line: 1).sql(for: Array(key.utf8)) {
      $0.flatMap { $0 == 39 ? [39, 39] : [$0] }
    }?
    .text
  }

  @Test(
    "Each expansion is the part of the key that pgsql_table(5) specifies",
    arguments: [
      ("'%s'", "u+x@a.example.org", "'u+x@a.example.org'"), ("'%u'", "a@b@c", "'a@b'"), ("'%d'", "a@b@c", "'c'"),
      ("'%u'", "plain", "'plain'"), ("'%S%U%D'", "u@d", "'u@dud'"),
      ("'%1.%2.%3'", "u@a.example.org", "'org.example.a'"),
      ("'%1'", "u@a..org", "'org'"), ("'%2'", "u@a..org", "'a'"), ("'50%%'", "x", "'50%'"), ("'%u@%d'", "u@d", "'u@d'"),
      ("'%s'", "o'brien@d", "'o''brien@d'"),
    ])
  func expansions(query: String, key: String, result: String) throws {
    #expect(try sql(query, key) == result)
  }

  @Test(
    "A key without that part is not looked up",
    arguments: [
      ("'%u'", "@d"), ("'%d'", "u"), ("'%d'", "u@"), ("'%3'", "u@a.org"), ("'%1'", "u"), ("'%U'", "@d"), ("'%D'", "u"),
    ])
  func suppressed(query: String, key: String) throws {
    #expect(try sql(query, key) == nil)
  }

  @Test(
    "An expansion outside an ordinary string is an error: the sender could inject SQL",
    arguments: [
      "%s", "\"%s\"", "E'%s'", "e'%s'", "U&'%s'", "$$%s$$", "$q$%s$q$", "'a'%s", "-- '%s", "/* '%s'", "/*/ '%s' */",
      "E'a''%s'", "E'\\''%s'", "U&'a''b''%s'",
      "''%s", "'it''s' %s", "X'%s'", "b'%s'", "E'a'\n'%s'", "E'a' -- c\n '%s'", "E''x'%s'", "&&E'%s'", "flags&e'%s'",
      "|&U&'%s'", "1e'%s'", "_e'\\' || ' || '%s'", "U&'\\' || ' '%s'",
      "x$a$ ' $a$ '%s'", "$ü$ ' $ü$ ' '%s'", "--\r' \n '%s'",
    ])
  func unquoted(query: String) {
    #expect(throws: ConfigurationError.self) { try QueryTemplate(Array(query.utf8), line: 1) }
  }

  @Test(
    "An expansion in an ordinary string is accepted wherever the string is",
    arguments: [
      "'%s'", "SELECT 'it''s', '%s'", "\"a'b\" = '%s'", "E'\\'' || '%s'", "E'a''b' || '%s'", "E'a'||'%s'",
      "/* ' */ '%s'", "-- '\n'%s'", "$$'$$ || '%s'",
      "$a$ ' $b$ $a$ || '%s'", "(quota*1024)-'%s'", "LIKE '%%%d'", "SELECT $1 || '%s'", "the'%s'", "E'a' || x || '%s'",
      "X'00' || '%s'", "U&'\\' || '%s'", "x$a$ || '%s'", "_e'%s'", "a&'%s'",
    ])
  func quoted(query: String) throws {
    #expect(try sql(query, "u@the.key")?.contains("the.key") == true)
  }

  @Test("Any other letter after % is an error", arguments: ["'%x'", "'%0'", "'%'%", "'%"])
  func badLetters(query: String) {
    #expect(throws: ConfigurationError.self) { try QueryTemplate(Array(query.utf8), line: 1) }
  }
}

struct ResultTemplateTests {
  @Test(
    "Lower-case letters refer to the value, upper-case ones and digits to the key (pgsql_table(5))",
    arguments: [
      ("%s", "v@w", "v@w"), ("%u", "v@w", "v"), ("%d", "v@w", "w"), ("%d", "v", nil), ("%U/%D/%1", "v", "u/a.org/org"),
      ("smtp:[%s]", "v", "smtp:[v]"), ("%S%%", "v", "u@a.org%"),
    ] as [(String, String, String?)])
  func format(template: String, value: String, result: String?) throws {
    let template = try ResultTemplate(Array(template.utf8), line: 1)
    #expect(template.text(for: Array(value.utf8), key: Array("u@a.org".utf8))?.text == result)
  }
}

struct PgsqlFileTests {
  @Test("A file is read as by Postfix: values are literal, the last assignment wins, unknown names are ignored")
  func file() throws {
    let file = try parse(
      "# comment\nhosts = first\nhosts = second\nunknown = $x\nuser = u\npassword = p$w \"q\" # no comment\n"
        + "dbname = d\nquery = SELECT quota FROM mailbox\n  WHERE username = '%s'\nidle_interval = 5\n")
    #expect(
      file.connection.hosts.map { $0.map { "\($0.name)=\($0.value.text)" } } == [
        [
          "dbname=d", "host=second", "user=u", "password=p$w \"q\" # no comment", "client_encoding=UTF8",
          "fallback_application_name=ullage",
        ]
      ])
  }

  @Test(
    "All forms of hosts are understood",
    arguments: [
      ("unix:/run/pg", "host=/run/pg"), ("/run/pg", "host=/run/pg"), ("inet:db:5433", "host=db port=5433"),
      ("db:5433", "host=db port=5433"), ("db", "host=db"), ("inet:db", "host=db"), ("", "host=localhost"),
      ("[::1]:5433", "host=::1 port=5433"), ("inet:[::1]", "host=::1"),
    ])
  func hosts(hosts: String, keywords: String) throws {
    let file = try parse("hosts = \(hosts)\ndbname = d\nquery = SELECT 1\n")
    let found = file.connection.hosts[0].filter { ["host", "port"].contains($0.name) }
    #expect(found.map { "\($0.name)=\($0.value.text)" }.joined(separator: " ") == keywords)
  }

  @Test("A URI replaces host, user, password and database; several hosts keep their order")
  func uris() throws {
    let file = try parse("hosts = postgresql://u:p@h/d, other\ndbname = x\nuser = ignored\nquery = SELECT 1\n")
    #expect(file.connection.hosts.count == 2)
    #expect(file.connection.hosts[0].first?.value.text == "postgresql://u:p@h/d")
    #expect(!file.connection.hosts[0].contains { $0.name == "user" })
    _ = try parse("hosts = postgres://h/d\nquery = SELECT 1\n")
  }

  @Test(
    "A missing or wrong setting is an error",
    arguments: [
      "dbname = d\n", "query = SELECT 1\n", "dbname = d\nquery =\n",
      "dbname = d\nquery = SELECT 1\nexpansion_limit = x\n",
      "dbname = d\nquery = SELECT 1\nno assignment\n", "dbname = d\nquery = SELECT %s\n",
      "dbname = d\nquery = SELECT 1\nresult_format = %z\n",
    ])
  func errors(text: String) {
    #expect(throws: ConfigurationError.self) { try parse(text) }
  }

  @Test("A query that goes on without a blank at the start of a line is an error with that line")
  func brokenQuery() {
    let error = #expect(throws: ConfigurationError.self) {
      try parse("dbname = d\nquery = SELECT maildir FROM mailbox\nWHERE username='%s'\n")
    }
    #expect(error?.line == 3 && error?.message.contains("must begin with a blank") == true)
  }

  @Test(
    "Whether the answer depends on the key",
    arguments: [
      ("SELECT '%s'", true), ("SELECT 1 WHERE '%d' = 'x'", true), ("SELECT 1", false), ("SELECT '50%%'", false),
    ])
  func dependsOnKey(query: String, depends: Bool) throws {
    #expect(try parse("dbname = d\nquery = \(query)\n").query.dependsOnKey == depends)
  }

  @Test("A line that cannot be parsed is not quoted: it may be the password")
  func secretLine() {
    #expect {
      try parse("dbname = d\npassword: s3cret\nquery = SELECT 1\n")
    } throws: {
      ($0 as? ConfigurationError) == ConfigurationError(line: 2, "expected name = value")
    }
  }

  @Test(
    "The parameters from before Postfix 2.2 give the same SQL, and query outranks them (pgsql_table(5))",
    arguments: [
      ("select_function = f", "SELECT f('k@d')"),
      (
        "table = t\nselect_field = a, b\nwhere_field = lower(x)\nadditional_conditions = AND active",
        "SELECT a, b FROM t WHERE lower(x)='k@d' AND active"
      ),
      ("table = t\nselect_field = a\nwhere_field = x", "SELECT a FROM t WHERE x='k@d' "),
      ("table = t\nselect_function = f\nselect_field = a\nwhere_field = x", "SELECT f('k@d')"),
      ("query = SELECT '%s'\nselect_function = f", "SELECT 'k@d'"),
    ])
  func legacyNames(lines: String, sql: String) throws {
    let file = try parse("dbname = d\n\(lines)\n")
    #expect(file.query.sql(for: Array("k@d".utf8)) { $0 }?.text == sql)
  }

  @Test("An incomplete set is an error", arguments: ["table = t", "table = t\nselect_field = a", "where_field = x"])
  func legacyParts(lines: String) {
    #expect(throws: ConfigurationError.self) { try parse("dbname = d\n\(lines)\n") }
  }
}
