// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// The examples for IMAP servers that the package installs, with the real programs and PostfixAdmin's columns.
final class ExampleTests: CheckFixture {
  private static func text(_ name: String) throws -> String {
    try Project.text("scripts/package.d/examples/\(name)")
  }

  @Test("Dovecot 2.3: the real doveconf takes the lines, and check finds nothing")
  func dovecot() throws {
    try host.sandbox.write(
      "dovecot.conf", "ssl = no\nprotocols = imap\n" + (try Self.text("dovecot-2.3.conf")), mode: 0o644)
    let ending = try check("--dovecot=\(host.sandbox("dovecot.conf"))", "--format=table")
    #expect(ending.output.contains("Dovecot keeps maildirsize as Ullage does"), "\(ending)")
  }

  private static func cluster() throws -> PostgresCluster {
    let cluster = try PostgresCluster()
    try cluster.makePostfixAdmin(quota: 5_000_000)
    try cluster.sql("ALTER TABLE mailbox ADD password varchar(255) NOT NULL DEFAULT '{PLAIN}x'")
    return cluster
  }

  @Test("Dovecot's user_query gives the Maildir and the limit of the same column")
  func userQuery() throws {
    let text = try Self.text("dovecot-sql.conf.ext").replacing("\\\n", with: "")
    for (name, expected) in [
      ("user_query", "/var/vmail/example.org/you/|vmail|vmail|*:bytes=5000000\n"),
      ("password_query", "you@example.org|{PLAIN}x\n"),
    ] {
      let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("\(name) = ") })
      let query = line.dropFirst("\(name) = ".count).replacing("%u", with: "you@example.org")
      #expect(try Self.cluster().sql(String(query)) == expected)
    }
  }

  @Test("Courier's fields give the Maildir, and the limit as maildirsize has it; none for a mailbox without one")
  func courier() throws {
    let cluster = try Self.cluster()
    var fields: [String: String] = [:]
    for line in try Self.text("courier-authpgsqlrc").split(separator: "\n") where !line.hasPrefix("#") {
      let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
      fields[parts[0]] = parts[1]
    }
    // As authpgsql composes it.
    let names = ["LOGIN", "CRYPT", "UID", "GID", "HOME", "MAILDIR", "QUOTA"]
    let columns = names.map { fields["PGSQL_\($0 == "CRYPT" ? "CRYPT_PW" : $0 + "_")FIELD"] ?? "''" }
    func row() throws -> String {
      try cluster.sql(
        "SELECT \(columns.joined(separator: ", ")) FROM \(fields["PGSQL_USER_TABLE"] ?? "") WHERE"
          + " \(fields["PGSQL_LOGIN_FIELD"] ?? "") = 'you@example.org' AND (\(fields["PGSQL_WHERE_CLAUSE"] ?? ""))")
    }
    #expect(try row() == "you@example.org|{PLAIN}x|5000|5000|/var/vmail|example.org/you/|5000000S\n")
    try cluster.sql("UPDATE mailbox SET quota = 0")
    #expect(try row().hasSuffix("example.org/you/|\n"))
  }
}
