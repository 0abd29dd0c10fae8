// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// `ullage check` beside a real PostgreSQL, and real programs of Dovecot's and Courier's.
struct CheckupTests {
  private let site: AuditSite
  private let files: PostfixFiles
  private var host: MailHost { site.host }

  private static let required = "message_size_limit = 10240000\nvirtual_mailbox_limit_override = yes"

  init() throws { try self.init(cluster: nil) }

  private init(cluster: PostgresCluster?) throws {
    site = try AuditSite(Self.required, cluster: cluster)
    try site.makeIndex()
    try site.add("a")
    files = try PostfixFiles(
      site.host.sandbox,
      main: "virtual_transport = ullage\nullage_destination_recipient_limit = 1\n",
      master: "ullage unix - n n - 20 pipe " + PostfixInstance.entry(site.host, program: MailHost.program) + "\n")
    try lock()
  }

  /// ullage.cf and the tables as an administrator has them: root's, and the mail user's group may read them.
  private func lock() throws {
    for name in ["ullage.cf", "list.cf", "limits.cf"] {
      try Command.check(["chown", "root:\(MailUser.group)", host.sandbox(name)])
      try Command.check(["chmod", "640", host.sandbox(name)])
    }
  }

  private func configure(_ settings: String) throws {
    try site.configure(Self.required + "\n" + settings)
    try lock()
  }

  private func check(_ options: String..., environment: [String: String] = [:]) throws -> Command.Ending {
    let elsewhere = ["--dovecot=/nowhere", "--courier=/nowhere"].filter { option in
      !options.contains { $0.hasPrefix(option.prefix(5)) }
    }
    return try host.ullage(
      ["check", "--postfix=\(files.path)", "--format=jsonl"] + elsewhere + options, environment: environment,
      asMailUser: false)
  }

  /// The findings, notices aside.
  private func findings(_ options: String...) throws -> [[String: String]] {
    let elsewhere = ["--dovecot=/nowhere", "--courier=/nowhere"]
    let ending = try host.ullage(
      ["check", "--postfix=\(files.path)", "--format=jsonl"] + elsewhere + options, asMailUser: false)
    #expect(ending.errors == "" && ending.status <= 2, "\(ending)")
    return try ending.records.filter { $0["severity"] != "notice" }
  }

  private func kinds() throws -> [String] {
    try findings().map { "\($0["severity"] ?? "") \($0["kind"] ?? "")" }
  }

  @Test("With everything right, exit 0, and each part says so")
  func right() throws {
    // As in a delivery, what the administrator has in his environment has no say.
    let ending = try check("--format=table", environment: ["PGSSLMODE": "require", "HOME": "/root"])
    #expect(ending.status == 0, "\(ending)")
    for text in [
      "ullage.cf is valid", "answers for virtual_mailbox_maps", "answers for virtual_mailbox_limit_maps",
      "master.cf is right", "a mailbox looked at, 1 with a Maildir", "whose locks hold", "the database agree",
    ] { #expect(ending.output.contains(text), "\(text): \(ending.output)") }
  }

  @Test("A table file is looked at with the mail user's eyes, and the command that is given mends it")
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

  @Test("A closed directory above a table: the command opens it")
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

  @Test("The database is asked as the mail user, by whose name PostgreSQL may let him in")
  func peer() throws {
    let own = try PostgresCluster()
    let site = try AuditSite(Self.required, cluster: own)
    try site.makeIndex()
    try site.add("a")
    try own.sql("CREATE ROLE nobody LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO nobody")
    let files = try PostfixFiles(
      site.host.sandbox, main: "virtual_transport = ullage\nullage_destination_recipient_limit = 1\n",
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

  @Test("With the lookup service it is its user who is let in, neither the mail user nor root")
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
    let daemon = try LookupDaemon(
      site.host.sandbox("ullage.cf"), socket: socket,
      launcher: ["setpriv", "--reuid=games", "--regid=\(MailUser.group)", "--clear-groups"])
    let files = try PostfixFiles(
      site.host.sandbox, main: "virtual_transport = ullage\nullage_destination_recipient_limit = 1\n",
      master: "ullage unix - n n - 20 pipe " + PostfixInstance.entry(site.host, program: MailHost.program) + "\n")
    let served = try site.host.ullage(
      "check", "--postfix=\(files.path)", "--format=jsonl", "--dovecot=/nowhere", "--courier=/nowhere",
      "--ignore=configuration-rights", asMailUser: false)
    // The list is another matter: the audit asks the database itself.
    #expect(
      try served.records.filter { $0["severity"] != "notice" }.compactMap { $0["kind"] } == ["mailbox-list"],
      "\(served)")
    // So do commands by hand.
    #expect(try site.host.ullage("status", "a@example.org", asMailUser: false).status == 0)
    withExtendedLifetime(daemon) {}
  }

  @Test("A database that does not answer, and a query that it refuses")
  func database() throws {
    try host.sandbox.write("limits.cf", "hosts = unix:/nowhere\ndbname = x\nquery = SELECT 1 WHERE '%s' = ''\n")
    try lock()
    #expect(try kinds() == ["error database-unreachable"])
    try host.sandbox.write("limits.cf", site.cluster.tableFile("SELECT nothing FROM nowhere WHERE address = '%s'"))
    try lock()
    let refused = try #require(try findings().first)
    #expect(refused["finding"]?.contains("relation \"nowhere\" does not exist") == true, "\(refused)")
  }

  @Test("A lookup without an index is found, one with it is not, however small the table")
  func index() throws {
    let other = try AuditSite(Self.required)
    try other.list("x@example.org", "example.org/x/")
    try host.sandbox.write("limits.cf", try #require(other.host.sandbox.text("limits.cf")))
    try lock()
    let small = try check("--ignore=list-differs").records.filter { $0["kind"] == "no-index" }
    #expect(small.count == 1 && small[0]["severity"] == "notice", "a small table takes no time, and may grow")
    try site.cluster.sql(
      "INSERT INTO \(other.table) SELECT n || '@example.org', n || '/', 1, 0 FROM generate_series(1, 2000) n")
    let found = try #require(try findings().first { $0["kind"] == "no-index" })
    #expect(
      found["remedy"]?.contains("make an index on list_") == true && found["remedy"]?.contains("(address = ") == true,
      "\(found)")
    try other.makeIndex()
    #expect(try !kinds().contains { $0.hasSuffix("no-index") })
    // All of an index is read where its column stands in a function.
    try host.sandbox.write(
      "limits.cf", site.cluster.tableFile("SELECT bytes FROM \(other.table) WHERE lower(address) = lower('%s')"))
    try lock()
    let whole = try #require(try findings().first { $0["kind"] == "no-index" })
    #expect(
      whole["remedy"]?.contains("make an index on list_") == true && whole["remedy"]?.contains("lower(address)") == true
    )
  }

  @Test("A lookup that would defer a listed mailbox, and a list that says something else than the tables")
  func lookups() throws {
    try configure("virtual_uid_maps = static:1")
    let other = try #require(try findings().first)
    #expect(
      other["kind"] == "lookup" && other["finding"]?.contains("gives 1, and deliveries run as") == true, "\(other)")
    try configure("")
    try host.sandbox.write("limits.cf", "you 1\na@example.org 10M\n")
    try site.host.configure(
      Self.required + "\nvirtual_mailbox_limit_maps = texthash:\(host.sandbox("limits.cf"))\n"
        + "mailbox_list_query = SELECT * FROM \(site.table)", maps: "pgsql:\(host.sandbox("list.cf"))")
    try lock()
    let number = try #require(try findings().first)
    #expect(
      number["kind"] == "lookup" && number["finding"]?.contains("gives \"10M\", which is not a whole number") == true)
    #expect(number["remedy"] == "ullage map a@example.org virtual_mailbox_limit_maps --all-steps")
    try host.sandbox.write("limits.cf", "a@example.org 999\n")
    try lock()
    let limit = try #require(try findings().first)
    #expect(
      limit["kind"] == "list-differs"
        && limit["finding"] == "its limit is 1000000 bytes by the list and 999 bytes for deliveries", "\(limit)")
  }

  @Test("Domains that transport_maps send elsewhere: to virtual, and to a transport that does not exist")
  func transports() throws {
    let main = try #require(files.text("main.cf"))
    try host.sandbox.write("transport", "example.org ullage:\n", mode: 0o644)
    try files.set("main.cf", main + "transport_maps = texthash:\(host.sandbox("transport"))\n")
    #expect(try kinds() == [])
    try host.sandbox.write("transport", "example.org virtual:\n", mode: 0o644)
    let virtual = try #require(try findings().first)
    #expect(
      virtual["kind"] == "no-mail" && virtual["finding"]?.contains("a domain goes to virtual(8) (example.org)") == true)
    try Command.check(["sh", "-c", try #require(virtual["remedy"])])
    #expect(try kinds() == [])
    try host.sandbox.write("transport", "example.org quota9:\n", mode: 0o644)
    let nowhere = try #require(try findings().first)
    #expect(
      nowhere["kind"] == "no-mail" && nowhere["reason"]?.contains("no such transport: mail is deferred") == true,
      "\(nowhere)")
  }

  @Test(
    "The commands that mend an entry of master.cf do, by the real postconf",
    arguments: [
      ("flags=DORXhu", "flags=DRFqhu"), ("null_sender= ", ""), ("user=nobody", "user=nosuchuser"),
      ("--recipient=${recipient}", "--recipient=${user}"), ("--size=${size}", "--sise=${size}"),
      ("unix - n n -", "unix - n y -"), ("unix - n n -", "unix - - n -"), ("20 pipe", "20 pipe -o soft_bounce=yes"),
      ("20 pipe", "- pipe"), ("20 pipe", "20 pipe -o ullage_time_limit=60"),
      ("20 pipe", "20 pipe -o { command_time_limit = 2m }"),
    ])
  func remedies(old: String, new: String) throws {
    let text = try #require(files.text("master.cf"))
    try files.set("master.cf", text.replacingOccurrences(of: old, with: new))
    #expect(try findings() != [])
    // Another may show when the first is mended.
    for _ in 0..<3 {
      guard let remedy = try findings("--user=nobody").first?["remedy"] else { break }
      // No Postfix runs from here that could be told.
      let command = remedy.components(separatedBy: " && postfix ")[0].replacingOccurrences(
        of: "user=vmail", with: "user=nobody")
      try Command.check(["sh", "-c", command])
      for name in ["main.cf", "master.cf"] {
        try Command.check(["touch", "-d", "1 hour ago", "\(files.path)/\(name)"])
      }
    }
    #expect(try findings() == [], "\(files.text("master.cf") ?? "")")
  }

  @Test("An entry for each mail user: each is checked with its own file, and the other is only named")
  func twoEntries() throws {
    let second = PostfixInstance.entry(host, program: MailHost.program)
      .replacing("ullage.cf", with: "other.cf").replacing("user=nobody", with: "user=games:games")
    let master = try #require(files.text("master.cf"))
    try files.set("master.cf", master + "second unix - n n - 20 pipe \(second)\n")
    let main = try #require(files.text("main.cf"))
    try files.set("main.cf", main + "second_destination_recipient_limit = 1\n")
    #expect(try findings() == [])
    let notice = try #require(try check().records.first { $0["kind"] == "other-entry" })
    #expect(notice["finding"] == "the entry second reads \(host.sandbox("other.cf"))")
  }

  @Test(
    "What is no mistake is not found: default limits, a slash at the end of the base, $name, a pooler, others' namespaces"
  )
  func noFalseAlarm() throws {
    let main = try #require(files.text("main.cf"))
    try files.set(
      "main.cf",
      main.replacing("ullage_destination_recipient_limit", with: "default_destination_recipient_limit")
        + "virtual_mailbox_base = \(host.sandbox("base"))/\n")
    let master = try #require(files.text("master.cf"))
    try files.set(
      "master.cf", master.replacing("${sender}", with: "$sender").replacing("${recipient}", with: "$(recipient)"))
    #expect(try findings() == [])
    // What virtual(8) was told by -o is what migrate took.
    try files.set(
      "main.cf", main + "virtual_mailbox_base = /elsewhere\n")
    try files.set(
      "master.cf", master + "virtual unix - n n - - virtual -o virtual_mailbox_base=\(host.sandbox("base"))\n")
    #expect(try findings() == [])
    try files.set("master.cf", master)
    #expect(try kinds() == ["warning other-value"])
  }

  @Test("A nobody is told what he could not see, and no errors of his own")
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
    #expect(reader.output.contains("only root can see with another user's eyes"))
  }

  @Test("Nobody listens to the log: a warning")
  func log() throws {
    try configure("log_socket = /nowhere/log")
    #expect(try kinds() == ["warning log-socket"])
  }

  @Test("A program that others can replace is not run by root")
  func strangersProgram() throws {
    let program = host.sandbox("ullage-deliver")
    try Command.check([
      "sh", "-c", "printf '#!/bin/sh\nid > \(host.sandbox("ran"))\n' > \(program); chmod 755 \(program)",
    ])
    try Command.check(["chown", "nobody", program])
    let master = try #require(files.text("master.cf"))
    try files.set("master.cf", master.replacing(MailHost.program, with: program))
    #expect(try kinds() == ["warning program"])
    #expect(host.sandbox.text("ran") == nil)
  }

  @Test("Dovecot's namespaces of others have their own places; formats, patterns and a plugin without a root")
  func dovecotSpecials() throws {
    func kinds(_ settings: String) throws -> [String] {
      try host.sandbox.write("dovecot.conf", "ssl = no\nprotocols = imap\n" + settings, mode: 0o644)
      let ending = try check("--dovecot=\(host.sandbox("dovecot.conf"))")
      #expect(!ending.output.contains("doveconf -n:"), "\(ending)")
      return try ending.records.filter { $0["area"] == "imap" && $0["severity"] != "notice" }.compactMap { $0["kind"] }
    }
    let right = "mail_plugins = quota\nplugin {\n  quota = maildir:User quota\n  quota_rule2 = Trash:ignore\n"
    let location = "mail_location = maildir:~/Maildir\n"
    let shared = """
      namespace {
        type = public
        separator = /
        prefix = Public/
        location = maildir:/var/mail/public:CONTROL=~/Maildir/public:LAYOUT=fs
      }
      namespace inbox {
        inbox = yes
        separator = /
      }

      """
    #expect(try kinds(location + right + "}\n" + shared) == [])
    #expect(try kinds("mail_location = mdbox:~/mdbox\n" + right + "}\n") == ["folder-layout"])
    #expect(try kinds(location + right + "  quota_rule3 = Trash/*:ignore\n}\n" + shared) == ["trash"])
    #expect(try kinds(location + "mail_plugins = quota\n") == ["quota-driver"])
    #expect(try kinds("protocols = lmtp\n") == [], "no IMAP, no matter")
  }

  @Test("The entry's processes are compared with max_connections; the lookup service needs none of them")
  func connections() throws {
    let text = try #require(files.text("master.cf"))
    func limit(_ count: String) throws {
      try files.set("master.cf", text.replacing(" 20 pipe", with: " \(count) pipe"))
    }
    try limit("-")
    #expect(try kinds() == ["error process-limit"])
    try limit("60")
    #expect(try kinds() == ["warning process-limit"])
    try limit("40")
    #expect(try kinds() == [])
    try limit("0")
    #expect(try kinds() == ["error process-limit"])
    try limit("20")
    try configure("lookup_socket = \(host.sandbox("lookup"))")
    #expect(try kinds() == ["error lookup-service"])
    try configure("lookup_socket = \(host.sandbox("lookup"))\nlookup_fallback = yes")
    #expect(try kinds() == ["warning lookup-service"])
    let daemon = try LookupDaemon(host.sandbox("ullage.cf"), socket: host.sandbox("lookup"))
    #expect(try kinds() == [])
    withExtendedLifetime(daemon) {}
  }

  @Test("Behind pgbouncer there is no telling how many connections there may be; a role's own limit counts")
  func otherLimits() throws {
    // Not the cluster that other tests ask, too.
    let cluster = try PostgresCluster()
    try cluster.makePostfixAdmin(quota: 0)
    let own = try CheckupTests(cluster: cluster)
    try own.findOtherLimits()
  }

  private func findOtherLimits() throws {
    let master = try #require(files.text("master.cf"))
    try site.cluster.sql("ALTER ROLE postfix CONNECTION LIMIT 20")
    #expect(try kinds() == ["error process-limit"])
    try site.cluster.sql("ALTER ROLE postfix CONNECTION LIMIT -1")

    try files.set("master.cf", master.replacing(" 20 pipe", with: " 90 pipe"))
    #expect(try kinds() == ["warning process-limit"])
    let port = try freePort()
    try host.sandbox.write(
      "pgbouncer.ini",
      """
      [databases]
      postgres = host=\(site.cluster.sandbox.path) port=\(site.cluster.port)
      [pgbouncer]
      listen_addr = 127.0.0.1
      listen_port = \(port)
      unix_socket_dir =
      auth_type = any
      pool_mode = transaction
      """)
    // Its clients are all one user of the server's.
    let pool = try Command(
      MailUser.drop + [
        "sh", "-c", "sed -i 's/^postgres = .*/& user=postgres/' $0; exec pgbouncer -q $0",
        host.sandbox("pgbouncer.ini"),
      ],
      input: .file("/dev/null"))
    defer {
      pool.kill(SIGTERM)
      _ = pool.wait()
    }
    for name in ["list.cf", "limits.cf"] {
      let text = try #require(host.sandbox.text(name))
      let hosts = text.split(separator: "\n").map { line in
        line.hasPrefix("hosts =")
          ? "hosts = 127.0.0.1:\(port)" : line.hasPrefix("dbname =") ? "dbname = postgres" : String(line)
      }
      try host.sandbox.write(name, hosts.joined(separator: "\n") + "\n")
    }
    try lock()
    try waitUntil("pgbouncer") { try kinds() == [] ? () : nil }
  }

  @Test("Mailboxes: wrong owners and modes, another limit of the IMAP server, a limit that does not hold, one broken")
  func mailboxes() throws {
    try site.add("b")
    try Command.check(["chown", "-R", "postgres", host.sandbox("base/example.org/b")])
    let strange = try #require(try findings().first { $0["severity"] == "error" })
    #expect(
      strange["kind"] == "mailbox-rights" && strange["place"] == "b@example.org"
        && strange["finding"] == "a Maildir belongs to postgres, and deliveries run as nobody", "\(strange)")
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
    #expect(try kinds() == [], "there the limit is kept without a ledger")
    try configure("mailbox_list_query = SELECT nothing")
    #expect(try kinds() == ["warning mailbox-list"])
  }

  @Test("Clocks that differ: the database's, and the file system's")
  func clock() throws {
    let shell = ["sh", "-c", "exec \"$@\"", "sh"]
    let ahead = [
      "env", "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "FAKETIME=+1h", "NO_FAKE_STAT=1",
      "FAKETIME_DISABLE_SHM=1",
    ]
    let ending = try Command.run(
      ahead + shell
        + host.toolArguments([
          "check", "--postfix=\(files.path)", "--format=jsonl", "--dovecot=/nowhere", "--courier=/nowhere",
          "--ignore=program",
        ]))
    let clocks = try ending.records.filter { $0["kind"] == "clock" }
    #expect(clocks.count == 2 && clocks.allSatisfy { $0["finding"]?.contains("s behind") == true }, "\(ending)")
    #expect(ending.status == 2)
  }

  @Test("On a network file system its locks are tried; whatever call fails, the check ends and says what it could")
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
      // Nothing is left of the trial, but where its removal fails.
      #expect(host.sandbox.list("base/example.org/a/tmp") == [] || used.hasSuffix(" unlinkat\n"), "\(number) \(used)")
      for name in host.sandbox.list("base/example.org/a/tmp") {
        try Command.check(["rm", host.sandbox("base/example.org/a/tmp/\(name)")])
      }
      if used.hasSuffix(" fcntl\n"), ending.output.contains("\"kind\":\"file-locks\"") { locks += 1 }
    }
    #expect(locks == 1 && (50..<1000).contains(calls), "\(locks) of \(calls)")
  }

  @Test("Dovecot: quota driver, control directory, folder layout and trash, by the real doveconf")
  func dovecot() throws {
    func kinds(_ settings: String, _ configuration: String = "") throws -> [String] {
      try configure(configuration)
      try host.sandbox.write(
        "dovecot.conf", "ssl = no\nprotocols = imap\nmail_location = maildir:~/Maildir\n" + settings, mode: 0o644)
      let ending = try check("--dovecot=\(host.sandbox("dovecot.conf"))")
      #expect(!ending.output.contains("doveconf -n:"), "\(ending)")
      return try ending.records.filter { $0["area"] == "imap" && $0["severity"] != "notice" }.compactMap { $0["kind"] }
    }
    let right = "mail_plugins = quota\nplugin {\n  quota = maildir:User quota\n  quota_rule = *:storage=1G\n"
    #expect(try kinds("") == ["quota-driver"])
    #expect(try kinds("mail_plugins = quota\nplugin {\n  quota = count:User quota\n}\n") == ["quota-driver"])
    #expect(try kinds(right + "}\n") == ["trash"])
    #expect(try kinds(right + "  quota_rule2 = Trash:ignore\n}\n") == [])
    #expect(try kinds(right + "}\n", "virtual_trash_count = yes") == [])
    #expect(try kinds(right + "  quota_rule2 = Trash:ignore\n  quota_rule3 = Spam:ignore\n}\n") == ["trash"])
    #expect(
      try kinds(
        right + "  quota_rule2 = Trash:ignore\n  quota_rule3 = Spam:ignore\n}\n", "virtual_trash_name = .Trash, .Spam")
        == [])
    #expect(
      try kinds(right + "}\nprotocol imap {\n  mail_plugins = quota imap_quota\n}\n", "virtual_trash_count = yes") == []
    )
    let prefix = "namespace inbox {\n  inbox = yes\n  prefix = INBOX.\n  separator = .\n}\n"
    #expect(try kinds(right + "  quota_rule2 = INBOX.Trash:ignore\n}\n" + prefix) == [])
    let elsewhere = "mail_location = maildir:~/Maildir:CONTROL=/var/control/%u\n"
    #expect(try kinds(elsewhere + right + "  quota_rule2 = Trash:ignore\n}\n") == ["control-directory"])
    #expect(
      try kinds("mail_location = maildir:~/Maildir:LAYOUT=fs\n" + right + "  quota_rule2 = Trash:ignore\n}\n")
        == ["folder-layout"])
    #expect(
      try kinds(right + "  quota_rule2 = Trash:ignore\n}\n", "maildir_count_profile = courier") == ["count-profile"])
    try host.sandbox.write("dovecot.conf", "nonsense = {{\n", mode: 0o644)
    #expect(try check("--dovecot=\(host.sandbox("dovecot.conf"))").output.contains("doveconf -n: "))
  }

  @Test("Courier: its trash folder, how it was built (its own maildirmake counts), the counting profile")
  func courier() throws {
    let right = "IMAP_TRASHFOLDERNAME=Trash\nIMAP_EMPTYTRASH=Trash:7\n"
    func kinds(_ imapd: String, _ configuration: String, behind script: String? = nil) throws -> [String] {
      try configure(configuration)
      try host.sandbox.write("courier/imapd", imapd, mode: 0o644)
      try Command.check(["touch", "-d", "1 hour ago", host.sandbox("courier/imapd")])
      let arguments = host.toolArguments([
        "check", "--postfix=\(files.path)", "--format=jsonl", "--dovecot=/nowhere",
        "--courier=\(host.sandbox("courier"))",
      ])
      let shell = script.map { ["unshare", "--mount", "sh", "-ec", "\($0)\nexec \"$@\"", "sh"] } ?? []
      let ending = try Command.run(shell + arguments)
      return try ending.records.filter { $0["area"] == "imap" && $0["severity"] != "notice" }.compactMap { $0["kind"] }
    }
    #expect(try kinds(right, "maildir_count_profile = courier") == [])
    #expect(try kinds(right, "") == ["count-profile"])
    #expect(try kinds(right, "virtual_trash_count = yes") == ["trash", "count-profile"])
    #expect(try kinds("IMAP_TRASHFOLDERNAME=\"Deleted Items\"\n", "maildir_count_profile = courier") == ["trash"])
    // A build --with-trashquota: whatever is in .Trash counts.
    try host.sandbox.write(
      "maildirmake",
      """
      #!/bin/sh
      case $1 in
        -q) printf '%s\\n10 1\\n' "$2" > "$3/maildirsize" ;;
        -f) mkdir -p "$3/.$2/cur" ;;
        *) mkdir -p "$1/cur" ;;
      esac
      """, mode: 0o755)
    let behind = """
      mount --make-rprivate /
      for p in /usr/bin/maildirmake.courier /usr/lib/courier/bin/maildirmake /usr/bin/maildirmake; do
        [ ! -e $p ] || mount --bind \(host.sandbox("maildirmake")) $p
      done
      """
    #expect(try kinds(right, "maildir_count_profile = courier", behind: behind) == ["trash"])
    #expect(try kinds(right, "virtual_trash_count = yes", behind: behind) == [])
    #expect(try check("--courier=/nowhere").output.contains("name the directory that has the file imapd"))
  }
}
