// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// What `ullage migrate` finds out from PostgreSQL.
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

  private func migrate(_ options: [String] = []) throws -> (status: Int32, output: String, report: String) {
    let ending = try Command.run(
      [Programs.path("ullage"), "migrate", "--from=\(files.path)", "--to=\(sandbox("ullage.cf"))", "--dry-run"]
        + options,
      asMailUser: true)
    return (ending.status, ending.output, ending.output.replacing(#/\s+/#, with: " "))
  }

  @Test("mbox paths in the database are an obstacle, unless the table's format or query adds the slash")
  func paths() throws {
    #expect(try !migrate().report.contains("mbox"))
    try cluster.sql("UPDATE mailbox SET maildir = 'example.org/you'")
    let found = try migrate()
    #expect(
      found.status == 1 && found.report.contains("a path ends without a slash (example.org/you): those are mbox files"))
    try sandbox.write("paths.cf", cluster.tableFile(PostgresCluster.pathQuery, extra: "result_format = %s/Maildir/"))
    #expect(try migrate().status == 0)
    try sandbox.write("paths.cf", cluster.tableFile("SELECT maildir || '/' FROM mailbox WHERE username = '%s'"))
    #expect(try migrate().status == 0)
    try sandbox.write("paths.cf", cluster.tableFile(PostgresCluster.pathQuery))
    try cluster.sql("UPDATE mailbox SET active = false")
    #expect(try migrate().status == 0, "inactive mailboxes do not matter")
  }

  @Test(
    "Domains whose own transport is virtual are counted, and the SQL statement that changes them is printed",
    arguments: [([], "ullage:"), (["--lmtp"], "ullage_lmtp:unix:private/ullage-lmtp")])
  func transports(options: [String], transport: String) throws {
    #expect(try !migrate(options).report.contains("UPDATE"))
    try cluster.sql("INSERT INTO domain (domain, transport) VALUES ('a.example', 'virtual:'), ('b.example', 'virtual')")
    let found = try migrate(options)
    #expect(
      found.status == 0
        && found.report.contains("sends 2 domains (a.example) to virtual, which overrides virtual_transport"))
    for statement in statements(commands(in: found.output)) { try cluster.sql(statement) }
    #expect(try cluster.sql("SELECT DISTINCT transport FROM domain WHERE transport IS NOT NULL") == "\(transport)\n")
    #expect(try !migrate(options).report.contains("UPDATE"))
    for statement in statements(commands(in: found.output, after: "The way back.")) { try cluster.sql(statement) }
    #expect(try cluster.sql("SELECT DISTINCT transport FROM domain WHERE transport IS NOT NULL") == "virtual:\n")
  }

  @Test("Postfix's own parameters get Postfix's values, although postconf warns of VDA's parameters")
  func standardNames() throws {
    try files.set(
      "main.cf",
      """
      queue = $queue_directory
      virtual_mailbox_base = /var/vmail
      virtual_mailbox_maps = static:x/
      virtual_trash_name = .Trash
      virtual_maildir_limit_message = see $queue on $mail_name, $nobody_knows
      """)
    let found = try migrate()
    #expect(
      found.report.contains("queue_directory = /var/spool/postfix") && found.report.contains("mail_name = Postfix"))
    #expect(
      found.report.contains("$queue_directory is defined in the new file, with the value that Postfix"))
    #expect(found.report.contains("$nobody_knows is used but not defined") && found.status == 1)
  }

  @Test("If the database does not answer, or has other tables, the administrator is told what to check")
  func silent() throws {
    try cluster.sql("ALTER TABLE mailbox RENAME TO accounts")
    let other = try migrate()
    #expect(
      other.status == 0 && other.report.contains("relation \"mailbox\" does not exist")
        && other.report.contains("check it, with PostfixAdmin's tables: SELECT maildir FROM mailbox"))
    try cluster.stop()
    let silent = try migrate()
    #expect(silent.status == 0 && silent.report.contains("could not be searched (no connection: "), "\(silent)")
    try cluster.start()
  }
}
