// SPDX-License-Identifier: Apache-2.0
import Configuration
import Testing
import Text

@testable import Database

/// `hosts` of a table file becomes libpq's keywords (pgsql_table(5)).
struct ConnectionSettingsTests {
  /// The keywords of each host, as `name=value`, without those that all have.
  private static func hosts(
    _ hosts: String, user: String = "u", password: String = "p", database: String = "d"
  ) throws -> [[String]] {
    try ConnectionSettings(
      hosts: Array(hosts.utf8), user: Array(user.utf8), password: Array(password.utf8),
      database: Array(database.utf8), encoding: Array("UTF8".utf8)
    ).hosts.map { host in
      host.map { "\($0.name)=\($0.value.text)" }
        .filter { $0 != "client_encoding=UTF8" && $0 != "fallback_application_name=ullage" }
    }
  }

  @Test(
    "A host in each spelling",
    arguments: [
      ("", ["host=localhost"]), ("db.example.org", ["host=db.example.org"]),
      ("db:5433", ["host=db", "port=5433"]), ("inet:db:5433", ["host=db", "port=5433"]),
      ("unix:/run/postgresql", ["host=/run/postgresql"]), ("/run/postgresql", ["host=/run/postgresql"]),
      ("[::1]:5433", ["host=::1", "port=5433"]), ("[::1]", ["host=::1"]), ("inet:[::1]", ["host=::1"]),
    ])
  func host(text: String, keywords: [String]) throws {
    #expect(try Self.hosts(text) == [["dbname=d"] + keywords + ["user=u", "password=p"]])
  }

  @Test("Several hosts are tried in their order; blanks and commas separate them")
  func several() throws {
    #expect(try Self.hosts("a, b:1\tc").map { $0[1] } == ["host=a", "host=b", "host=c"])
  }

  @Test("A connection URI is passed on as it is, and needs no dbname")
  func uri() throws {
    #expect(
      try Self.hosts("postgresql://u@h/d?sslmode=require", database: "")
        == [["dbname=postgresql://u@h/d?sslmode=require"]])
  }

  @Test("An empty user or password is not passed on, so that libpq's own defaults apply")
  func defaults() throws {
    #expect(try Self.hosts("h", user: "", password: "") == [["dbname=d", "host=h"]])
  }

  @Test("Without a database there is nothing to connect to")
  func noDatabase() {
    let error = #expect(throws: ConfigurationError.self) { try Self.hosts("h", database: "") }
    #expect(error?.message == "dbname is missing")
  }
}

struct SQLTextTests {
  @Test("Statements are put together as bytes, which need not be UTF-8")
  func bytes() {
    let name = SQLText([0xFC])
    #expect(("SELECT \(name), \(SQLText("x"))" as SQLText).bytes == Array("SELECT ".utf8) + [0xFC] + Array(", x".utf8))
  }
}
