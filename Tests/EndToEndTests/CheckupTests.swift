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

  init() throws {
    site = try AuditSite(Self.required)
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
  private func findings() throws -> [[String: String]] {
    let ending = try host.ullage(
      ["check", "--postfix=\(files.path)", "--format=jsonl", "--dovecot=/nowhere", "--courier=/nowhere"],
      asMailUser: false)
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
      "master.cf is right", "1 mailboxes looked at, 1 have a Maildir", "whose locks hold", "the database agree",
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
      "--ignore=configuration-rights", "--ignore=mailbox-list",
    ]
    // The list is root's question, and root is not let in.
    let asRoot = try site.host.ullage(arguments, asMailUser: false)
    #expect(try asRoot.records.filter { $0["severity"] != "notice" } == [], "\(asRoot)")
    #expect(
      try site.host.ullage(arguments + ["--user=mail"], asMailUser: false).output.contains("Peer authentication failed")
    )
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
    let found = try #require(try findings().first)
    #expect(found["kind"] == "no-index" && found["remedy"]?.contains("CREATE INDEX ON list_") == true, "\(found)")
    try other.makeIndex()
    #expect(try findings() == [])
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
    try configure("lookup_socket = \(host.sandbox("lookup"))")
    #expect(try kinds() == ["error lookup-service"])
    try configure("lookup_socket = \(host.sandbox("lookup"))\nlookup_fallback = yes")
    #expect(try kinds() == ["warning lookup-service"])
    let daemon = try LookupDaemon(host.sandbox("ullage.cf"), socket: host.sandbox("lookup"))
    #expect(try kinds() == [])
    withExtendedLifetime(daemon) {}
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
      header["kind"] == "header-limit" && header["reason"]?.contains("the IMAP server has another limit") == true,
      "\(header)")
    try site.make("example.org/b", ledger: "0S\n0 0\n")
    #expect(try kinds() == ["warning limit-not-enforced"])
    try site.make("example.org/b", ledger: "1000000S\n500")
    #expect(try kinds() == ["error broken-mailbox"])
    try site.make("example.org/b")
    try Command.check(["chmod", "707", host.sandbox("base/example.org/b")])
    #expect(try kinds() == ["error mailbox-rights"])
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
      try host.sandbox.write("dovecot.conf", "ssl = no\nmail_location = maildir:~/Maildir\n" + settings, mode: 0o644)
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
