// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

/// From a Postfix configured for VDA to Ullage and back, with the package and the commands that
/// `ullage migrate` prints; and PostfixAdmin's hook.
@Suite(.takesRoot)
final class FiveMinutesTests {
  private let cluster: PostgresCluster
  private let root: DebianRoot
  private let port: Int
  /// The log of deliveries inside the root.
  private let log: LogReceiver

  init() throws {
    cluster = try PostgresCluster()
    port = try freePort()
    root = try DebianRoot(installing: ["postfix", "postfix-pgsql", "acl", "sudo"])
    log = try LogReceiver(root.path + "/run/log")
    try makeDatabase()
    try makePostfix()
    try makeMailboxes()
    // sudo(8) looks up its host name.
    try root.shell("echo \"127.0.0.1 localhost $(hostname)\" > /etc/hosts; postfix start")
  }

  deinit { _ = try? root.shell("postfix stop") }

  /// PostfixAdmin's tables, with the domain's own transport as older versions write it.
  private func makeDatabase() throws {
    try cluster.makePostfixAdmin(quota: 20_000)
    try cluster.sql(
      """
      UPDATE domain SET transport = 'virtual';
      INSERT INTO mailbox (username, maildir, quota, domain) VALUES
        ('full@example.org', 'example.org/full/', 5000, 'example.org'),
        ('free@example.org', 'example.org/free/', 0, 'example.org');
      """)
  }

  private func makePostfix() throws {
    func table(_ query: String) -> String { cluster.tableFile(query, hosts: "127.0.0.1:\(cluster.port)") }
    let files = [
      "mailboxes": PostgresCluster.pathQuery, "limits": PostgresCluster.limitQuery,
      "domains": "SELECT domain FROM domain WHERE domain = '%s' AND active",
      "transport": "SELECT transport FROM domain WHERE domain = '%s' AND active",
    ]
    for (name, query) in files { try root.write("/etc/postfix/sql/\(name).cf", table(query), mode: 0o640) }
    try root.shell("chgrp postfix /etc/postfix/sql/*.cf")
    try root.write(
      "/etc/postfix/main.cf",
      """
      compatibility_level = 3.6
      myhostname = mx.example.org
      mydestination =
      alias_maps =
      inet_interfaces = 127.0.0.1
      inet_protocols = ipv4
      maillog_file = /var/log/mail.log
      smtpd_peername_lookup = no
      minimal_backoff_time = 1s
      maximal_backoff_time = 2s
      queue_run_delay = 1s
      recipient_delimiter = +
      # ours
      sql = proxy:pgsql:${config_directory}/sql
      virtual_transport = virtual
      transport_maps = $sql/transport.cf
      virtual_mailbox_domains = $sql/domains.cf
      virtual_mailbox_base = /var/vmail
      virtual_mailbox_maps = $sql/mailboxes.cf
      virtual_uid_maps = static:5000
      virtual_gid_maps = static:5000
      \(linesOfVDA(limits: "pgsql:${config_directory}/sql/limits.cf"))
      """)
    // As Debian ships it, except for the port, and without the chroot of its services, which has no /proc and
    // no resolver.
    try root.shell(
      "sed -i 's/^smtp      inet/127.0.0.1:\(port) inet/; s/^\\([a-z0-9.:]* *[a-z]* *[^ ]* *[^ ]* *\\)y /\\1n"
        + " /' /etc/postfix/master.cf"
    )
  }

  /// Maildirs as VDA leaves them: `0S` with totals that were never counted, a drifted sum, mode 0600.
  private func makeMailboxes() throws {
    try root.shell(
      """
      groupadd -g 5000 vmail; useradd -u 5000 -g vmail -d /var/vmail -s /bin/false vmail
      for name in you full free; do
        dir=/var/vmail/example.org/$name; mkdir -p $dir/new $dir/cur $dir/tmp
        head -c 4000 /dev/zero | tr '\\0' x > $dir/cur/1.a,S=4000:2,S
      done
      mkdir -p /var/vmail/example.org/you/.Trash/{cur,new,tmp}
      head -c 9000 /dev/zero | tr '\\0' x > /var/vmail/example.org/you/.Trash/cur/2.b,S=9000:2,S
      printf '20000S\\n19000 12\\n' > /var/vmail/example.org/you/maildirsize
      printf '5000S\\n4000 1\\n' > /var/vmail/example.org/full/maildirsize
      printf '0S\\n0 0\\n700 1\\n' > /var/vmail/example.org/free/maildirsize
      chmod 600 /var/vmail/example.org/*/maildirsize
      chown -R vmail: /var/vmail; chmod -R go= /var/vmail/example.org
      """)
  }

  /// Submits a message of `bytes` bytes by SMTP, and waits for the status that Postfix logs.
  private func send(_ bytes: Int, to name: String) throws -> String {
    let script = """
      import smtplib, sys
      s = smtplib.SMTP('127.0.0.1', \(port), timeout=60)
      s.ehlo(); s.mail('me@example.net'); s.rcpt(sys.argv[1])
      print(s.data('Subject: x\\r\\n\\r\\n' + ('x' * 70 + '\\r\\n') * (\(bytes) // 72))[1].decode().split()[-1])
      """
    // `2.0.0 Ok: queued as ID`
    let queueID = try Command.check(["python3", "-c", script, "\(name)@example.org"])
    return try status(queueID.trimmingCharacters(in: .newlines))
  }

  /// The first status that Postfix logs for a message.
  private func status(_ queueID: String) throws -> String {
    try waitUntil("a status of \(queueID)", seconds: 60) {
      (root.text("/var/log/mail.log") ?? "").split(separator: "\n").first {
        $0.contains(": \(queueID): to=") && $0.contains("status=")
      }.map(String.init)
    }
  }

  /// Runs the printed commands: SQL in the database, then the others in the root.
  private func run(_ commands: some Collection<String>) throws {
    for statement in statements(Array(commands)) { try cluster.sql(statement) }
    for command in commands where !command.hasPrefix("SQL: ") { try root.shell(command) }
  }

  private func waitForReload() throws {
    // The running queue manager would still use the old transport.
    try root.shell("postfix stop; postfix start")
  }

  @Test("With package, migrate and the printed commands, VDA's Postfix delivers through Ullage, and back again")
  func fiveMinutes() throws {
    #expect(try send(200, to: "you").contains("relay=virtual"))
    let file = try root.add(try BuiltPackage.this.file)
    try root.shell("apt-get install -y -qq --no-install-recommends \(file) >/dev/null")

    let before = ["main.cf", "master.cf"].map { root.text("/etc/postfix/\($0)") }
    let migration = try root.run(["ullage", "migrate", "--from", "/etc/postfix"])
    #expect(migration.status == 0 && migration.errors == "", "\(migration)")
    #expect(["main.cf", "master.cf"].map { root.text("/etc/postfix/\($0)") } == before)
    try root.shell("echo log_socket = /run/log >> /etc/ullage/ullage.cf")
    #expect(try root.shell("stat -c '%U %G %a' /etc/ullage/ullage.cf") == "root vmail 640\n")
    let report = migration.output.replacing(#/\s+/#, with: " ")
    for change in [
      "the quotes around .Trash were removed", "the quotes around the text were removed",
      "$config_directory is defined in the new file: /etc/postfix",
      "limited to 51200000 bytes (Postfix's default",
      "sends a domain (example.org) to virtual, which overrides virtual_transport",
    ] { #expect(report.contains(change), "\(change): \(migration.output)") }

    // All printed commands, except those for days later.
    let steps = commands(in: migration.output)
    let later = try #require(steps.lastIndex { $0.contains("-PX ullage/unix/soft_bounce") })
    let check = try #require(steps.firstIndex(of: "ullage check"))
    try run(steps[..<check])
    let diagnosis = try root.run(["ullage", "check", "--format=jsonl"])
    let findings = try diagnosis.records.filter { $0["severity"] == "error" || $0["severity"] == "warning" }
    // The limits here are small, so that a test can fill them.
    #expect(findings.compactMap { $0["kind"] }.sorted() == ["small-limit", "soft-bounce"], "\(diagnosis)")
    #expect(diagnosis.status == 1)
    try run(steps[(check + 1)..<later])
    try waitForReload()

    // Counted: VDA's sum included the trash, and its sum for the unlimited mailbox was wrong.
    #expect(root.text("/var/vmail/example.org/free/maildirsize")?.hasPrefix("0S\n") == true)
    let mailboxes = try root.shell("ullage status --all --format=jsonl").split(separator: "\n").map { try fields($0) }
    let used = Dictionary(uniqueKeysWithValues: mailboxes.map { ($0["address"] ?? "", $0["messages"] ?? "") })
    #expect(used["full@example.org"] == "1" && used["free@example.org"] == "1", "\(mailboxes)")

    #expect(try send(3000, to: "you").contains("relay=ullage"), "VDA's sum was 19000 of 20000, but there is room")
    #expect(try send(3000, to: "free").contains("dsn=2.0.0, status=sent (delivered via ullage service)"))
    let deferred = try send(3000, to: "full")
    #expect(
      deferred.contains(
        "dsn=4.2.2, status=deferred (maildir delivery failed: Sorry, the recipients mailbox is currently full."
          + " Please try again later.)"), "\(deferred)")
    let soft = try send(9000, to: "full")
    #expect(soft.contains("dsn=4.2.2, status=SOFTBOUNCE"), "\(soft)")
    try root.shell("postsuper -d ALL 2>/dev/null")
    try run(steps[later...])
    try waitForReload()
    let bounced = try send(9000, to: "full")
    #expect(bounced.contains("dsn=5.2.2, status=bounced (maildir delivery failed: The message is larger"), "\(bounced)")
    #expect(try root.run(["ullage", "check", "--ignore=small-limit"]).status == 0)
    // The last step has taken VDA's lines out, and the own macros of which only they made use.
    #expect(try root.shell("postconf 2>&1 | grep -c 'unused parameter' || true") == "0\n")
    #expect(root.text("/etc/postfix/main.cf")?.contains("virtual_mailbox_limit_maps") == false)

    try run(commands(in: migration.output, after: "The way back."))
    try waitForReload()
    let back = try send(200, to: "you")
    #expect(back.contains("relay=virtual") && back.contains("status=sent"), "\(back)")
    // The settings are what they were.
    func settings(_ text: String?) -> [String] {
      let lines = (text ?? "").replacing(#/\n[ \t]+/#, with: " ").split(separator: "\n")
      return lines.filter { !$0.hasPrefix("#") && !$0.hasPrefix("ullage_") }.map {
        String($0.replacing(#/[ \t]+/#, with: " "))
      }
      .sorted()
    }
    #expect(settings(root.text("/etc/postfix/main.cf")) == settings(before[0]))
    #expect(try root.shell("find /var/vmail ! -user vmail") == "")
  }

  /// The lines of a manual page's first display after `title`.
  private static func lines(_ page: String, after title: String) throws -> String {
    let text = try Project.text("man/\(page)")
    let match = try #require(
      text.components(separatedBy: title).dropFirst().first?.firstMatch(of: #/\.Bd[^\n]*\n((?:.*\n)*?)\.Ed/#))
    return String(match.1)
  }

  @Test("PostfixAdmin's hook, run by the web server's user as documented, applies a changed quota at once")
  func hook() throws {
    let file = try root.add(try BuiltPackage.this.file)
    try root.shell(
      "apt-get install -y -qq --no-install-recommends \(file) >/dev/null; ullage migrate --from /etc/postfix")
    try root.write(
      "/etc/sudoers.d/ullage", try Self.lines("ullage-recompute.1", after: "/etc/sudoers.d/ullage"), mode: 0o440)
    #expect(try root.run(["visudo", "-cf", "/etc/sudoers.d/ullage"]).status == 0)
    let php = try Self.lines("ullage-recompute.1", after: "config.local.php")
    let script = try #require(php.firstMatch(of: #/mailbox_postedit_script'\] = '([^']*)';/#)).1
    // As PHP's exec() runs it.
    func edit(_ address: String, _ quota: Int) throws -> Command.Ending {
      try root.run([
        "su", "-s", "/bin/sh", "www-data", "-c", "\(script) '\(address)' 'example.org' 'example.org/you/' '\(quota)'",
      ])
    }
    try cluster.sql("UPDATE mailbox SET quota = 30000 WHERE username = 'you@example.org'")
    let ending = try edit("you@example.org", 30000)
    #expect(ending.status == 0 && ending.errors == "", "\(ending)")
    #expect(root.text("/var/vmail/example.org/you/maildirsize")?.hasPrefix("30000S\n") == true)
    #expect(try root.shell("find /var/vmail ! -user vmail") == "")
    // A new mailbox has no Maildir yet.
    try cluster.sql(
      "INSERT INTO mailbox (username, maildir, quota, domain) VALUES ('new@example.org', 'example.org/new/', 1,"
        + " 'example.org')"
    )
    #expect(try edit("new@example.org", 1).status == 0)
    let waiting = try root.run(["su", "-s", "/bin/sh", "www-data", "-c", "\(script) --retry-waiting you@example.org"])
    #expect(waiting.status == 0 && waiting.output.contains("you@example.org"), "\(waiting)")
    // An inactive mailbox gets no mail.
    try cluster.sql("UPDATE mailbox SET active = false WHERE username = 'you@example.org'")
    #expect(try edit("you@example.org", 30000).status == 0)
    // The web server's user may run nothing else.
    let option = try edit("--maildir=/root", 1)
    #expect(option.output == "" && option.errors.contains("--maildir=/root: no such mailbox"), "\(option)")
    #expect(try root.run(["su", "-s", "/bin/sh", "www-data", "-c", "sudo -n ullage recompute --all"]).status != 0)
  }
}
