// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

/// `ullage publish` and the tables of panels.
struct PublishTests {
  /// A table that a panel shows, in a database of its own, and a host with mailboxes in example.org.
  private final class PanelSite {
    let cluster: PostgresCluster
    let host: MailHost
    let database = "panel_\(UUID().uuidString.prefix(8).lowercased())"
    /// The query for address, bytes and messages, in the order of addresses.
    private let figures: String
    private let usage: String
    let table: String
    private var mailboxes: [String] = []

    init(
      _ schema: String, usage: String, table: String,
      figures: String? = nil
    ) throws {
      cluster = try Shared.cluster()
      host = try MailHost()
      self.usage = usage
      self.table = table
      self.figures = figures ?? "SELECT username, bytes, messages FROM \(table) ORDER BY username"
      try cluster.sql("CREATE DATABASE \(database)")
      try cluster.sql("CREATE TABLE list (address text, path text, bytes bigint)", database: database)
      try cluster.sql(schema, database: database)
      try cluster.sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO postfix", database: database)
      // As the manual has it.
      try cluster.sql("GRANT SELECT, INSERT, UPDATE ON \(table) TO postfix", database: database)
      try configure()
    }

    func configure(_ settings: String = "", hosts: String? = nil) throws {
      let text = cluster.tableFile("SELECT 1", hosts: hosts)
        .replacing("dbname=postgres", with: "dbname=\(database)")
        .replacing("dbname = postgres", with: "dbname = \(database)")
      try host.sandbox.write("list.cf", text)
      // It needs no query.
      let lines = text.split(separator: "\n").filter { !$0.hasPrefix("query") }
      try host.sandbox.write("usage.cf", lines.joined(separator: "\n") + "\n")
      try host.configure(
        """
        mailbox_list_query = SELECT * FROM list
        usage_database = pgsql:\(host.sandbox("usage.cf"))
        usage_dovecot_file =
        \(usage)
        \(settings)
        """, maps: "pgsql:\(host.sandbox("list.cf"))")
    }

    func sql(_ text: String) throws -> String { try cluster.sql(text, database: database) }

    /// Lists a mailbox and makes its Maildir.
    func add(_ name: String, ledger: String?) throws {
      try list(name)
      try host.sandbox.makeMaildir("base/example.org/\(name)")
      if let ledger { try write(ledger, to: name) }
    }

    func list(_ name: String) throws {
      _ = try sql("INSERT INTO list VALUES ('\(name)@example.org', 'example.org/\(name)/', 1000000)")
    }

    func write(_ ledger: String, to name: String) throws {
      try host.sandbox.write("base/example.org/\(name)/maildirsize", ledger)
    }

    func publish(_ options: String...) throws -> Command.Ending { try host.ullage(["publish"] + options) }

    func install(_ options: String...) throws -> Command.Ending {
      var words = host.toolArguments(["database"] + options)
      words.insert("install", at: 2)
      return try Command.run(words, asMailUser: true)
    }

    /// `ann@example.org 700 2`
    func rows() throws -> [String] {
      try sql(figures).split(separator: "\n").map { String($0.replacing("|", with: " ")) }
    }
  }

  /// PostfixAdmin's table as its own installer makes it, with its trigger or without.
  private static func postfixAdmin(withTrigger: Bool) throws -> String {
    let file = try Peers.program("usr/share/postfixadmin/public/upgrade.php")
    let code = try String(contentsOfFile: file, encoding: .utf8)
    func statement(_ beginning: String) throws -> String {
      let text = try #require(
        code.components(separatedBy: beginning).dropFirst().first?.components(separatedBy: "\");").first)
      return (beginning + text).replacing("{IF_NOT_EXISTS}", with: "").replacing("{LATIN1}", with: "")
        .replacing("{BIGINT}", with: "bigint NOT NULL DEFAULT 0").replacing("$table_quota2", with: "quota2")
        .replacing("\\$", with: "$")
    }
    let table = try statement("CREATE TABLE {IF_NOT_EXISTS} $table_quota2")
    guard withTrigger else { return table }
    return try table + statement("CREATE OR REPLACE FUNCTION merge_quota2()") + statement("CREATE TRIGGER mergequota2")
  }

  /// A trigger that does what those of iRedMail and vmm do: a row that is inserted once more is added to the one that
  /// is there, and a negative or missing number of messages means that it is really inserted.
  private static func mergeTrigger(on table: String, key: String) -> String {
    """
    CREATE FUNCTION merge() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF coalesce(NEW.messages, -1) < 0 THEN
        NEW.messages := -coalesce(NEW.messages, 0);
        RETURN NEW;
      END IF;
      UPDATE \(table) AS t SET bytes = t.bytes + NEW.bytes, messages = t.messages + NEW.messages
        WHERE t.\(key) = NEW.\(key);
      IF FOUND THEN RETURN NULL; END IF;
      NEW.messages := -nullif(NEW.messages, 0);
      INSERT INTO \(table) SELECT NEW.*;
      RETURN NULL;
    END $$;
    CREATE TRIGGER merge BEFORE INSERT ON \(table) FOR EACH ROW EXECUTE PROCEDURE merge();
    """
  }

  private static let vmmTables = """
    CREATE TABLE users (local_part varchar(64) NOT NULL, uid bigint NOT NULL UNIQUE, gid bigint NOT NULL,
      PRIMARY KEY (local_part, gid));
    CREATE TABLE domain_name (domainname varchar(255) PRIMARY KEY, gid bigint NOT NULL, is_primary boolean NOT NULL);
    CREATE TABLE userquota (uid bigint PRIMARY KEY REFERENCES users (uid) ON DELETE CASCADE,
      bytes bigint NOT NULL DEFAULT 0, messages integer NOT NULL DEFAULT 0);
    INSERT INTO domain_name VALUES ('example.org', 70000, true);
    INSERT INTO users VALUES ('ann', 70001, 70000), ('bob', 70002, 70000), ('new', 70003, 70000),
      ('old', 70004, 70000);
    """

  enum Panel: String, CaseIterable, CustomTestStringConvertible {
    case postfixAdmin = "PostfixAdmin, with its trigger"
    case postfixAdminWithoutTrigger = "PostfixAdmin, without it"
    case iRedMail, modoboa, vmm

    var testDescription: String { rawValue }
  }

  private static func site(_ panel: Panel) throws -> PanelSite {
    switch panel {
    case .postfixAdmin, .postfixAdminWithoutTrigger:
      try PanelSite(
        postfixAdmin(withTrigger: panel == .postfixAdmin), usage: "usage_table = quota2", table: "quota2")
    case .iRedMail:
      try PanelSite(
        """
        CREATE TABLE used_quota (username varchar(255) PRIMARY KEY, bytes int8 NOT NULL DEFAULT 0,
          messages int8 NOT NULL DEFAULT 0, domain varchar(255) NOT NULL DEFAULT '');
        \(mergeTrigger(on: "used_quota", key: "username"))
        """, usage: "usage_table = public.used_quota", table: "used_quota")
    case .modoboa:
      try PanelSite(
        """
        CREATE TABLE admin_quota (username varchar(254) PRIMARY KEY, bytes bigint NOT NULL DEFAULT 0,
          messages integer NOT NULL DEFAULT 0);
        """, usage: "usage_table = admin_quota", table: "admin_quota")
    case .vmm:
      try PanelSite(
        vmmTables + mergeTrigger(on: "userquota", key: "uid"),
        usage: ManualQueries.lines(after: "vmm identifies mailboxes by user ids:"), table: "userquota",
        figures: """
          SELECT local_part || '@example.org', bytes, messages FROM userquota JOIN users USING (uid)
          ORDER BY local_part
          """)
    }
  }

  /// The lines of ullage.cf that its manual shows after a sentence.
  private enum ManualQueries {
    static func lines(after sentence: String) throws -> String {
      let page = try Project.text("man/ullage.cf.5")
      let text = try #require(page.components(separatedBy: sentence).last)
      return String(try #require(text.firstMatch(of: #/\.Bd -literal -offset indent\n((?:.*\n)*?)\.Ed/#)).1)
    }
  }

  @Test(
    "Each panel's table gets the figures of listed mailboxes, and no row is written twice", arguments: Panel.allCases)
  func panels(panel: Panel) throws {
    let site = try Self.site(panel)
    try site.add("ann", ledger: "1000000S\n700 2\n")
    try site.add("bob", ledger: "1000000S\n 500 1\n-100 0\n")
    try site.list("new")
    // A row that nobody lists, with a figure that is not ours.
    _ = try site.sql(
      panel == .vmm
        ? "INSERT INTO userquota VALUES (70004, 99, NULL)"
        : "INSERT INTO \(site.table) (username, bytes, messages) VALUES ('example.org', 99, 7)")
    let foreign = panel == .vmm ? "old@example.org 99 0" : "example.org 99 7"

    let dry = try site.publish("--dry-run")
    #expect(
      dry.status == 0 && dry.output.hasPrefix("Dry run: the usage of 2 mailboxes would update 2 rows ("), "\(dry)")
    #expect(try site.rows() == [foreign])
    let first = try site.publish()
    #expect(first.status == 0 && first.errors.isEmpty, "\(first)")
    #expect(first.output.hasPrefix("The usage of 2 mailboxes is published; 2 rows updated ("), "\(first)")
    #expect(first.output.contains("\n  1 without a Maildir: no mail has been delivered yet\n"), "\(first)")
    let expected = ["ann@example.org 700 2", "bob@example.org 400 1", foreign].sorted()
    #expect(try site.rows().sorted() == expected)

    #expect(try site.publish().output.contains("; 0 rows updated ("))
    try site.write("1000000S\n900 3\n", to: "ann")
    #expect(try site.publish().output.contains("; 1 row updated ("))
    #expect(try site.rows().sorted() == ["ann@example.org 900 3", "bob@example.org 400 1", foreign].sorted())
  }

  @Test("A broken ledger and an address that is listed twice leave rows as they are; one that is too long is named")
  func left() throws {
    let site = try Self.site(.postfixAdmin)
    let long = String(repeating: "x", count: 100)
    for name in ["ann", "bob", "eve", long] { try site.add(name, ledger: "1000000S\n700 2\n") }
    _ = try site.publish()
    try site.write("", to: "ann")
    try site.write("1000000S\n800 2\n", to: "bob")
    try site.list("bob")
    try site.write("1000000S\n900 2\n", to: "eve")
    let ending = try site.publish()
    #expect(ending.status == 2, "\(ending)")
    let reason = "ERROR:  value too long for type character varying(100)"
    #expect(ending.errors.contains("ullage: publish: \(long)@example.org: not published: \(reason)\n"), "\(ending)")
    #expect(ending.errors.contains("ullage: publish: bob@example.org: not published: it is listed several times;"))
    #expect(
      ending.output.contains("\n  1 without a usable maildirsize: ullage recompute --all makes one\n"), "\(ending)")
    #expect(ending.output.hasPrefix("The usage of 1 mailbox is published; 1 row updated ("), "\(ending)")
    #expect(try site.rows() == ["ann@example.org 700 2", "bob@example.org 700 2", "eve@example.org 900 2"])
    #expect(try site.publish("--quiet").output.isEmpty)
  }

  @Test("The time of the last publication of all mailboxes is kept once the tables for it are installed")
  func time() throws {
    let site = try Self.site(.postfixAdmin)
    try site.add("ann", ledger: "1000000S\n700 2\n")
    #expect(try site.publish().output.contains(": ullage database install makes the table for it\n"))
    let refused = try site.install()
    #expect(refused.status == 78 && refused.errors.contains("permission denied for"), "\(refused)")
    // As the manual has it.
    let sql = try site.install("--print", "--role", "postfix")
    #expect(sql.status == 0 && sql.errors.isEmpty, "\(sql)")
    for _ in 1...2 { _ = try site.sql(sql.output) }
    let note = "SELECT target, mailboxes, now() - finished < interval '1 minute', host <> '' FROM ullage.publication"
    #expect(try site.publish("--dry-run").status == 0)
    #expect(try site.publish("--domain=example.org").status == 0)
    #expect(try site.sql(note).isEmpty)
    let ending = try site.publish()
    #expect(ending.status == 0 && !ending.output.contains("not kept"), "\(ending)")
    #expect(try site.sql(note) == "quota2|1|t|t\n")
  }

  @Test("A role that may create a schema installs it by the command itself, at first and again")
  func install() throws {
    let site = try Self.site(.modoboa)
    _ = try site.sql("GRANT CREATE ON DATABASE \(site.database) TO postfix")
    for text in ["The schema ullage is installed (version 1)\n", "The schema ullage is up to date (version 1)\n"] {
      let ending = try site.install()
      #expect(ending.status == 0 && ending.output == text, "\(ending)")
    }
    _ = try site.sql("INSERT INTO ullage.version VALUES (99)")
    #expect(try site.install().output.contains("version 99, which a newer ullage"))
  }

  @Test("An audit publishes what it has counted, and what it has repaired")
  func audit() throws {
    let site = try Self.site(.postfixAdmin)
    try site.add("ann", ledger: "1000000S\n700 1\n")
    try site.add("bob", ledger: "")
    try site.add("eve", ledger: "1000000S\n300 1\n")
    for name in ["ann", "bob", "eve"] {
      try site.host.sandbox.write("base/example.org/\(name)/cur/a,S=900:2,S", MailHost.message(900))
    }
    let ending = try site.host.ullage("audit", "--share=1", "--repair", "--publish")
    #expect(ending.status == 1, "\(ending)")
    #expect(
      try site.rows() == ["ann@example.org 900 1", "bob@example.org 900 1", "eve@example.org 900 1"], "\(ending)")
    try site.list("bob")
    try site.configure("usage_table = quota2")
    #expect(try site.host.ullage("audit", "--level=0", "--publish").status == 2)
  }

  @Test("Through pgbouncer in transaction mode; 2,500 mailboxes in three batches, with a quote in one")
  func pooled() throws {
    let site = try Self.site(.postfixAdmin)
    try site.add("o''brien", ledger: nil)
    let script = """
      import os, sys
      for name in ["o'brien"] + [f'u{number}' for number in range(2500)]:
        maildir = f'{sys.argv[1]}/example.org/{name}'
        for part in ('cur', 'new', 'tmp'): os.makedirs(f'{maildir}/{part}', 0o700, exist_ok=True)
        open(f'{maildir}/maildirsize', 'w').write('1000000S\\n 300 1\\n')
      """
    try Command.check(["python3", "-c", script, site.host.sandbox("base")], asMailUser: true)
    _ = try site.sql(
      """
      INSERT INTO list SELECT 'u' || i || '@example.org', 'example.org/u' || i || '/', 0
      FROM generate_series(0, 2499) AS i
      """)
    let pool = try PgBouncer(site.cluster, poolSize: 2, in: site.host.sandbox)
    try site.configure(hosts: "127.0.0.1:\(pool.port)")
    let ending = try site.publish()
    #expect(
      ending.status == 0 && ending.output.hasPrefix("The usage of 2,501 mailboxes is published; 2,501 rows"),
      "\(ending)")
    #expect(try site.sql("SELECT count(*), sum(bytes) FROM quota2") == "2501|750300\n")
    #expect(try site.sql("SELECT bytes FROM quota2 WHERE username = 'o''brien@example.org'") == "300\n")
    withExtendedLifetime(pool) {}
  }

  @Test(
    "What must be corrected first is said, and nothing is written",
    arguments: [
      ("usage_table =", "usage_table is not set; see ullage.cf(5)"),
      ("usage_table = quota3", "usage_table: ERROR:  relation \"quota3\" does not exist"),
      ("usage_tabel = quota2", "ullage.cf, line 10: unknown parameter usage_tabel"),
      ("usage_table = list", "usage_table: ERROR:  column \"username\""),
    ])
  func mistakes(line: String, message: String) throws {
    let site = try Self.site(.postfixAdmin)
    try site.add("ann", ledger: "1000000S\n700 2\n")
    try site.configure(line)
    let ending = try site.publish()
    #expect(ending.status == 78 && ending.errors.contains(message), "\(ending)")
    #expect(try site.rows().isEmpty)
  }

  @Test("A role without the right to write is told so; a domain without mailboxes is most likely misspelt")
  func rights() throws {
    let site = try Self.site(.postfixAdmin)
    try site.add("ann", ledger: "1000000S\n700 2\n")
    #expect(try site.publish("--domain=example.net").status == 67)
    _ = try site.sql("REVOKE UPDATE ON quota2 FROM postfix")
    let ending = try site.publish()
    #expect(ending.status == 78 && ending.errors.contains("permission denied for table quota2"), "\(ending)")
  }

  @Test("A standby is passed over")
  func standby() throws {
    let primary = try PostgresCluster()
    try primary.makePostfixAdmin(quota: 0)
    try primary.sql(
      """
      CREATE TABLE list AS SELECT 'ann@example.org' AS address, 'example.org/ann/' AS path, 1000000::bigint AS bytes;
      CREATE TABLE quota2 (username varchar(100) PRIMARY KEY, bytes bigint NOT NULL, messages int NOT NULL);
      GRANT SELECT, INSERT, UPDATE ON list, quota2 TO postfix;
      """)
    let standby = try PostgresCluster(following: primary)
    let host = try MailHost()
    try host.sandbox.makeMaildir("base/example.org/ann")
    try host.sandbox.write("base/example.org/ann/maildirsize", "1000000S\n700 2\n")
    func publish(_ hosts: [PostgresCluster]) throws -> Command.Ending {
      let places = hosts.map { "127.0.0.1:\($0.port)" }.joined(separator: " ")
      try host.sandbox.write("usage.cf", primary.tableFile("SELECT 1", hosts: places))
      try host.configure(
        "mailbox_list_query = SELECT * FROM list\nusage_table = quota2\nusage_dovecot_file =",
        maps: "pgsql:\(host.sandbox("usage.cf"))")
      return try host.ullage("publish")
    }
    let both = try publish([standby, primary])
    #expect(both.status == 0 && both.output.contains("; 1 row updated"), "\(both)")
    #expect(try primary.sql("SELECT * FROM quota2") == "ann@example.org|700|2\n")
  }

  @Test(
    "Where Dovecot writes the same table, nothing is written",
    arguments: [
      ("quota_clone_dict = proxy::usage", "quota quota_clone", "quota2", 78),
      ("quota_clone_dict = proxy::usage", "quota quota_clone", "other", 0),
      ("quota_clone_dict = proxy::usage", "quota", "quota2", 0),
      ("quota = dict:User quota::proxy::usage", "quota", "quota2", 78),
      ("quota = maildir:User quota", "quota", "quota2", 0),
    ])
  func secondWriter(setting: String, plugins: String, table: String, status: Int32) throws {
    let site = try Self.site(.postfixAdmin)
    try site.add("ann", ledger: "1000000S\n700 2\n")
    try site.host.sandbox.write(
      "map.conf",
      """
      connect = host=localhost dbname=mail
      map {
        pattern = priv/quota/storage
        table = \(table)
        username_field = username
        value_field = bytes
      }
      """)
    try site.host.sandbox.write(
      "clone.conf",
      """
      protocols = imap
      mail_plugins = \(plugins)
      plugin {
        \(setting)
      }
      dict {
        usage = pgsql:\(site.host.sandbox("map.conf"))
      }
      """)
    try site.configure("usage_dovecot_file = \(site.host.sandbox("clone.conf"))")
    let ending = try site.publish()
    #expect(ending.status == status, "\(ending)")
    guard status != 0 else { return }
    let name = String(setting.prefix { $0 != " " })
    let place = "\(name) in \(site.host.sandbox("clone.conf")), by \(site.host.sandbox("map.conf"))"
    #expect(
      ending.errors.hasPrefix("ullage: publish: Dovecot writes to that table itself (\(place)), and each"), "\(ending)")
    #expect(try site.rows().isEmpty)
    let audit = try site.host.ullage("audit", "--level=0", "--publish")
    #expect(audit.status == 78 && audit.output.hasPrefix("Audit of 1 mailbox"), "\(audit)")

    // In doubt, too, until the file can be read or is said not to matter.
    try Command.check(["chmod", "0", site.host.sandbox("map.conf")])
    let doubtful = try site.publish()
    #expect(doubtful.status == 78 && doubtful.errors.contains("Dovecot may write to that table itself"), "\(doubtful)")
    try Command.check(["chmod", "0", site.host.sandbox("clone.conf")])
    #expect(try site.publish().status == 78)
    #expect(try site.rows().isEmpty)
    try site.configure()
    #expect(try site.publish().status == 0)
  }

  @Test("A configuration of Dovecot that is named must be there")
  func missingDovecot() throws {
    let site = try Self.site(.modoboa)
    try site.configure("usage_dovecot_file = \(site.host.sandbox("nowhere.conf"))")
    let ending = try site.publish()
    #expect(ending.status == 78 && ending.errors.contains("doveconf -n -c"), "\(ending)")
  }

  @Test("A mailbox that cannot be read is named, in a dry run, too; one that is empty gets a row with zeros")
  func unreadable() throws {
    let site = try Self.site(.postfixAdmin)
    try site.add("ann", ledger: "1000000S\n0 0\n")
    try site.add("bob", ledger: "1000000S\n700 2\n")
    try Command.check(["chmod", "0", site.host.sandbox("base/example.org/bob")])
    for options in [["--dry-run"], ["--quiet"]] {
      let ending = try site.host.ullage(["publish"] + options)
      #expect(ending.status == 2 && ending.errors.contains("bob@example.org: not published: "), "\(ending)")
    }
    #expect(try site.rows() == ["ann@example.org 0 0"])
  }

  @Test("A database that refuses every row is to blame itself")
  func refusesAll() throws {
    let site = try Self.site(.modoboa)
    _ = try site.sql("ALTER TABLE admin_quota ADD CHECK (bytes < 0 OR username = '')")
    for number in 10..<40 { try site.add("u\(number)", ledger: "1000000S\n700 2\n") }
    let ending = try site.publish()
    #expect(ending.status == 78 && ending.errors.contains("usage_table: ERROR:  new row for relation"), "\(ending)")
    #expect(ending.errors.split(separator: "\n").count == 21, "\(ending)")
  }

  @Test("Many rows that the database refuses at the beginning of the list keep no other from being written")
  func refusesFirst() throws {
    let site = try Self.site(.modoboa)
    _ = try site.sql("ALTER TABLE admin_quota ADD CHECK (username NOT LIKE 'a%')")
    for number in 10..<40 { try site.add("a\(number)", ledger: "1000000S\n700 2\n") }
    try site.add("zoe", ledger: "1000000S\n700 2\n")
    let ending = try site.publish()
    #expect(ending.status == 2 && ending.errors.split(separator: "\n").count == 30, "\(ending)")
    #expect(try site.rows() == ["zoe@example.org 700 2"])
  }

  @Test("A dry run finds what the database would refuse, and leaves nothing behind")
  func dryRefusal() throws {
    let site = try Self.site(.postfixAdmin)
    for name in ["ann", String(repeating: "x", count: 100)] { try site.add(name, ledger: "1000000S\n700 2\n") }
    let ending = try site.publish("--dry-run")
    #expect(ending.status == 2 && ending.output.contains("usage of 1 mailbox would update 1 row"), "\(ending)")
    #expect(try site.rows().isEmpty)
  }
}
