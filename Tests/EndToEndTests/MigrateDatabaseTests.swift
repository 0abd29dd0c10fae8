// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// What `ullage migrate` asks PostgreSQL.
struct MigrateDatabaseTests {
  private let cluster: PostgresCluster
  private let sandbox: Sandbox
  private let files: PostfixFiles

  init() throws {
    cluster = try PostgresCluster()
    try cluster.makePostfixAdmin(quota: 1000)
    sandbox = try Sandbox()
    for (name, query) in [
      ("paths", PostgresCluster.pathQuery), ("transport", "SELECT transport FROM domain WHERE domain = '%s'"),
    ] {
      try sandbox.write("\(name).cf", cluster.tableFile(query))
    }
    files = try PostfixFiles(
      sandbox,
      main: """
        virtual_mailbox_base = /var/vmail
        virtual_mailbox_maps = proxy:pgsql:\(sandbox("paths.cf"))
        transport_maps = pgsql:\(sandbox("transport.cf"))
        virtual_uid_maps = static:\(MailUser.id)
        virtual_gid_maps = static:\(MailUser.group)

        """)
  }

  private func migrate() throws -> (status: Int32, report: String) {
    let ending = try Command.run(
      [Programs.path("ullage"), "migrate", "--from=\(files.path)", "--to=\(sandbox("ullage.cf"))", "--dry-run"],
      asMailUser: true)
    return (ending.status, ending.output.replacing(#/\s+/#, with: " "))
  }

  @Test("mbox paths in the database are an obstacle, unless the table's format adds the slash")
  func paths() throws {
    #expect(try !migrate().report.contains("mbox"))
    try cluster.sql("UPDATE mailbox SET maildir = 'example.org/you'")
    let found = try migrate()
    #expect(
      found.status == 1 && found.report.contains("a path ends without a slash (example.org/you): those are mbox files"))
    try sandbox.write("paths.cf", cluster.tableFile(PostgresCluster.pathQuery, extra: "result_format = %s/Maildir/"))
    #expect(try migrate().status == 0)
  }

  @Test("Domains whose own transport is virtual are counted, and the statement is given that mends them")
  func transports() throws {
    #expect(try !migrate().report.contains("UPDATE"))
    try cluster.sql("INSERT INTO domain (domain, transport) VALUES ('a.example', 'virtual:'), ('b.example', 'virtual')")
    let found = try migrate()
    #expect(found.status == 0 && found.report.contains("2 domains (a.example and others) have the transport virtual"))
    let update = try #require(found.report.firstMatch(of: #/(UPDATE domain [^;]*;)/#)).1
    try cluster.sql(String(update))
    #expect(try cluster.sql("SELECT DISTINCT transport FROM domain WHERE transport IS NOT NULL") == "ullage:\n")
    #expect(try !migrate().report.contains("UPDATE"))
  }

  @Test("A database that does not answer, or has other tables, leaves the questions to the administrator")
  func silent() throws {
    try cluster.sql("ALTER TABLE mailbox RENAME TO accounts")
    let other = try migrate()
    #expect(
      other.status == 0 && other.report.contains("relation \"mailbox\" does not exist")
        && other.report.contains("look yourself: SELECT maildir FROM mailbox"))
    try cluster.stop()
    let silent = try migrate()
    #expect(silent.status == 0 && silent.report.contains("could not be asked (no connection: "), "\(silent)")
    try cluster.start()
  }
}
