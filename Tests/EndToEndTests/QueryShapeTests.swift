// SPDX-License-Identifier: Apache-2.0
import Configuration
import Posix
import Postgres
import TestSupport
import Testing
import Text

@testable import Tables

/// Whatever the key, a query is the same query: PostgreSQL's own lexer and parser decide.
struct QueryShapeTests {
  private let connection: PostgresConnection

  init() throws {
    let cluster = try Shared.cluster()
    connection = try PostgresConnection(
      [
        ("dbname", Array("postgres".utf8)), ("host", Array(cluster.sandbox.path.utf8)),
        ("port", Array("\(cluster.port)".utf8)), ("user", Array("postgres".utf8)),
        ("client_encoding", Array("UTF8".utf8)),
      ], until: Deadline(secondsFromNow: 30))
  }

  /// The first key is harmless, the others try to leave the string.
  private static let keys = [
    "key", "'", "''", "\\", "\\'", "' OR ''='", "'; SELECT 1; --", "*/", "--", "$$", "$a$", "\"", "E'", "k' || 'k",
    "%s",
    "\n", "'\n'", "/*", "\u{2019}", "U&'\\0027",
  ]

  /// What PostgreSQL makes of the query for `key` between two marks: its rows, or its error, with `?` for all that.
  private func shape(_ template: QueryTemplate, _ key: String) throws -> String {
    let marked = "begin\(key)end"
    let sql = try #require(
      try template.sql(for: Array(marked.utf8)) { text throws(PostgresError) in try connection.escape(text) })
    do {
      let rows = try connection.query(sql, until: Deadline(secondsFromNow: 30))
      return "\(rows.map { $0.map { $0?.text.replacing(marked, with: "?") ?? "NULL" } })"
    } catch {
      // PostgreSQL quotes the statement, with the escaped key, and points at a column of it.
      return String(error.shown.split(separator: " LINE ")[0]).replacing(/begin.*?end/, with: "?")
    }
  }

  @Test(
    "A query whose key is in a string gives the same rows for every key, with the key in its place",
    arguments: [
      "SELECT '%s'", "SELECT 'a', '%s', 'b'", "SELECT '<%s>' AS \"a'b\"", "SELECT E'\\'' || '%s'",
      "SELECT $$'$$ || '%s'", "SELECT $a$'$$'$a$, '%s'", "/* ' */ SELECT '%s'", "/* /* ' */ ' */ SELECT '%s'",
      "SELECT -- '\n'%s'", "SELECT 'it''s', '%s'", "SELECT '%s' -- '", "SELECT U&'\\0027' || '%s'",
      "SELECT 'a' 'b', '%s'", "SELECT 'x'\n'%s'", "SELECT '%s', length('%%')", "SELECT 1 WHERE '%s' = '%s'",
    ])
  func accepted(query: String) throws {
    let template = try QueryTemplate(Array(query.utf8), line: 1)
    // Some of these are invalid; then they are so for every key.
    let usual = try shape(template, Self.keys[0])
    for key in Self.keys { #expect(try shape(template, key) == usual, "\(key.debugDescription)") }
  }

  @Test("Of thousands of random templates, none that is accepted lets a key out of its string")
  func random() throws {
    let tokens = [
      "'", "'", "'%s'", "%s", "\"", "$$", "$a$", "$ü$", "E'", "U&'", "X'", "B'", "--", "\n", "\r", "/*", "*/", "\\",
      " ",
      ",", "x", "1", "e", "$", "&", "&&", "_", "ü",
    ]
    var state: UInt64 = 4711
    func next(_ bound: Int) -> Int {
      // A linear congruential generator (Knuth, MMIX).
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    var (accepted, answered) = (0, 0)
    for _ in 0..<20_000 {
      let query = "SELECT " + (0..<2 + next(9)).map { _ in tokens[next(tokens.count)] }.joined()
      guard query.contains("%s"), let template = try? QueryTemplate(Array(query.utf8), line: 1) else { continue }
      accepted += 1
      let usual = try shape(template, "key")
      if usual.hasPrefix("[") { answered += 1 }
      for key in ["'", "\\", "'; SELECT 2; --", "*/"] {
        let shape = try shape(template, key)
        #expect(shape == usual, "\(query.debugDescription) with \(key.debugDescription)")
      }
    }
    // The comparison would prove little if there were few of either.
    #expect(accepted > 500 && answered > 50, "\(accepted) accepted, \(answered) answered")
  }
}
