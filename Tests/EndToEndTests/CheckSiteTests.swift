// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

/// `ullage check` with a real PostgreSQL: tables, databases, mailboxes, the machine.
final class CheckSiteTests: CheckFixture {
  @Test("With everything right it exits with 0, and each part says so")
  func right() throws {
    // As in a delivery, the administrator's environment has no effect.
    let ending = try check("--format=table", environment: ["PGSSLMODE": "require", "HOME": "/root"])
    #expect(ending.status == 0, "\(ending)")
    for text in [
      "ullage.cf is valid", "answers for virtual_mailbox_maps", "answers for virtual_mailbox_limit_maps",
      "master.cf is right", "a mailbox checked, 1 with a Maildir", "where locks work", "the database agree",
    ] { #expect(ending.output.contains(text), "\(text): \(ending.output)") }
  }

  @Test("Where usage is to be published, the mail user must be able to write it, and Dovecot must not")
  func usage() throws {
    let table = "usage_\(site.table)"
    try site.cluster.sql(
      "CREATE TABLE \(table) (username text PRIMARY KEY, bytes bigint NOT NULL, messages bigint NOT NULL)")
    try configure("usage_table = \(table)\nusage_dovecot_file =")
    let closed = try #require(try findings().first)
    #expect(closed["kind"] == "usage-table" && closed["severity"] == "warning", "\(closed)")
    #expect(closed["finding"]?.contains("permission denied for table \(table)") == true, "\(closed)")
    #expect(closed["remedy"]?.contains("SELECT, INSERT and UPDATE") == true, "\(closed)")
    try site.cluster.sql("GRANT SELECT, INSERT, UPDATE ON \(table) TO postfix")
    #expect(try findings() == [])
    #expect(try check("--format=table").output.contains("usage can be published (\(table))"))
    try configure("usage_table = \(table)\nusage_dovecot_file = /nowhere")
    #expect(try kinds() == ["warning usage-table"])
  }

  @Test("A table file is checked as the mail user, and the suggested command repairs its permissions")
  func tableRights() throws {
    try Command.check(["chown", "root:root", host.sandbox("limits.cf")])
    let closed = try #require(try findings().first)
    #expect(closed["kind"] == "bad-table" && closed["finding"]?.contains("Permission denied") == true, "\(closed)")
    let remedy = try #require(closed["remedy"])
    #expect(remedy == "setfacl -m u:nobody:r \(host.sandbox("limits.cf"))")
    try Command.check(["sh", "-c", remedy])
    #expect(try findings() == [])
    try Command.check(["chmod", "o+r", host.sandbox("list.cf")])
    let open = try #require(try findings().first)
    #expect(open["kind"] == "table-rights" && open["severity"] == "warning", "\(open)")
    try Command.check(["sh", "-c", try #require(open["remedy"])])
    #expect(try findings() == [])
    try Command.check(["chown", "root:root", host.sandbox("ullage.cf")])
    let own = try #require(try findings().first)
    #expect(own["kind"] == "configuration-rights" && own["severity"] == "error", "\(own)")
    try Command.check(["sh", "-c", try #require(own["remedy"])])
    #expect(try findings() == [])
  }

  @Test("The suggested command opens a closed directory above a table")
  func closedDirectory() throws {
    let text = try #require(host.sandbox.text("limits.cf"))
    try host.sandbox.write("sql/limits.cf", text, mode: 0o640)
    try site.host.configure(
      Self.required + "\nvirtual_mailbox_limit_maps = pgsql:\(host.sandbox("sql/limits.cf"))\n",
      maps: "pgsql:\(host.sandbox("list.cf"))")
    try lock()
    try Command.check(["chown", "-R", "root:root", host.sandbox("sql")])
    let found = try #require(try findings().first { $0["kind"] == "bad-table" })
    try Command.check(["sh", "-c", try #require(found["remedy"])])
    #expect(try !kinds().contains("error bad-table"))
  }

  @Test("The database is queried as the mail user, whom PostgreSQL may admit by name (peer)")
  func peer() throws {
    let own = try PostgresCluster()
    let site = try AuditSite(Self.required, cluster: own)
    try site.makeIndex()
    try site.add("a")
    try own.sql("CREATE ROLE nobody LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO nobody")
    let files = try PostfixFiles(
      site.host.sandbox, main: Self.main,
      master: "ullage unix - n n - 20 pipe " + PostfixInstance.entry(site.host, program: MailHost.program) + "\n")
    for name in ["list.cf", "limits.cf"] {
      let text = try #require(site.host.sandbox.text(name))
      try site.host.sandbox.write(
        name, text.replacingOccurrences(of: "user = postfix\npassword = geheim\n", with: "user = nobody\n"), mode: 0o644
      )
    }
    try own.setAccess("local all nobody peer\n")
    let arguments = [
      "check", "--postfix=\(files.path)", "--format=jsonl", "--dovecot=/nowhere", "--courier=/nowhere",
      "--ignore=configuration-rights",
    ]
    let asRoot = try site.host.ullage(arguments, asMailUser: false)
    #expect(try asRoot.records.filter { $0["severity"] != "notice" } == [], "\(asRoot)")
    #expect(
      try site.host.ullage(arguments + ["--user=postgres"], asMailUser: false).output.contains(
        "Peer authentication failed"))
  }

  @Test("With the lookup service, PostgreSQL need admit only the service's user, neither the mail user nor root")
  func peerOfService() throws {
    let own = try PostgresCluster()
    let socket = host.sandbox("lookup")
    let site = try AuditSite(Self.required + "\nlookup_socket = \(socket)", cluster: own)
    try site.makeIndex()
    try site.add("a")
    try own.sql("CREATE ROLE games LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO games")
    try own.setAccess("local all games peer\n")
    for name in ["list.cf", "limits.cf"] {
      let text = try #require(site.host.sandbox.text(name))
      try site.host.sandbox.write(
        name, text.replacingOccurrences(of: "user = postfix\npassword = geheim\n", with: "user = games\n"), mode: 0o644)
    }
    try Command.check(["chmod", "644", site.host.sandbox("ullage.cf")])
    try Command.check(["chmod", "777", host.sandbox.path])
    let daemon = try ServiceDaemon(
      site.host.sandbox("ullage.cf"), socket: socket,
      launcher: ["setpriv", "--reuid=games", "--regid=\(MailUser.group)", "--clear-groups"])
    let files = try PostfixFiles(
      site.host.sandbox, main: Self.main,
      master: "ullage unix - n n - 20 pipe " + PostfixInstance.entry(site.host, program: MailHost.program) + "\n")
    let served = try site.host.ullage(
      "check", "--postfix=\(files.path)", "--format=jsonl", "--dovecot=/nowhere", "--courier=/nowhere",
      "--ignore=configuration-rights", asMailUser: false)
    // The mailbox list is different: the audit queries the database itself.
    #expect(
      try served.records.filter { $0["severity"] != "notice" }.compactMap { $0["kind"] } == ["mailbox-list"],
      "\(served)")
    // By hand, the service answers when the tables do not.
    #expect(try site.host.ullage("status", "a@example.org", asMailUser: false).status == 0)
    withExtendedLifetime(daemon) {}
  }

  @Test("A database that does not answer is found, and a query that fails")
  func database() throws {
    try host.sandbox.write("limits.cf", "hosts = unix:/nowhere\ndbname = x\nquery = SELECT 1 WHERE '%s' = ''\n")
    try lock()
    #expect(try kinds() == ["error database-unreachable"])
    try host.sandbox.write("limits.cf", site.cluster.tableFile("SELECT nothing FROM nowhere WHERE address = '%s'"))
    try lock()
    let refused = try #require(try findings().first)
    #expect(refused["finding"]?.contains("relation \"nowhere\" does not exist") == true, "\(refused)")
  }

  @Test("A lookup without an index is found, however small the table; one with an index is not")
  func index() throws {
    let other = try AuditSite(Self.required)
    try other.list("x@example.org", "example.org/x/")
    try host.sandbox.write("limits.cf", try #require(other.host.sandbox.text("limits.cf")))
    try lock()
    let small = try check("--ignore=list-differs").records.filter { $0["kind"] == "no-index" }
    #expect(small.count == 1 && small[0]["severity"] == "notice", "a small table is fast, but may grow")
    try site.cluster.sql(
      "INSERT INTO \(other.table) SELECT n || '@example.org', n || '/', 1, 0 FROM generate_series(1, 2000) n")
    let found = try #require(try findings().first { $0["kind"] == "no-index" })
    #expect(
      found["remedy"]?.contains("add an index on list_") == true && found["remedy"]?.contains("(address = ") == true,
      "\(found)")
    try other.makeIndex()
    #expect(try !kinds().contains { $0.hasSuffix("no-index") })
    // An index is read completely if the query puts its column into a function.
    try host.sandbox.write(
      "limits.cf", site.cluster.tableFile("SELECT bytes FROM \(other.table) WHERE lower(address) = lower('%s')"))
    try lock()
    let whole = try #require(try findings().first { $0["kind"] == "no-index" })
    #expect(
      whole["remedy"]?.contains("add an index on list_") == true && whole["remedy"]?.contains("lower(address)") == true
    )
  }

  @Test("A table whose name must be quoted is named as it is, and its rows are counted")
  func quotedTable() throws {
    let name = "\"Mail \(site.table)\""
    try site.cluster.sql("CREATE TABLE \(name) AS SELECT * FROM \(site.table); GRANT SELECT ON \(name) TO PUBLIC")
    try host.sandbox.write(
      "limits.cf", site.cluster.tableFile("SELECT bytes FROM \(name) WHERE address = '%s'"))
    try lock()
    let found = try #require(try check().records.first { $0["kind"] == "no-index" })
    #expect(found["severity"] == "notice", "few rows: \(found)")
    #expect(found["finding"]?.contains("Mail \(site.table) ") == true, "\(found)")
  }

  @Test("A lookup that would defer a listed mailbox is found, and a list that differs from the tables")
  func lookups() throws {
    try configure("virtual_uid_maps = static:1")
    let other = try #require(try findings().first)
    #expect(
      other["kind"] == "lookup" && other["finding"]?.contains("gives 1, but deliveries run as") == true, "\(other)")
    try configure("")
    try host.sandbox.write("limits.cf", "you 1\na@example.org 10M\n")
    try site.host.configure(
      Self.required + "\nvirtual_mailbox_limit_maps = texthash:\(host.sandbox("limits.cf"))\n"
        + "mailbox_list_query = SELECT * FROM \(site.table)", maps: "pgsql:\(host.sandbox("list.cf"))")
    try lock()
    let number = try #require(try findings().first)
    #expect(
      number["kind"] == "lookup" && number["finding"]?.contains("gives \"10M\", which is not a whole number") == true)
    // The command shows what the table says.
    let steps = try #require(number["remedy"]?.components(separatedBy: "shows the steps: ullage ").last)
    let shown = try Command.run(["sh", "-c", "\(Programs.path("ullage")) \(steps)"])
    #expect(shown.status == 0 && shown.output.contains("10M"), "\(shown)")
    try host.sandbox.write("limits.cf", "a@example.org 999\n")
    try lock()
    let limit = try #require(try findings().first)
    #expect(
      limit["kind"] == "list-differs"
        && limit["finding"] == "its limit is 1000000 bytes in the list and 999 bytes for deliveries", "\(limit)")
  }

  @Test(
    "A row that is wrong in the list and in the tables is an error, whatever the sound rows say",
    arguments: ["10000000S", "104857600.00", "many", ""])
  func badRows(limit: String) throws {
    try site.cluster.sql("ALTER TABLE \(site.table) ALTER bytes TYPE text")
    try site.list("b@example.org", "example.org/b/", bytes: limit)
    let found = try findings().map { "\($0["severity"] ?? "") \($0["kind"] ?? ""): \($0["finding"] ?? "")" }
    #expect(found.contains("error bad-limit: its limit \"\(limit)\" is not a whole number"), "\(found)")
    #expect(found.contains { $0.hasPrefix("error lookup: ") }, "\(found)")
  }

  @Test(
    "Limits that no ordinary message fits into are a warning: the column may be in MB; a sum that overflows says so")
  func unit() throws {
    try site.cluster.sql("UPDATE \(site.table) SET bytes = 8192; ALTER TABLE \(site.table) ALTER bytes TYPE int")
    let small = try #require(try findings("--ignore=header-limit").first)
    #expect(
      small["kind"] == "small-limit"
        && small["finding"] == "a limit is below 100,000 bytes: 8,192", "\(small)")
    // The remedy without its cast, and with it.
    try host.sandbox.write(
      "limits.cf", site.cluster.tableFile("SELECT bytes * 1048576 FROM \(site.table) WHERE address = '%s'"))
    try lock()
    let overflow = try #require(try findings().first { $0["kind"] == "lookup" })
    #expect(overflow["finding"]?.contains("integer out of range; calculate with a larger type") == true, "\(overflow)")
    try site.configure(
      Self.required
        + "\nmailbox_list_query = SELECT address, path, bytes::bigint * 1048576, messages FROM \(site.table)")
    try host.sandbox.write(
      "limits.cf", site.cluster.tableFile("SELECT bytes::bigint * 1048576 FROM \(site.table) WHERE address = '%s'"))
    try lock()
    #expect(try findings("--ignore=header-limit").filter { $0["severity"] != "good" } == [])
  }

  @Test("An address with capitals is not found, and the printed statement mends it")
  func capitals() throws {
    try site.cluster.sql("UPDATE \(site.table) SET address = 'A@Example.org'")
    let found = try #require(try findings().first)
    #expect(
      found["kind"] == "lookup" && found["finding"]?.hasPrefix("its address has capitals; ") == true, "\(found)")
    let statement = try #require(found["remedy"])
    try site.cluster.sql(
      statement.replacing("mailbox", with: site.table).replacing("username", with: "address"))
    #expect(try kinds().filter { !$0.hasPrefix("good") } == [])
  }

  @Test("A mailbox whose limit depends on the address is found, and the printed query mends it (PostfixAdmin)")
  func addressLimit() throws {
    let cluster = try PostgresCluster()
    try cluster.makePostfixAdmin(quota: 3_000_000)
    try cluster.sql(
      """
      CREATE TABLE alias_domain (alias_domain varchar(255) PRIMARY KEY, target_domain varchar(255) NOT NULL,
        active boolean NOT NULL DEFAULT true);
      INSERT INTO domain (domain) VALUES ('example.net');
      INSERT INTO alias_domain VALUES ('example.net', 'example.org');
      GRANT SELECT ON alias_domain TO postfix;
      """)
    func table(_ name: String, _ query: String) throws -> String {
      try host.sandbox.write(name, cluster.tableFile(query))
      try Command.check(["chown", "root:\(MailUser.group)", host.sandbox(name)])
      try Command.check(["chmod", "640", host.sandbox(name)])
      return "pgsql:\(host.sandbox(name))"
    }
    let paths = try table("paths.cf", PostgresCluster.pathQuery)
    let limits = try table("pa-limits.cf", PostgresCluster.limitQuery)
    try files.set("main.cf", Self.main + "virtual_mailbox_domains = \(paths)\n")
    func configure(_ maps: String, _ limits: String) throws {
      try host.configure(Self.required + "\nvirtual_mailbox_limit_maps = \(limits)", maps: maps)
      try lock()
    }
    func found() throws -> [[String: String]] { try findings().filter { $0["kind"] == "limit-by-address" } }
    try configure(paths, limits)
    #expect(try found() == [])
    // As PostfixAdmin's documentation has it.
    let query =
      "SELECT maildir FROM mailbox, alias_domain WHERE alias_domain.alias_domain = '%d'"
      + " AND mailbox.username = '%u' || '@' || alias_domain.target_domain"
    try configure("\(paths), \(try table("alias-paths.cf", query))", limits)
    let finding = try #require(try found().first)
    #expect(
      finding["finding"] == "its limit is 3,000,000 bytes, and for mail to you@example.net none", "\(finding)")
    // cleanup(8) replaces an alias before a delivery sees it, but not one that names itself.
    for (value, count) in [("you@example.org", 0), ("You@example.net, you@example.org", 1)] {
      try host.sandbox.write("aliases", "you@example.net \(value)\n", mode: 0o644)
      let main = "virtual_mailbox_domains = \(paths)\nvirtual_alias_maps = texthash:\(host.sandbox("aliases"))\n"
      try files.set("main.cf", Self.main + main)
      try lock()
      #expect(try found().count == count, "\(value)")
    }
    try files.set("main.cf", Self.main + "virtual_mailbox_domains = \(paths)\n")
    let printed = try #require(finding["remedy"]?.components(separatedBy: "with this query: ").last)
    try configure(
      "\(paths), \(try table("alias-paths.cf", query))", "\(limits), \(try table("alias-limits.cf", printed))")
    #expect(try found() == [])
  }

  @Test("A folder that is a symlink is a notice; with Dovecot that lists without its index, so is its profile")
  func linkedFolder() throws {
    try host.sandbox.makeMaildir("pool")
    try Command.check(["ln", "-s", host.sandbox("pool"), host.sandbox("base/example.org/a/.Shared")])
    let linked = try #require(try check().records.first { $0["kind"] == "symlinked-folder" })
    #expect(
      linked["severity"] == "notice" && linked["finding"] == ".Shared is a symlink and is not counted", "\(linked)")
    try host.sandbox.write(
      "dovecot.conf",
      "ssl = no\nprotocols = imap\nmail_location = maildir:~/Maildir\nmailbox_list_index = no\nmail_plugins = quota\n"
        + "plugin {\n  quota = maildir:User quota\n  quota_rule = Trash:ignore\n}\n", mode: 0o644)
    try configure("maildir_count_profile = dovecot")
    let profile = try #require(
      try check("--dovecot=\(host.sandbox("dovecot.conf"))").records.first { $0["kind"] == "count-profile" })
    #expect(profile["finding"]?.hasPrefix("mailbox_list_index is no") == true)
    try Command.check(["sh", "-ec", try #require(profile["remedy"])])
    try Command.check(["touch", "-d", "1 hour ago", host.sandbox("ullage.cf")])
    #expect(try !check("--dovecot=\(host.sandbox("dovecot.conf"))").output.contains("count-profile"))
  }

  @Test("A query without the address gives one answer to all, and is an error")
  func constantQuery() throws {
    try host.sandbox.write("list.cf", site.cluster.tableFile("SELECT path FROM \(site.table)"))
    try lock()
    let found = try findings().filter { $0["kind"] == "bad-table" }
    #expect(found.map { $0["severity"] } == ["error"])
    #expect(found.map { $0["finding"] } == ["its query contains no part of the address, such as '%s'"])
    // A user id may be the same for all.
    try host.sandbox.write("list.cf", site.cluster.tableFile("SELECT path FROM \(site.table) WHERE address = '%s'"))
    try host.sandbox.write("uids.cf", site.cluster.tableFile("SELECT \(MailUser.id)"))
    try configure("virtual_uid_maps = pgsql:\(host.sandbox("uids.cf"))")
    #expect(try !kinds().contains { $0.hasSuffix("bad-table") })
  }

  @Test("An unprivileged user is told what could not be checked, and gets no false errors")
  func unprivileged() throws {
    let ending = try Command.run(
      ["setpriv", "--reuid=65533", "--regid=65533", "--clear-groups"]
        + host.toolArguments([
          "check", "--postfix=\(files.path)", "--format=jsonl", "--dovecot=/nowhere", "--courier=/nowhere",
        ]))
    #expect(try ending.records.filter { $0["severity"] != "notice" } == [], "\(ending)")
    try Command.check(["chmod", "644", host.sandbox("ullage.cf")])
    try Command.check(["chmod", "755", files.path])
    let reader = try Command.run(
      ["setpriv", "--reuid=65533", "--regid=65533", "--clear-groups"]
        + host.toolArguments([
          "check", "--postfix=\(files.path)", "--format=jsonl", "--dovecot=/nowhere", "--courier=/nowhere",
        ]))
    #expect(try reader.records.filter { $0["severity"] != "notice" } == [], "\(reader)")
    #expect(reader.output.contains("only root can act as another user"))
  }

  @Test("A log socket without a listener is a warning")
  func log() throws {
    try configure("log_socket = /nowhere/log")
    #expect(try kinds() == ["warning log-socket"])
  }

  @Test("Mailboxes: wrong owners and modes, another limit in the IMAP server, a limit not enforced, a broken ledger")
  func mailboxes() throws {
    try site.add("b")
    try Command.check(["chown", "-R", "postgres", host.sandbox("base/example.org/b")])
    let strange = try #require(try findings().first { $0["severity"] == "error" })
    #expect(
      strange["kind"] == "mailbox-rights" && strange["place"] == "b@example.org"
        && strange["finding"] == "a Maildir belongs to postgres, but deliveries run as nobody", "\(strange)")
    try Command.check(["rm", "-r", host.sandbox("base/example.org/b")])
    try site.make("example.org/b", ledger: "5000000S\n500 1\n")
    let header = try #require(try findings().first)
    #expect(
      header["kind"] == "header-limit" && header["reason"]?.contains("or the IMAP server has another limit") == true,
      "\(header)")
    try site.make("example.org/b", ledger: "0S\n0 0\n")
    #expect(try kinds() == ["warning limit-not-enforced"])
    try site.make("example.org/b", ledger: "1000000S\n500")
    #expect(try kinds() == ["error broken-mailbox"])
    try site.make("example.org/b")
    try Command.check(["chmod", "707", host.sandbox("base/example.org/b")])
    #expect(try kinds() == ["error mailbox-rights"])
    try Command.check(["chmod", "700", host.sandbox("base/example.org/b")])
    try Command.check(["rm", host.sandbox("base/example.org/b/maildirsize")])
    #expect(try kinds() == ["warning limit-not-enforced"])
    try configure("virtual_mailbox_limit_inbox = yes")
    #expect(try kinds() == [], "with this setting the limit is enforced without a ledger")
    try configure("mailbox_list_query = SELECT nothing")
    #expect(try kinds() == ["warning mailbox-list"])
  }

  @Test("Clocks that differ are found: the database's and the file system's")
  func clock() throws {
    let ending = try Command.run(
      FakeClock.words(ahead: "1h")
        + host.toolArguments([
          "check", "--postfix=\(files.path)", "--format=jsonl", "--dovecot=/nowhere", "--courier=/nowhere",
          "--ignore=program",
        ]))
    let clocks = try ending.records.filter { $0["kind"] == "clock" }
    #expect(clocks.count == 2 && clocks.allSatisfy { $0["finding"]?.contains("s behind") == true }, "\(ending)")
    #expect(ending.status == 2)
  }

  @Test("On a network file system the locks are tested; whichever call fails, the check ends and reports the rest")
  func faults() throws {
    let network = try check(environment: ["ULLAGE_FILE_SYSTEM": "nfs"])
    #expect(network.status == 0 && !network.output.contains("file-locks"), "\(network)")
    var locks = 0
    var calls = 0
    for number in 0..<1000 {
      let log = host.sandbox("fault")
      try? FileManager.default.removeItem(atPath: log)
      let ending = try check(
        environment: ["ULLAGE_FILE_SYSTEM": "nfs", "ULLAGE_FAULT": "\(number):EIO", "ULLAGE_FAULT_LOG": log])
      guard let used = host.sandbox.text("fault") else { break }
      calls += 1
      #expect([0, 1, 2, 74, 75].contains(ending.status), "\(number) \(used): \(ending)")
      // Nothing remains of the lock test, unless its removal fails.
      #expect(host.sandbox.list("base/example.org/a/tmp") == [] || used.hasSuffix(" unlinkat\n"), "\(number) \(used)")
      for name in host.sandbox.list("base/example.org/a/tmp") {
        try Command.check(["rm", host.sandbox("base/example.org/a/tmp/\(name)")])
      }
      if used.hasSuffix(" fcntl\n"), ending.output.contains("\"kind\":\"file-locks\"") { locks += 1 }
    }
    #expect(locks == 1 && (50..<1000).contains(calls), "\(locks) of \(calls)")
  }
}
