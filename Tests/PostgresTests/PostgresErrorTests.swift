// SPDX-License-Identifier: Apache-2.0
import Posix
import Testing
import Text

@testable import Postgres

/// What is said about a database without an answer.
struct PostgresErrorTests {
  @Test(
    "Each error is one sentence, which says what to do where that is known",
    arguments: [
      (
        PostgresError.libraryMissing("libpq.so.5: cannot open shared object file"),
        "libpq cannot be loaded: libpq.so.5: cannot open shared object file; install the package libpq5"
      ),
      (.notConnected("connection refused"), "no connection: connection refused"),
      (.lost("server closed"), "connection lost: server closed"), (.timedOut, "no answer in time"),
      (.query("syntax error"), "query failed: syntax error; see query in the table file"),
      (.cancelled("statement timeout"), "query cancelled: statement timeout"),
      (.notEncodable, "the key cannot be represented in the connection's encoding"),
    ])
  func sentences(error: PostgresError, sentence: String) {
    #expect(error.shown == sentence)
  }

  private static func connect(
    _ parameters: [(keyword: String, value: [UInt8])], library: String = "libpq.so.5"
  ) -> PostgresError? {
    #expect(throws: PostgresError.self) {
      try PostgresConnection(parameters, library: library, until: Deadline(secondsFromNow: 30))
    }
  }

  @Test("A missing library is an error and not the end of the program")
  func noLibrary() {
    guard case .libraryMissing(let text)? = Self.connect([], library: "libpq-no-such.so") else {
      Issue.record("no such error")
      return
    }
    #expect(text.contains("libpq-no-such.so"))
  }

  @Test("A library that lacks libpq's functions is no libpq")
  func otherLibrary() {
    guard case .libraryMissing(let text)? = Self.connect([], library: "libm.so.6") else {
      Issue.record("no such error")
      return
    }
    #expect(text.contains("PQ"))
  }

  @Test(
    "What libpq says about a connection string that it cannot parse is not repeated: it quotes parts of it",
    arguments: [
      "postgresql://u:s3cret@[::1/d", "host=h password='s3cret", "nonsense=s3cret", "postgresql://u:s3cret%zz@h/d",
    ])
  func badConnectionString(text: String) {
    guard case .notConnected(let said)? = Self.connect([("dbname", Array(text.utf8))]) else {
      Issue.record("no such error")
      return
    }
    #expect(!said.contains("s3cret"), "\(said)")
  }

  @Test("A server that is not there is named")
  func noServer() {
    let parameters: [(keyword: String, value: [UInt8])] = [
      ("dbname", Array("d".utf8)), ("host", Array("/nonexistent".utf8)), ("password", Array("s3cret".utf8)),
    ]
    guard case .notConnected(let said)? = Self.connect(parameters) else {
      Issue.record("no such error")
      return
    }
    #expect(said.contains("/nonexistent/.s.PGSQL.5432") && !said.contains("\n"))
  }
}
