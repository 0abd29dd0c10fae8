// SPDX-License-Identifier: Apache-2.0
import Configuration
import Foundation
import Site
import TestSupport
import Testing
import Text

/// A real Postfix asks the real `ullaged policy`, which asks the real `ullaged lookup`, with PostfixAdmin's own queries
/// on a real PostgreSQL.
struct PolicyTests {
  private let site: PolicySite
  private var cluster: PostgresCluster { site.cluster }
  private var host: MailHost { site.host }
  private let lookup: ServiceDaemon
  private let policy: ServiceDaemon
  private let postfix: PostfixInstance

  init() throws {
    site = try PolicySite()
    let host = site.host
    lookup = try ServiceDaemon(host.sandbox("ullage.cf"), socket: host.sandbox("lookup"))
    policy = try ServiceDaemon(host.sandbox("ullage.cf"), service: "policy", socket: host.sandbox("policy"))
    postfix = try PostfixInstance(
      pipe: PostfixInstance.entry(host, program: MailHost.program),
      settings: site.settings(PolicySite.restriction("unix:\(host.sandbox("policy"))")))
    // The socket's owner is the mail user; Postfix connects as its own.
    try Command.check(["chmod", "666", host.sandbox("policy")])
  }

  /// The replies to RCPT for each of `recipients`, in one session.
  private func replies(to recipients: [String], size: Int? = nil, sender: String = "me@example.net") throws -> [String]
  {
    let mail = "MAIL FROM:<\(sender)>" + (size.map { " SIZE=\($0)" } ?? "")
    let lines = ["EHLO x", mail] + recipients.map { "RCPT TO:<\($0)>" } + ["RSET", "QUIT"]
    return Array(try postfix.dialogue(lines).dropFirst(2).dropLast(2))
  }

  private func refusal(_ recipient: String, _ text: String = "Full up, sorry.", code: String = "452 4.2.2") -> String {
    "\(code) <\(recipient)>: Recipient address rejected: \(text)"
  }

  @Test("A full recipient is refused in the dialogue with the configured text, and no bounce is made")
  func refuses() throws {
    #expect(try replies(to: ["full@example.org"]) == [refusal("full@example.org")])
    let log = postfix.log
    #expect(
      log.contains("NOQUEUE: reject: RCPT from") && !log.contains("status="), "\(log)")
    #expect(try Command.check(["postqueue", "-c", postfix.sandbox("config"), "-p"]).contains("Mail queue is empty"))
    let line = try #require(host.log.lines().first { $0.hasPrefix("policy: ") })
    #expect(
      line.contains(": to=<full@example.org>, target=<full@example.org>, used=20000, limit=20000, age=")
        && line.hasSuffix(", from=<me@example.net>, client=127.0.0.1, dsn=4.2.2, status=refused"), "\(line)")
  }

  @Test(
    "Aliases are expanded as Postfix does it: nested, of an alias domain, a catch-all, with an extension, canonical")
  func aliases() throws {
    let refused = [
      "one@example.org", "two@example.org", "both@example.org", "away@example.org", "full@alias.example",
      "two@alias.example", "full+x@alias.example", "any@catch.example", "void@catch.example", "full+x@example.org",
      "Two+X@Example.org",
      "old@example.org",
    ]
    #expect(try replies(to: refused) == refused.map { refusal($0) })
    let passed = [
      "room@example.org", "mixed@example.org", "out@example.org", "loop@example.org", "you@example.org",
      "room+x@alias.example",
    ]
    #expect(try replies(to: passed).allSatisfy { $0.hasPrefix("250 2.1.5 ") })
    #expect(try replies(to: ["none@example.org"]).first?.contains("User unknown") == true)
    #expect(try replies(to: ["full2@example.org"]) == [refusal("full2@example.org", "Number 2 is full.")])
  }

  @Test("Where a blind copy goes does not matter")
  func blindCopies() throws {
    try postfix.setParameter("recipient_bcc_maps=static:full@example.org")
    #expect(try replies(to: ["room@example.org"])[0].hasPrefix("250 2.1.5 "))
  }

  @Test("The null sender, 50 recipients in one session, and a size that is announced")
  func sessions() throws {
    #expect(try replies(to: ["full@example.org"], sender: "") == [refusal("full@example.org")])
    let many = (0..<50).map { $0.isMultiple(of: 2) ? "full+\($0)@example.org" : "room+\($0)@example.org" }
    let codes = try replies(to: many).map { $0.prefix(3) }
    #expect(codes == many.map { $0.hasPrefix("full") ? "452" : "250" })
    #expect(
      try replies(to: ["room@example.org"], size: 2 * PolicySite.limit)
        == [refusal("room@example.org", "Too large for this mailbox.", code: "552 5.2.2")])
    #expect(try replies(to: ["mixed@example.org"], size: 500).first?.hasPrefix("250 ") == true)
  }

  @Test("Of an alias with a full and a roomy mailbox, the roomy one gets its mail, and the full one's waits")
  func mixed() throws {
    let replies = try postfix.dialogue(
      ["EHLO x", "MAIL FROM:<me@example.net>", "RCPT TO:<mixed@example.org>", "DATA", "{body 1}", "QUIT"])
    #expect(replies.suffix(2).first?.hasPrefix("250 2.0.0 Ok") == true, "\(replies)")
    let sent = try postfix.nextStatus(matching: "to=<room@example.org>")
    #expect(sent.contains("status=sent"), "\(sent) \(host.log.lines())")
    #expect(try waitUntil("the other") { postfix.log.contains("dsn=4.2.2, status=deferred") ? true : nil })
    #expect(host.sandbox.list("base/example.org/room/new").count == 1)
  }

  @Test(
    "Without SIZE the end of the message is refused by its real size, unless one of several recipients has room"
  )
  func endOfMessage() throws {
    func send(_ recipients: [String]) throws -> String? {
      let lines =
        ["EHLO x", "MAIL FROM:<me@example.net>"] + recipients.map { "RCPT TO:<\($0)>" } + [
          "DATA", "{body 500}", "QUIT",
        ]
      return try postfix.dialogue(lines).suffix(2).first
    }
    // Only of a mailbox that is there it is certain that it is ours.
    try host.makeMaildir()
    let large = "552 5.2.2 <END-OF-MESSAGE>: End-of-data rejected: Too large for this mailbox."
    #expect(try send(["room@example.org"]) == large)
    #expect(try send(["room@example.org", "you@example.org"]) == large)
    try cluster.sql("UPDATE mailbox SET quota = 0 WHERE username = 'you@example.org'")
    try waitUntil("the new limit") {
      try send(["room@example.org", "you@example.org"])?.hasPrefix("250") == true ? () : nil
    }
  }

  @Test("A mailbox that becomes full after RCPT defers the message, which is not lost")
  func becomesFull() throws {
    let lines = ["EHLO x", "MAIL FROM:<me@example.net>", "RCPT TO:<room@example.org>", "DATA", "{body 1}", "QUIT"]
    let replies = try postfix.dialogue(lines, before: 3) { try site.fill("room") }
    #expect(replies[4].hasPrefix("452 4.2.2 ") || replies[4].hasPrefix("250 "), "\(replies)")
    // The end of the message is judged too; without that restriction the message is accepted, and waits.
    try postfix.setParameter("smtpd_end_of_data_restrictions=")
    try site.fill("room", bytes: 10)
    let again = try postfix.dialogue(lines, before: 3) { try site.fill("room") }
    #expect(again[4].hasPrefix("250 "), "\(again)")
    #expect(try postfix.nextStatus(matching: "to=<room@example.org>").contains("dsn=4.2.2, status=deferred"))
  }

  @Test("With the database down mail is accepted, waits, and is delivered later; the log says what is wrong")
  func databaseDown() throws {
    // Postfix itself must know the recipient without the database.
    try host.sandbox.write("known", "you@example.org x\n", mode: 0o644)
    for line in ["virtual_mailbox_maps", "virtual_mailbox_domains", "virtual_alias_maps"] {
      let value =
        line == "virtual_mailbox_domains"
        ? "example.org" : line == "virtual_alias_maps" ? "" : "texthash:\(host.sandbox("known"))"
      try postfix.setParameter("\(line)=\(value)")
    }
    try cluster.stop()
    try postfix.send("Subject: x\n\nx\n", to: ["you@example.org"])
    #expect(try postfix.nextStatus().contains("dsn=4.3.0, status=deferred"))
    #expect(host.log.lines().contains { $0.contains("policy: not refused, because it is not known whether") })
    try cluster.start()
    try waitUntil("the delivery") {
      try postfix.flush()
      return host.new.count == 1 ? () : nil
    }
    #expect(!postfix.log.contains("status=bounced"))
  }

  @Test("Without the policy service mail goes on, by default_action; so it does if it dies in a session, or hangs")
  func serviceDown() throws {
    let lines = [
      "EHLO x", "MAIL FROM:<me@example.net>", "RCPT TO:<full@example.org>", "RCPT TO:<full+2@example.org>", "QUIT",
    ]
    let replies = try postfix.dialogue(lines, before: 3) {
      policy.command.kill(SIGKILL)
      _ = policy.command.wait()
    }
    #expect(replies[2].hasPrefix("452 4.2.2 ") && replies[3].hasPrefix("250 2.1.5 "), "\(replies)")
    #expect(try self.replies(to: ["full@example.org"])[0].hasPrefix("250 2.1.5 "))
    let again = try ServiceDaemon(host.sandbox("ullage.cf"), service: "policy", socket: host.sandbox("policy"))
    try Command.check(["chmod", "666", host.sandbox("policy")])
    #expect(try self.replies(to: ["full@example.org"]) == [refusal("full@example.org")])
    // A lookup service that hangs costs four seconds, not ten.
    lookup.command.kill(SIGSTOP)
    let start = ContinuousClock.now
    #expect(try self.replies(to: ["full@example.org"])[0].hasPrefix("250 2.1.5 "))
    #expect(ContinuousClock.now - start < .seconds(9))
    lookup.command.kill(SIGCONT)
    withExtendedLifetime(again) {}
  }

  @Test("A hundred sessions at once through Postfix are answered without a single time-out")
  func hundredSessions() throws {
    try cluster.sql("UPDATE mailbox SET quota = 0 WHERE username = 'you@example.org'")
    try postfix.setParameter("default_process_limit=120")
    try postfix.setParameter("virtual_transport=retry:not now")
    try Command.check([
      "smtp-source", "-s", "100", "-m", "1000", "-l", "2000", "-f", "me@example.net", "-t", "you@example.org",
      "inet:127.0.0.1:\(postfix.port)",
    ])
    let log = postfix.log
    #expect(log.components(separatedBy: "client=unknown[127.0.0.1]").count == 1001)
    #expect(
      !log.contains("server \(host.sandbox("policy"))") && !log.contains("timeout") && !log.contains(" 451 "),
      "\(log.suffix(3000))")
  }

  @Test("warn_if_reject in front of the restriction only logs what would be refused")
  func dryRun() throws {
    let service = "check_policy_service { unix:\(host.sandbox("policy")), timeout=10s, default_action=DUNNO }"
    try postfix.setParameter("smtpd_recipient_restrictions=reject_unauth_destination, warn_if_reject \(service)")
    #expect(try replies(to: ["full@example.org"])[0].hasPrefix("250 2.1.5 "))
    #expect(postfix.log.contains("NOQUEUE: reject_warning: RCPT from"))
  }

  @Test("SIGHUP takes a new ullage.cf, keeps the old one if the new is wrong, and SIGTERM ends after the last answer")
  func reload() throws {
    try site.configure(
      """
      virtual_overquota_bounce = yes
      policy_exempt_senders = boss@example.net
      metrics_socket = policy=\(host.sandbox("policy-metrics"))
      """)
    policy.command.kill(SIGHUP)
    var log: [String] = []
    try waitUntil("the new settings") {
      log += host.log.lines()
      return ["were reloaded", "metrics_socket has changed, which takes a restart"].allSatisfy { text in
        log.contains { $0.contains(text) }
      } ? () : nil
    }
    #expect(try replies(to: ["full@example.org"]) == [refusal("full@example.org", code: "552 5.2.2")])
    #expect(try replies(to: ["full@example.org"], sender: "boss@example.net")[0].hasPrefix("250 "))
    try site.configure("policy_rule = most")
    policy.command.kill(SIGHUP)
    try waitUntil("the old settings") {
      host.log.lines().contains { $0.contains("the old configuration stays in effect: ") && $0.contains("policy_rule") }
        ? () : nil
    }
    #expect(try replies(to: ["full@example.org"]) == [refusal("full@example.org", code: "552 5.2.2")])
    policy.command.kill(SIGTERM)
    #expect(policy.command.wait().status == 0)
  }

  private func request(_ recipient: String, _ more: String = "") -> String {
    "request=smtpd_access_policy\nprotocol_state=RCPT\ninstance=1\nrecipient=\(recipient)\n\(more)\n"
  }

  @Test("1,000 idle connections, half requests, 1 MB, NUL and what is no UTF-8 do not keep others from their answers")
  func hostileClients() throws {
    func answers() throws -> String {
      let client = try policy.connect()
      client.send(request("full@example.org"))
      return String(decoding: client.receive(), as: UTF8.self)
    }
    #expect(try answers() == "action=452 4.2.2 Full up, sorry.\n\n")
    let memory = policy.memory
    var crowd: [UnixSocket] = []
    for number in 0..<1000 {
      let client = try policy.connect()
      client.send(
        number.isMultiple(of: 2) ? "" : "request=smtpd_access_policy\nrecipient=" + String(repeating: "x", count: 3000))
      crowd.append(client)
    }
    for text in [Array(request("a\u{0}b@example.org").utf8), Array(request("x").utf8.map { $0 == 120 ? 0xFF : $0 })] {
      let client = try policy.connect()
      client.send(text)
      #expect(String(decoding: client.receive(), as: UTF8.self) == "action=DUNNO\n\n")
    }
    let long = try policy.connect()
    let filler = Array(("x=" + String(repeating: "y", count: 1 << 16)).utf8)
    long.send(Array("request=smtpd_access_policy\n".utf8))
    for _ in 0..<16 { long.send(filler) }
    long.send("\n\n" + request("full@example.org"))
    var text = ""
    while text.components(separatedBy: "\n\n").count < 3 {
      let bytes = long.receive()
      try #require(!bytes.isEmpty)
      text += String(decoding: bytes, as: UTF8.self)
    }
    #expect(text == "action=DUNNO\n\naction=452 4.2.2 Full up, sorry.\n\n")
    #expect(try answers() == "action=452 4.2.2 Full up, sorry.\n\n")
    #expect(policy.memory - memory < 30_000, "\(memory) KiB before, \(policy.memory) KiB after")
    withExtendedLifetime(crowd) {}
  }

  /// Makes the service reachable where the package's socket is.
  private func linkSocket() throws {
    try Command.check(["ln", "-s", host.sandbox("policy"), postfix.sandbox("queue/private/ullage-policy")])
  }

  @Test("The commands that migrate prints switch it on for a trial, for good, and off again")
  func switching() throws {
    try linkSocket()
    try postfix.setParameter("smtpd_end_of_data_restrictions=")
    try postfix.setParameter("smtpd_recipient_restrictions=reject_unauth_destination")
    let config = postfix.sandbox("config")
    let report = try Command.run([
      Programs.path("ullage"), "migrate", "--from=\(config)", "--to=\(host.sandbox("new.cf"))", "--dry-run",
      "--user=nobody",
    ]).output
    func run(_ title: String) throws -> [String] {
      let lines = report.components(separatedBy: title + "\n").dropFirst().joined().split(separator: "\n")
      let commands = lines.prefix { $0.hasPrefix("       ") }.map { String($0.dropFirst(7)) }
      for command in commands where !command.contains("systemctl") { try Command.check(["sh", "-c", command]) }
      return commands
    }
    let trial = try run("only log what would be refused.")
    #expect(
      trial.first
        == "[ ! -d /run/systemd/system ] || systemctl enable --now ullaged-policy.socket ullaged-policy.service",
      "\(report)")
    // Only the port for other servers' mail is called smtp or 25; this one keeps its list.
    #expect(trial.contains { $0.contains("postconf -c \(config) -P 127.0.0.1:\(postfix.port)/inet/") })
    try Command.check(["postconf", "-c", config, "-PX", "127.0.0.1:\(postfix.port)/inet/smtpd_recipient_restrictions"])
    try postfix.reload()
    #expect(try replies(to: ["full@example.org"])[0].hasPrefix("250 "))
    #expect(postfix.log.contains("reject_warning: RCPT from"))
    #expect(try run("when the log looks right.").count == 2)
    try postfix.reload()
    #expect(try replies(to: ["full@example.org"]) == [refusal("full@example.org")])
    #expect(try run("Off again.").count == 2)
    try postfix.reload()
    #expect(try replies(to: ["full@example.org"])[0].hasPrefix("250 "))
    let now = try Command.check(["postconf", "-c", config, "-h", "smtpd_recipient_restrictions"])
    #expect(now == "reject_unauth_destination\n")
  }

  @Test(
    "The lines in the README and the manual are what migrate prints for an empty list",
    arguments: ["README.md", "man/ullaged.8"])
  func documentedLines(file: String) throws {
    let text = try String(
      contentsOf: URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent(file), encoding: .utf8
    ).replacing("\\e\n", with: "\\\n")
    // Those that are copied are what the service takes.
    let copying = try #require(text.firstMatch(of: #/\npostconf (-x [a-z_ ]+) >>|    postconf (-x [a-z_ ]+) >>/#))
    let names = String(copying.1 ?? copying.2 ?? "").split(separator: " ").map(String.init)
    let copied = try Command.check(["postconf", "-c", postfix.sandbox("config")] + names)
    let settings = try PolicySettings(ConfigurationFile(parsing: Array(copied.utf8)))
    #expect(settings.aliases.virtualAliasMaps.count == 3 && !settings.aliases.mailboxDomains.isEmpty, "\(copied)")
    let commands = text.matches(of: #/postconf -e "(?s).*?DUNNO }"/#).map { String($0.0) }
    let config = postfix.sandbox("config")
    for command in commands {
      try Command.check(["sh", "-c", command.replacing("postconf", with: "postconf -c \(config)")])
    }
    let list = try Command.check(["postconf", "-c", config, "-h", "smtpd_recipient_restrictions"])
    #expect(
      list.replacing(#/\s+/#, with: " ") == PolicyRestriction.inserted(into: "", isDryRun: true) + " ", "\(commands)")
    #expect(commands.count == (file == "README.md" ? 1 : 2))
    let end = try Command.check(["postconf", "-c", config, "-h", "smtpd_end_of_data_restrictions"])
    #expect(
      end.contains(
        PolicyRestriction.service(
          at: file == "README.md" ? "unix:\(host.sandbox("policy"))" : PolicyRestriction.endpoint)))
  }

  /// What `ullage check` finds about the policy service: kinds, evidence, remedies.
  private func findings() throws -> [[String: String]] {
    let ending = try host.ullage(
      "check", "--postfix=\(postfix.sandbox("config"))", "--user=nobody", "--format=jsonl", asMailUser: false)
    return try ending.records.filter {
      ($0["kind"] ?? "").hasPrefix("policy") || ["alias-loop", "bad-configuration"].contains($0["kind"])
    }
  }

  @Test("The check finds where the service is asked in the wrong way, and its commands put it right")
  func check() throws {
    try linkSocket()
    try cluster.sql("DELETE FROM alias WHERE address IN ('loop@example.org', 'pool@example.org')")
    try postfix.setParameter("smtpd_end_of_data_restrictions=")
    try postfix.setParameter("virtual_mailbox_domains=pgsql:\(host.sandbox("domains.cf"))")
    let guards = "reject_unauth_destination, reject_unlisted_recipient"
    let right = "{ unix:private/ullage-policy, timeout=10s, default_action=DUNNO }"
    for (list, kind) in [
      ("\(guards), check_policy_service \(right)", nil),
      ("check_policy_service \(right), reject_unauth_destination", "policy-place"),
      ("reject_unauth_destination, check_policy_service \(right), reject_unlisted_recipient", "policy-place"),
      ("permit_mynetworks, reject_unauth_destination, permit, check_policy_service \(right)", "policy-place"),
      (
        "\(guards), check_policy_service { unix:private/ullage-policy, timeout=5s }",
        "policy-options"
      ),
      (
        "\(guards), warn_if_reject check_policy_service unix:private/ullage-policy",
        "policy-options"
      ),
    ] as [(String, String?)] {
      try postfix.setParameter("smtpd_recipient_restrictions=\(list)")
      let found = try findings()
      guard let kind else {
        #expect(found.compactMap { $0["kind"] } == [], "\(found)")
        continue
      }
      #expect(found.contains { $0["kind"] == kind }, "\(list): \(found)")
      guard let remedy = found.first?["remedy"], remedy.hasPrefix("postconf ") else {
        Issue.record("\(found)")
        continue
      }
      try Command.check(["sh", "-c", remedy])
      let after = try findings()
      #expect(after.compactMap { $0["kind"] } == [], "\(list): \(remedy): \(after)")
    }
  }

  @Test(
    "The check finds a service that does not answer, other aliases than Postfix's, aliases that loop, and a mistake")
  func checkMore() throws {
    let site =
      "reject_unauth_destination, reject_unlisted_recipient, "
      + "check_policy_service { unix:private/ullage-policy, timeout=10s, default_action=DUNNO }"
    try postfix.setParameter("smtpd_end_of_data_restrictions=")
    try postfix.setParameter("virtual_mailbox_domains=pgsql:\(host.sandbox("domains.cf"))")
    try postfix.setParameter("smtpd_recipient_restrictions=\(site)")
    var found = try findings()
    #expect(Set(found.compactMap { $0["kind"] }) == ["policy-socket", "alias-loop"], "\(found)")
    let loop = found.first { $0["kind"] == "alias-loop" }?["finding"]
    #expect(
      loop?.contains("aliases lead back to it, so Postfix defers the message (and 1 more address)") == true, "\(found)")
    try linkSocket()
    try cluster.sql("DELETE FROM alias WHERE address = 'loop@example.org'")
    #expect(try findings().compactMap { $0["kind"] } == [])
    try postfix.setParameter("mydestination=local.example")
    try postfix.setParameter("canonical_maps=static:x@example.org")
    found = try findings()
    #expect(found.map { $0["kind"] } == ["policy-parameters", "policy-parameters"], "\(found)")
    try self.site.configure(
      "mydestination = local.example\ncanonical_maps = static:x@example.org\nmyorigin = /etc/mailname")
    #expect(
      try findings().contains {
        $0["kind"] == "bad-configuration" && $0["finding"]?.contains("myorigin must be") == true
      })
  }

  @Test("The counters are what Prometheus reads, and no address is in them")
  func counters() throws {
    try site.configure("metrics_socket = policy=\(host.sandbox("policy-metrics")), lookup=127.0.0.1:\(freePort())")
    let daemon = try ServiceDaemon(
      host.sandbox("ullage.cf"), service: "policy", socket: host.sandbox("policy-metrics"),
      environment: [:], stopping: policy)
    // The counters may be there before the service is.
    let first = try waitUntil("the service") { try? UnixSocket(connectingTo: host.sandbox("policy")) }
    withExtendedLifetime(first) {}
    for recipient in ["full@example.org", "room@example.org", "loop@example.org", "none@example.net"] {
      let client = try UnixSocket(connectingTo: host.sandbox("policy"))
      client.send(request(recipient) + request(recipient))
      var answers = ""
      while answers.components(separatedBy: "\n\n").count < 3 {
        let bytes = client.receive()
        try #require(!bytes.isEmpty)
        answers += String(decoding: bytes, as: UTF8.self)
      }
    }
    let text = try metrics()
    for line in [
      "ullage_policy_answers_total{action=\"refuse\",reason=\"full\"} 2",
      "ullage_policy_answers_total{action=\"pass\",reason=\"room\"} 2",
      "ullage_policy_answers_total{action=\"pass\",reason=\"alias-error\"} 2",
      "ullage_policy_answers_total{action=\"pass\",reason=\"elsewhere\"} 2", "ullage_policy_answer_seconds_count 8",
      "ullage_connections_total{service=\"policy\"} 5",
    ] { #expect(text.contains(line + "\n"), "\(line) is not in \(text)") }
    #expect(!text.contains("@") && !text.contains("example"))
    let check = try Command.run(["promtool", "check", "metrics"], input: .bytes(Array(text.utf8)))
    #expect(check.status == 0 && check.errors == "" && check.output == "", "\(check)")
    #expect(try metrics("/other").contains("404 Not Found") && metrics("/metrics", method: "POST").contains("405 "))
    withExtendedLifetime(daemon) {}
  }

  /// The body of an answer, or all of one that is an error.
  private func metrics(_ path: String = "/metrics", method: String = "GET") throws -> String {
    let client = try UnixSocket(connectingTo: host.sandbox("policy-metrics"))
    client.send("\(method) \(path) HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    var text = ""
    while case let bytes = client.receive(), !bytes.isEmpty { text += String(decoding: bytes, as: UTF8.self) }
    guard text.hasPrefix("HTTP/1.1 200 OK\r\n") else { return text }
    return text.components(separatedBy: "\r\n\r\n").dropFirst().joined()
  }

  @Test("On TCP only the hosts of policy_clients may ask")
  func tcp() throws {
    policy.command.kill(SIGTERM)
    _ = policy.command.wait()
    func ask(_ clients: String) throws -> String {
      let port = try freePort()
      try site.configure("policy_listen = 127.0.0.1:\(port)\npolicy_clients = \(clients)")
      let daemon = try ServiceDaemon(host.sandbox("ullage.cf"), service: "policy", socket: host.sandbox("policy"))
      defer { withExtendedLifetime(daemon) {} }
      let script = """
        import socket, sys
        s = socket.create_connection(("127.0.0.1", \(port)), timeout=30)
        try:
            s.sendall(sys.stdin.buffer.read())
            print(s.recv(1000).decode())
        except ConnectionError:
            pass
        """
      return try Command.check(["python3", "-c", script], input: .bytes(Array(request("full@example.org").utf8)))
    }
    #expect(try ask("127.0.0.0/8, ::1").hasPrefix("action=452 4.2.2 "))
    #expect(try ask("192.0.2.0/24").trimmingCharacters(in: .whitespacesAndNewlines) == "")
  }
}
