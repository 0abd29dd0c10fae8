// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// What becomes of recipients and messages while `ullaged policy` is asked, by Postfix and by hostile clients.
final class PolicyTests: PolicyFixture {
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
}
