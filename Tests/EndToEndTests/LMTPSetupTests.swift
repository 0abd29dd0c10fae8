// SPDX-License-Identifier: Apache-2.0
import Configuration
import Foundation
import TestSupport
import Testing

/// How administrators send mail to `ullaged lmtp` and back, by the commands that they are given, with a real Postfix.
final class LMTPSetupTests {
  private let host: MailHost
  private var service: ServiceDaemon?
  private let postfix: PostfixInstance
  private var config: String { postfix.sandbox("config") }
  /// As Postfix's log names it.
  private let relay = "mx.example.org[private/ullage-lmtp]"

  init() throws {
    host = try MailHost()
    let maps = "inline:{ you@example.org=example.org/you/, me@example.org=example.org/me/ }"
    try host.configure("lmtp_socket = \(host.sandbox("lmtp"))", maps: maps)
    postfix = try PostfixInstance(
      pipe: PostfixInstance.entry(host, program: MailHost.program),
      settings: """
        virtual_transport = virtual
        virtual_mailbox_base = \(host.sandbox("base"))
        virtual_mailbox_maps = \(maps)
        virtual_uid_maps = static:\(MailUser.id)
        virtual_gid_maps = static:\(MailUser.group)
        """)
    try linkSocket()
    try Command.check(["chown", "root:\(MailUser.group)", host.sandbox("ullage.cf")])
    try Command.check(["chmod", "640", host.sandbox("ullage.cf")])
    try startService()
  }

  /// Makes the service reachable where the package's socket is.
  private func linkSocket() throws {
    try Command.check(["ln", "-sf", host.sandbox("lmtp"), postfix.sandbox("queue/private/ullage-lmtp")])
  }

  private func startService() throws {
    service = try ServiceDaemon(host.sandbox("ullage.cf"), service: "lmtp", socket: host.sandbox("lmtp"))
    // Only Postfix may connect. The owner stays: the service sets the mode after it has begun to listen.
    try Command.check(["chgrp", "postfix", host.sandbox("lmtp")])
  }

  private func stopService() {
    service?.command.kill(SIGTERM)
    _ = service?.command.wait()
    service = nil
  }

  /// `severity kind` of what `ullage check` finds, without notices.
  private func findings() throws -> [String] {
    let ending = try host.ullage(
      "check", "--postfix=\(config)", "--dovecot=/nowhere", "--courier=/nowhere", "--ignore=mailbox-list",
      "--format=jsonl", asMailUser: false)
    return try ending.records.filter { $0["severity"] != "notice" }
      .map { "\($0["severity"] ?? "") \($0["kind"] ?? ""): \($0["finding"] ?? "")" }
  }

  /// Runs a printed command against this Postfix.
  private func run(_ command: String) throws {
    let line = command.replacing(#/^ullage /#, with: "\(Programs.path("ullage")) ")
      // A manual names no directory.
      .replacing(#/^(postconf|postfix) (?!-c)/#) { "\($0.1) -c \(config) " }
    let ending = try Command.run(["sh", "-c", line])
    // The check warns of soft_bounce, which the steps have for the first days.
    #expect(ending.status == 0 || command.hasPrefix("ullage check") && ending.status == 1, "\(command): \(ending)")
  }

  private func send(_ subject: String) throws {
    try postfix.send("Subject: \(subject)\n\n\(String(repeating: "x", count: 1500))\n")
  }

  private var subjects: [String] {
    host.newMessages().compactMap { message in
      String(decoding: message, as: UTF8.self).firstMatch(of: #/\nSubject: (.*)\n/#).map { String($0.1) }
    }.sorted()
  }

  /// The files of messages that wait.
  private func queued() throws -> Int {
    let queues = ["incoming", "active", "deferred", "hold"].map { postfix.sandbox("queue/\($0)") }
    return try Command.check(["find"] + queues + ["-type", "f"]).split(separator: "\n").count
  }

  @Test("From virtual(8) to the LMTP service and back by the commands that migrate prints, and check agrees")
  func migration() throws {
    let report = try Command.run([
      Programs.path("ullage"), "migrate", "--lmtp", "--from=\(config)", "--to=\(host.sandbox("ullage.cf"))",
      "--dry-run",
    ]).output
    // This Postfix has another queue directory than the unit knows.
    let start =
      "[ ! -d /run/systemd/system ] || { systemctl daemon-reload && systemctl enable --now ullaged-lmtp.socket"
      + " ullaged-lmtp.service; }"
    let steps = commands(in: report)
    #expect(steps.contains(start))
    if !FileManager.default.fileExists(atPath: "/run/systemd/system") { try run(start) }
    // Others are for a mail user other than vmail, and would change this machine; MigrationTests runs the unit's.
    for command in steps where ["postconf", "postfix", "ullage"].contains(command.prefix { $0 != " " }) {
      try run(command)
      if command.hasPrefix("ullage check") {
        #expect(try findings() == ["warning soft-bounce: soft_bounce is on"])
      }
    }
    try postfix.reload()
    #expect(try findings() == [])
    try send("one")
    let status = try postfix.nextStatus(of: relay)
    #expect(status.contains("status=sent (250 2.0.0 "))
    // The service knows Postfix's queue ID.
    let identifier = try #require(status.firstMatch(of: #/]: ([0-9A-Za-z]+): to=/#)).1
    #expect(host.log.lines().contains { $0.contains(identifier) }, "\(status)")
    let message = try String(decoding: #require(host.newMessages().first), as: UTF8.self)
    #expect(
      message.hasPrefix(
        "Return-Path: <me@example.org>\nX-Original-To: you@example.org\nDelivered-To: you@example.org\nReceived: "),
      "\(message)")
    #expect(message.contains("\n\(String(repeating: "x", count: 1500))\n"))
    for command in commands(in: report, after: "The way back.") { try run(command) }
    try postfix.reload()
    try send("two")
    #expect(try postfix.nextStatus(of: "virtual").contains("status=sent"))
    #expect(subjects == ["one", "two"])
  }

  /// The commands in a section of a manual page, by its blocks.
  private func documented(in page: String, _ heading: String) throws -> [[String]] {
    let text = try Project.text("man/\(page)")
    let section = try #require(text.components(separatedBy: "\n\(heading)").last).firstMatch(of: #/(.|\n)*?\n\.S[hs] /#)
    return try String(#require(section).0).components(separatedBy: ".Bd -literal\n").dropFirst()
      .map {
        $0.components(separatedBy: "\n.Ed")[0].replacing("\\e\n  ", with: "").components(separatedBy: "\n")
      }
  }

  @Test("The manual's entry for mail to many mailboxes: one file for all of them, and check agrees")
  func massMail() throws {
    let blocks = try documented(in: "ullaged.8", ".Ss Switching it on")
    try #require(blocks.count == 2)
    for command in blocks[0] where command.hasPrefix("postconf") { try run(command) }
    try #require(blocks[1][0] == "echo 'lmtp_delivered_to = no' >> /etc/ullage/ullage.cf")
    try Command.check(["sh", "-c", "echo 'lmtp_delivered_to = no' >> \(host.sandbox("ullage.cf"))"])
    stopService()
    try startService()
    for command in blocks[1] where command.hasPrefix("postconf") { try run(command) }
    try postfix.reload()
    #expect(try findings() == [])
    try postfix.send("Subject: all\n\nx\n", to: ["you@example.org", "me@example.org"])
    for _ in 0..<2 { #expect(try postfix.nextStatus(of: relay).contains("status=sent (250 2.0.0 ")) }
    let files = try Command.check(["find", host.sandbox("base"), "-path", "*/new/*", "-links", "2"])
    #expect(files.split(separator: "\n").count == 2 && subjects == ["all"], "\(files)")
  }

  @Test("Between ullage-deliver and the service, mail that waits goes the new way, once, with the manual's commands")
  func queue() throws {
    let ways = try documented(in: "ullage-migrate.1", ".Sh FROM ONE WAY")
    try #require(ways.count == 2 && ways.allSatisfy { $0.count == 2 })
    // Both entries are there.
    try run("postconf -M 'ullage_lmtp/unix=\(MasterEntry.lmtpLine())'")
    try run("postconf -e ullage_lmtp_destination_recipient_limit=1 'defer_transports=ullage ullage_lmtp'")
    try ways[1].forEach(run)
    try postfix.reload()
    func release() throws {
      try run("postconf -X defer_transports")
      try postfix.reload()
      try postfix.flush()
    }
    try send("from pipe")
    _ = try postfix.nextStatus(matching: "status=deferred (deferred transport)", of: "none")
    try ways[0].forEach(run)
    try release()
    #expect(try postfix.nextStatus(of: relay).contains("status=sent (250 2.0.0 "))
    // A service that is down loses nothing; the way back delivers what waits for it.
    stopService()
    try send("from lmtp")
    _ = try postfix.nextStatus(matching: "status=deferred (connect to", of: "none")
    #expect(try findings().contains { $0.hasPrefix("error lmtp-socket: connect ") })
    try ways[1].forEach(run)
    try postfix.reload()
    try postfix.flush()
    #expect(try postfix.nextStatus(matching: "status=sent").contains("delivered via ullage service"))
    // And once more to the service, with mail in both.
    try send("by pipe")
    _ = try postfix.nextStatus(matching: "status=sent")
    try startService()
    try ways[0].forEach(run)
    try postfix.reload()
    try send("by lmtp")
    _ = try postfix.nextStatus(matching: "status=sent", of: relay)
    #expect(subjects == ["by lmtp", "by pipe", "from lmtp", "from pipe"])
    try waitUntil("an empty queue") { try queued() == 0 ? () : nil }
    #expect(try findings() == [])
  }

  @Test("What the check calls an error in the entry keeps mail waiting, and its command lets it go on")
  func errors() throws {
    try run("postconf -e virtual_transport=ullage_lmtp:unix:private/ullage-lmtp")
    for (command, line) in [
      ("lmtp flags=RX -o lmtp_line_length_limit=0", "fatal: unknown attribute name: -o"),
      ("lmtp -o lmtp_line_length_limit=0 flags=ORX", "status=deferred (mail system configuration error)"),
    ] {
      try run("postconf -e ullage_lmtp_destination_recipient_limit=50")
      try run("postconf -M 'ullage_lmtp/unix=ullage_lmtp unix - - n - - \(command)'")
      try postfix.reload()
      try postfix.send("Subject: \(command)\n\nx\n", to: ["you@example.org", "me@example.org"])
      try waitUntil(line) { postfix.log.contains(line) ? () : nil }
      let ending = try host.ullage("check", "--postfix=\(config)", "--format=jsonl", asMailUser: false)
      let error = try #require(try ending.records.first { $0["severity"] == "error" })
      try run(#require(error["remedy"]))
      try postfix.reload()
      try postfix.flush()
      for _ in 1...2 { _ = try postfix.nextStatus(matching: "status=sent (250 2.0.0 ", of: relay) }
    }
    #expect(try findings() == [])
    #expect(subjects.count == 2)
  }

  @Test("An entry with the socket's name takes its place, and the check's commands put both right")
  func sameName() throws {
    try run("postconf -e virtual_transport=ullage-lmtp:unix:private/ullage-lmtp")
    try run("postconf -M 'ullage-lmtp/unix=\(MasterEntry.lmtpLine("ullage-lmtp"))'")
    try run("postconf -e ullage-lmtp_destination_recipient_limit=1")
    try postfix.reload()
    let error = try #require(
      try host.ullage("check", "--postfix=\(config)", "--format=jsonl", asMailUser: false)
        .records.first { $0["severity"] == "error" })
    #expect(error["kind"] == "lmtp-socket" && error["finding"]?.hasPrefix("Postfix itself listens on ") == true)
    let remedy = try #require(error["remedy"])
    let commands = try #require(remedy.firstRange(of: "postconf ").map { String(remedy[$0.lowerBound...]) })
    try run(commands.replacing(#/ && systemctl .*/#, with: ""))
    try postfix.reload()
    try linkSocket()
    let after = try findings()
    #expect(after == [], "\(after) \(postfix.log)")
    try send("renamed")
    _ = try postfix.nextStatus(matching: "status=sent (250 2.0.0 ", of: relay)
  }
}
