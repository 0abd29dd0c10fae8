// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

/// A real Postfix hands messages to the real program, with the quotas in a real PostgreSQL.
struct PostfixTests {
  private let cluster: PostgresCluster
  private let host: MailHost
  private let postfix: PostfixInstance
  private let program: String

  init() throws {
    cluster = try PostgresCluster()
    try cluster.makePostfixAdmin(quota: 20_000)
    try cluster.sql(
      """
      INSERT INTO mailbox (username, maildir, quota, domain)
      VALUES ('me@example.org', 'example.org/me/', 0, 'example.org')
      """)
    host = try MailHost()
    try host.sandbox.write("mailboxes.cf", cluster.tableFile(PostgresCluster.pathQuery), mode: 0o644)
    try host.sandbox.write("limits.cf", cluster.tableFile(PostgresCluster.limitQuery), mode: 0o644)
    try host.configure(
      """
      virtual_mailbox_limit_maps = pgsql:\(host.sandbox("limits.cf"))
      virtual_maildir_limit_message_maps = inline:{ {you@example.org = The mailbox of 'you' is full %s.} }
      virtual_maildir_oversize_message = Too large for 'you' %s.
      recipient_delimiter = +
      """, maps: "pgsql:\(host.sandbox("mailboxes.cf"))")
    // A separate copy, which one test removes.
    program = host.sandbox("ullage-deliver")
    try Command.check(["cp", MailHost.program, program])
    postfix = try PostfixInstance(
      pipe: PostfixInstance.entry(host, program: program),
      settings: """
        virtual_mailbox_maps = pgsql:\(host.sandbox("mailboxes.cf"))
        recipient_delimiter = +
        """)
  }

  private func message(_ bytes: Int, subject: String = "test") -> String {
    let line = String(repeating: "x", count: 70) + "\r\n"
    return "Subject: \(subject)\r\n\r\n" + String(repeating: line, count: bytes / 72)
  }

  private func delivered(_ maildir: String) -> String? {
    host.sandbox.list("\(maildir)/new").first.flatMap { host.sandbox.text("\(maildir)/new/\($0)") }
  }

  @Test("A message arrives with Return-Path, X-Original-To and Delivered-To, which count toward its size")
  func delivers() throws {
    try postfix.send(message(5000), to: ["You+box@example.org"])
    let line = try postfix.nextStatus()
    #expect(line.contains("dsn=2.0.0, status=sent (delivered via ullage service)"), "\(line)")
    let text = try #require(delivered(host.maildir))
    #expect(
      text.hasPrefix(
        "Return-Path: <me@example.org>\nX-Original-To: You+box@example.org\nDelivered-To: You+box@example.org\n"))
    #expect(host.ledgerTotal == [text.utf8.count, 1])
    let lines = host.log.lines()
    #expect(lines.contains { $0.contains(": to=<You+box@example.org>, queue_size=") }, "\(lines)")
  }

  /// Sender, recipient, and headers that the message has already.
  private static let letters = [
    ("me@example.org", "you@example.org", ""), ("", "You+Box@Example.org", ""),
    ("\"a b\"@example.org", "you@example.org", ""), ("me@example.org", "\"you\"@example.org", ""),
    ("me@example.org", "\"you+a b\"@example.org", ""),
    // fetchmail, a resent message, or a forgery: with flag D pipe(8) bounces it.
    ("me@example.org", "you@example.org", "Delivered-To: you@example.org\r\n"),
    ("me@example.org", "you@example.org", "Return-Path: <x@example.net>\r\nX-Original-To: y@example.net\r\n"),
    ("me@example.org", "alias@example.org", "Delivered-To: alias@example.org\r\n"),
  ]

  @Test("What arrives is byte for byte what virtual(8) writes, also where a message has a Delivered-To already")
  func asVirtual() throws {
    let base = host.sandbox("virtual")
    try Command.check(["install", "-d", "-o", "nobody", base])
    for setting in [
      "virtual_mailbox_base=\(base)", "virtual_uid_maps=static:65534", "virtual_gid_maps=static:65534",
      "virtual_minimum_uid=1", "virtual_alias_maps=inline:{alias@example.org=you@example.org}",
    ] {
      try Command.check(["postconf", "-c", postfix.sandbox("config"), "-e", setting])
    }
    let fixed = "Message-ID: <x@example.org>\r\nDate: Sat, 28 Nov 2026 00:00:00 +0000\r\n"
    var texts: [String: [String]] = [:]
    for (transport, maildir) in [("virtual", "virtual/example.org/you"), ("ullage", host.maildir)] {
      try postfix.setParameter("virtual_transport=\(transport)")
      for (sender, recipient, headers) in Self.letters {
        try postfix.send(headers + fixed + message(300), from: sender, to: [recipient])
        _ = try postfix.nextStatus(matching: "status=sent", of: transport)
        let text = try #require(delivered(maildir))
        // The queue id and the second differ.
        texts[transport, default: []].append(
          text.replacing(#/with ESMTP id \w+/#, with: "").replacing(#/\d\d:\d\d:\d\d/#, with: ""))
        try Command.check(["rm", "-r", host.sandbox("\(maildir)/new")])
      }
    }
    #expect(texts["ullage"] == texts["virtual"])
    #expect(
      texts["ullage"]?.map { $0.components(separatedBy: "\nDelivered-To: ").count - 1 } == [1, 1, 1, 1, 1, 2, 1, 2])
  }

  @Test("An entry as it was documented before goes on as it was, with one Delivered-To")
  func oldEntry() throws {
    let entry = PostfixInstance.oldEntry(host, program: program)
    for option in ["", " --delivered-to=${recipient}"] {
      try Command.check(
        ["postconf", "-c", postfix.sandbox("config"), "-F", "ullage/unix/command=pipe \(entry)\(option)"])
      try postfix.reload()
      try postfix.send(message(100), to: ["You+Box@Example.org"])
      #expect(try postfix.nextStatus().contains("status=sent"))
      let text = try #require(delivered(host.maildir))
      #expect(text.components(separatedBy: "Delivered-To: You+Box@Example.org\n").count == 2, "\(text)")
      try Command.check(["rm", "-r", host.sandbox(host.maildir)])
    }
  }

  @Test("A delimiter that only Postfix has defers mail with 4.3.5, and bounces none")
  func forgottenDelimiter() throws {
    try host.configure("", maps: "pgsql:\(host.sandbox("mailboxes.cf"))")
    for address in ["you+box@example.org", "you+@example.org"] {
      try postfix.send(message(100), to: [address])
      let line = try postfix.nextStatus()
      #expect(line.contains("dsn=4.3.5, status=deferred"), "\(line)")
    }
    #expect(host.log.lines().contains { $0.contains("recipient_delimiter in ullage.cf says otherwise") })
  }

  @Test("Over quota defers; once the quota is raised in SQL, the same message is delivered")
  func quotaChanges() throws {
    try postfix.send(message(15_000))
    #expect(try postfix.nextStatus().contains("status=sent"))
    try postfix.send(message(15_000))
    let deferred = try postfix.nextStatus()
    #expect(
      deferred.contains("dsn=4.2.2, status=deferred (maildir delivery failed: The mailbox of 'you' is full %s.)"),
      "\(deferred)")
    try cluster.sql("UPDATE mailbox SET quota = 40000 WHERE username = 'you@example.org'")
    try postfix.flush()
    #expect(try postfix.nextStatus(matching: "status=sent").contains("dsn=2.0.0"))
    #expect(host.new.count == 2)
  }

  @Test("recompute --retry-waiting lets mail go that waits for a mailbox with room, and no other")
  func retryWaiting() throws {
    for setting in ["minimal_backoff_time=1h", "maximal_backoff_time=1h", "queue_run_delay=1h"] {
      try Command.check(["postconf", "-c", postfix.sandbox("config"), "-e", setting])
    }
    try postfix.setParameter("virtual_mailbox_maps=static:example.org/you/")
    try cluster.sql(
      "INSERT INTO mailbox (username, maildir, quota, domain) VALUES ('b@example.org', 'example.org/b/', 9000,"
        + " 'example.org')")
    try postfix.send(message(8_000), to: ["b@example.org"])
    #expect(try postfix.nextStatus().contains("status=sent"))
    try postfix.send(message(8_000), to: ["b@example.org"])
    for _ in 0..<2 { try postfix.send(message(15_000), to: ["You+x@example.org"]) }
    for _ in 0..<3 { _ = try postfix.nextStatus() }
    let queue = ["MAIL_CONFIG": postfix.sandbox("config")]
    let full = try host.ullage(
      "recompute", "--retry-waiting", MailHost.recipient, "b@example.org", environment: queue, asMailUser: false)
    #expect(full.status == 0 && !full.errors.contains("again"), "\(full)")
    try cluster.sql("UPDATE mailbox SET quota = 40000 WHERE username = 'you@example.org'")
    let raised = try host.ullage(
      "recompute", "--retry-waiting", MailHost.recipient, "b@example.org", environment: queue, asMailUser: false)
    #expect(raised.errors.contains("Postfix tries 1 waiting message again"), "\(raised)")
    #expect(try postfix.nextStatus(matching: "status=sent").contains("to=<You+x@example.org>"))
    #expect(host.new.count == 2)
    // Without a Postfix the mailboxes are recomputed all the same.
    let alone = try host.ullage(
      "recompute", "--retry-waiting", MailHost.recipient, environment: ["MAIL_CONFIG": "/nowhere"], asMailUser: false)
    #expect(alone.status == 0 && alone.errors.contains("waiting mail is not tried again: postqueue -j: "), "\(alone)")
  }

  @Test("A refusal reaches the sender as a bounce with only its code and text")
  func bounce() throws {
    try postfix.send(message(30_000))
    let refused = try postfix.nextStatus()
    #expect(
      refused.contains("dsn=5.2.2, status=bounced (maildir delivery failed: Too large for 'you' %s.)"), "\(refused)")
    #expect(try postfix.nextStatus().contains("to=<me@example.org>"))
    let bounce = try #require(delivered("base/example.org/me"))
    #expect(bounce.contains("Action: failed\nStatus: 5.2.2\n"))
    let unfolded = bounce.replacingOccurrences(of: "\n    ", with: " ")
    #expect(unfolded.contains("Diagnostic-Code: x-unix; maildir delivery failed: Too large for 'you' %s."))
    #expect(!bounce.contains(host.sandbox.path) && !bounce.contains("Command output"))
    #expect(host.new == [] && host.tmp == [])
  }

  @Test("soft_bounce on the entry turns a refusal into a deferral")
  func softBounce() throws {
    try Command.check(["postconf", "-c", postfix.sandbox("config"), "-P", "ullage/unix/soft_bounce=yes"])
    try postfix.reload()
    try postfix.send(message(30_000))
    let line = try postfix.nextStatus()
    #expect(line.contains("dsn=4.2.2, status=SOFTBOUNCE"), "\(line)")
  }

  @Test("Stopping and starting the database in mid-stream loses and bounces nothing")
  func databaseRestart() throws {
    try cluster.sql("UPDATE mailbox SET quota = 0")
    for number in 0..<5 { try postfix.send(message(200, subject: "before \(number)")) }
    for _ in 0..<5 { #expect(try postfix.nextStatus().contains("status=sent")) }
    // smtpd would need the database to check recipients; with a static table it accepts the messages.
    try postfix.setParameter("virtual_mailbox_maps=static:example.org/you/")
    try cluster.stop()
    for number in 0..<5 { try postfix.send(message(200, subject: "during \(number)")) }
    for _ in 0..<5 {
      let line = try postfix.nextStatus()
      #expect(line.contains("dsn=4.3.0, status=deferred (The mail system has a temporary problem.)"), "\(line)")
    }
    try cluster.start()
    try postfix.flush()
    for _ in 0..<5 { _ = try postfix.nextStatus(matching: "status=sent") }
    #expect(host.new.count == 10)
    #expect(!postfix.log.contains("status=bounced"))
  }

  @Test("A message to several recipients is deferred without the recipient limit, and delivered with it")
  func severalRecipients() throws {
    try cluster.sql(
      "INSERT INTO mailbox (username, maildir, quota, domain) VALUES ('b@example.org', 'example.org/b/', 0,"
        + " 'example.org')"
    )
    try postfix.setParameter("ullage_destination_recipient_limit=2")
    try postfix.send(message(100), to: ["you@example.org", "b@example.org"])
    // With D or O in flags= pipe(8) itself refuses to run a command for both.
    let line = try postfix.nextStatus()
    #expect(line.contains("dsn=4.3.5, status=deferred"), "\(line)")
    #expect(host.new == [])
    try postfix.setParameter("ullage_destination_recipient_limit=1")
    try postfix.flush()
    _ = try postfix.nextStatus(matching: "status=sent")
    _ = try postfix.nextStatus(matching: "status=sent")
    #expect(host.new.count == 1 && host.sandbox.list("base/example.org/b/new").count == 1)
  }

  @Test("An unknown recipient that Postfix has accepted is refused with 5.1.1")
  func unknownRecipient() throws {
    try postfix.setParameter("virtual_mailbox_maps=static:x/")
    try postfix.send(message(100), to: ["nobody@example.org"])
    let line = try postfix.nextStatus()
    #expect(line.contains("dsn=5.1.1, status=bounced (The recipient has no mailbox here.)"), "\(line)")
  }

  @Test("A wrong configuration defers with 4.3.5; a program with a trap, or a missing one, defers as well")
  func brokenInstallation() throws {
    try host.sandbox.write("ullage.cf", "virtual_mailbox_base = /\nnonsense\n")
    try postfix.send(message(100))
    #expect(
      try postfix.nextStatus().contains("dsn=4.3.5, status=deferred (The mail system is not configured correctly.)"))
    try host.sandbox.write(
      "ullage-deliver", "#!/bin/sh\nULLAGE_FAULT=0:TRAP exec \(MailHost.programWithFaults) \"$@\"\n", mode: 0o755)
    try postfix.flush()
    let line = try postfix.nextStatus()
    #expect(line.contains("status=deferred (Command died with signal ") && !line.contains("get out"), "\(line)")
    try Command.check(["rm", program])
    try postfix.flush()
    #expect(try postfix.nextStatus().contains("status=deferred"))
  }

  @Test("After pipe(8) is killed in mid-message, no cut message remains, and the whole one arrives later")
  func pipeKilled() throws {
    try cluster.sql("UPDATE mailbox SET quota = 0")
    // A lookup holds the delivery, until pipe(8) is gone, which has written only what fits into a pipe.
    try cluster.sql(
      """
      CREATE TABLE go ();
      GRANT SELECT ON go TO postfix;
      CREATE FUNCTION hold() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN
        WHILE NOT EXISTS (SELECT FROM go) LOOP PERFORM pg_sleep(0.01); END LOOP;
        RETURN 0;
      END $$
      """)
    try host.sandbox.write("limits.cf", cluster.tableFile("SELECT hold() WHERE '%s' <> ''"), mode: 0o644)
    try postfix.send(message(5_000_000))
    let pipe = try waitUntil("the start of a query") {
      try cluster.sql("SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT hold() %'") == "1\n"
        ? try postfix.pipeProcess() : nil
    }
    kill(pipe, SIGKILL)
    try cluster.sql("INSERT INTO go DEFAULT VALUES")
    #expect(try waitUntil("the end of the delivery") { host.log.lines().first }.contains("status=deferred"))
    #expect(host.new == [] && host.tmp == [])
    try waitUntil("Postfix's next try") {
      try postfix.flush()
      return postfix.log.contains("status=sent") ? () : nil
    }
    for message in host.newMessages() { #expect(message.count > 5_000_000 * 70 / 72) }
    #expect(host.new.count == 1 && host.tmp == [])
  }

  @Test("8-bit text, long lines and lines that begin with a dot or From arrive as sent by SMTP")
  func bytes() throws {
    let body =
      "Subject: x\r\n\r\nümlaut \u{1F4E7}\r\n.dot\r\nFrom here\r\n" + String(repeating: "y", count: 900) + "\r\n"
    try cluster.sql("UPDATE mailbox SET quota = 0")
    try postfix.send(body)
    #expect(try postfix.nextStatus().contains("status=sent"))
    let text = try #require(delivered(host.maildir))
    #expect(text.hasSuffix(body.replacingOccurrences(of: "\r\n", with: "\n").components(separatedBy: "\n\n")[1]))
  }

  @Test("Of parallel messages to a mailbox with room for some, exactly as many as fit arrive")
  func parallel() throws {
    for number in 0..<12 { try postfix.send(message(3000, subject: "\(number)")) }
    for _ in 0..<12 { _ = try postfix.nextStatus() }
    let total = try #require(host.ledgerTotal)
    let files = host.newMessages().reduce(0) { $0 + $1.count }
    #expect(total == [files, host.new.count] && files <= 20_000 && files > 20_000 - 3300)
  }

  // MARK: the lookup service

  /// Starts the lookup service as the mail user, with a socket that Postfix's user may connect to.
  private func startService(_ lines: String = "") throws -> ServiceDaemon {
    let socket = host.sandbox("lookup")
    try host.configure(
      """
      virtual_mailbox_limit_maps = pgsql:\(host.sandbox("limits.cf"))
      recipient_delimiter = +
      lookup_socket = \(socket)
      \(lines)
      """, maps: "pgsql:\(host.sandbox("mailboxes.cf"))")
    try Command.check(["chmod", "755", host.sandbox.path])
    let daemon = try ServiceDaemon(host.sandbox("ullage.cf"), socket: socket)
    try Command.check(["chmod", "777", socket])
    return daemon
  }

  @Test(
    "Postfix itself queries the service, directly and through proxymap(8)",
    arguments: ["", "proxy:"])
  func socketmap(prefix: String) throws {
    let daemon = try startService()
    try postfix.setParameter(
      "virtual_mailbox_maps=\(prefix)socketmap:unix:\(host.sandbox("lookup")):virtual_mailbox_maps")
    try postfix.setParameter("smtpd_recipient_restrictions=reject_unlisted_recipient, permit_mynetworks, reject")
    try postfix.send(message(100))
    #expect(try postfix.nextStatus().contains("status=sent"))
    let refused = #expect(throws: TestError.self) { try postfix.send(message(100), to: ["none@example.org"]) }
    #expect(refused?.description.contains("550") == true && refused?.description.contains("User unknown") == true)
    // Without the service, smtpd answers 451 and not 550.
    daemon.command.kill(SIGTERM)
    #expect(daemon.command.wait().status == 0)
    let deferred = #expect(throws: TestError.self) { try postfix.send(message(100), to: ["none@example.org"]) }
    #expect(deferred?.description.contains("451") == true, "\(String(describing: deferred))")
  }

  @Test("Killing the service and restarting PostgreSQL repeatedly in mid-stream loses and bounces nothing")
  func serviceKilled() throws {
    try cluster.sql("UPDATE mailbox SET quota = 0")
    var daemon = try startService("lookup_cache_time = 0")
    try postfix.setParameter("virtual_mailbox_maps=static:example.org/you/")
    let total = 60
    for number in 0..<total {
      switch number % 20 {
      case 5:
        daemon.command.kill(SIGKILL)
        _ = daemon.command.wait()
      case 10: daemon = try startService("lookup_cache_time = 0")
      case 12: try cluster.stop()
      case 17: try cluster.start()
      default: break
      }
      try postfix.send(message(200, subject: "stream \(number)"))
    }
    try waitUntil("the delivery of everything") {
      try postfix.flush()
      return host.new.count >= total ? () : nil
    }
    #expect(!postfix.log.contains("status=bounced") && postfix.log.contains("status=deferred"))
    let subjects = host.newMessages().compactMap {
      String(decoding: $0, as: UTF8.self).components(separatedBy: "\n").first { $0.hasPrefix("Subject: stream ") }
    }
    #expect(Set(subjects).count == total && subjects.count == total)
    withExtendedLifetime(daemon) {}
  }
}
