// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

/// Deliveries by the real `ullaged lmtp`.
struct LMTPDeliveryTests {
  private static let ok = "250 2.0.0 Delivered"
  private static let message = Array(
    "Return-Path: <me@example.net>\nX-Original-To: list@d\nReceived: by mx (Postfix) id 4Abc; Sun\n\nhello\n".utf8)

  @Test("A message arrives with its bytes, Delivered-To where virtual(8) writes it, a counted name and a ledger entry")
  func one() throws {
    let lmtp = try LMTPHost("virtual_mailbox_limit = 1000000")
    #expect(try lmtp.deliver(Self.message, to: "a@d") == [Self.ok])
    let stored = Self.message.text.replacing("list@d\n", with: "list@d\nDelivered-To: a@d\n")
    #expect(lmtp.messages("a").map(\.text) == [stored])
    #expect(try #require(lmtp.new("a").first).hasSuffix(",S=\(stored.utf8.count)"))
    #expect(lmtp.ledger("a") == "1000000S\n 0 0\n\(stored.utf8.count) 1\n" && lmtp.isTidy)
    let log = lmtp.host.log.lines().filter { $0.contains("status=") }
    #expect(
      log.count == 1
        && log[0].hasSuffix(
          "4Abc: to=<a@d>, orig_to=<list@d>, size=\(stored.utf8.count), used=\(stored.utf8.count), limit=1000000,"
            + " dsn=2.0.0, status=sent"),
      "\(log)")
  }

  @Test("The queue ID is XFORWARD's if Postfix sends it")
  func queueID() throws {
    let lmtp = try LMTPHost()
    let client = try lmtp.connect()
    #expect(
      client.ask("LHLO x", "XFORWARD IDENT=3Xyz", "MAIL FROM:<>", "RCPT TO:<a@d>", "RCPT TO:<no@d>", "DATA").last?
        .hasPrefix("354") == true)
    client.socket.send(LMTPClient.encoded(Self.message))
    #expect(client.reply() == Self.ok)
    let log = lmtp.host.log.lines().filter { $0.contains("status=") }
    #expect(log.count == 2 && log.allSatisfy { $0.hasPrefix("3Xyz: to=<") }, "\(log)")
  }

  @Test("Equal bytes for several mailboxes are one file with several names; each ledger has the whole message")
  func linked() throws {
    let lmtp = try LMTPHost("virtual_mailbox_limit = 1000000\nlmtp_delivered_to = no")
    #expect(try lmtp.deliver(Self.message, to: "a@d", "b@d", "a2@d", "c@d") == Array(repeating: Self.ok, count: 4))
    // Two addresses with one Maildir get two messages.
    #expect(["a", "b", "c"].map { lmtp.messages($0).count } == [2, 1, 1])
    for name in ["a", "b", "c"] {
      #expect(lmtp.messages(name).allSatisfy { $0 == Self.message })
      let count = name == "a" ? 2 : 1
      #expect(lmtp.ledger(name) == "1000000S\n 0 0\n" + String(repeating: "\(Self.message.count) 1\n", count: count))
    }
    let inodes = try ["a", "b", "c"].flatMap { name in
      try lmtp.new(name).map { try #require(lmtp.host.sandbox.status("base/d/\(name)/new/\($0)")) }
    }
    #expect(
      Set(inodes.map(\.st_ino)).count == 1 && inodes.allSatisfy { $0.st_nlink == 4 && $0.st_mode == S_IFREG | 0o600 })
    #expect(lmtp.isTidy)
  }

  @Test("Before a link, too, a long ledger is compacted, and a restored one is marked as not counted")
  func linkedLedgers() throws {
    let lmtp = try LMTPHost("virtual_mailbox_limit = 1000000\nlmtp_delivered_to = no\nvirtual_overquota_bounce = yes")
    let ledgers = [
      "a": "1000000S\n 500 1\n" + String(repeating: "1 0\n", count: 900), "b": "1000000S\n 999000 1\n",
    ]
    for (name, ledger) in ledgers {
      try lmtp.host.sandbox.makeMaildir("base/d/\(name)")
      try lmtp.host.sandbox.write("base/d/\(name)/maildirsize", ledger)
    }
    try Command.check(["touch", "-d", "30 days ago", lmtp.host.sandbox("base/d/b/maildirsize")], asMailUser: true)
    let entry = "\(Self.message.count) 1\n"
    #expect(try lmtp.deliver(Self.message, to: "a@d", "b@d") == [Self.ok, Self.ok])
    #expect(lmtp.ledger("a") == "1000000S\n 1400 1\n0 0\n" + entry)
    #expect(lmtp.ledger("b") == "1000000S\n 999000 1\n0 0\n" + entry)
    // What the restored total would refuse is counted first.
    let large = MailHost.message(5000)
    #expect(try lmtp.deliver(large, to: "a@d", "b@d") == [Self.ok, Self.ok])
    #expect(lmtp.ledger("b") == "1000000S\n \(Self.message.count) 1\n5000 1\n")
  }

  @Test(
    "With a header of its own, each copy is a file of its own; without unnamed files, links are made from one in tmp/",
    arguments: ["yes", "no"])
  func copied(deliveredTo: String) throws {
    let lmtp = try LMTPHost(
      "lmtp_delivered_to = \(deliveredTo)", environment: deliveredTo == "no" ? ["ULLAGE_FILE_SYSTEM": "nfs"] : [:])
    // Larger than every buffer.
    let message = Self.message + MailHost.message(300_000)
    #expect(try lmtp.deliver(message, to: "a@d", "b@d", "a2@d") == Array(repeating: Self.ok, count: 3))
    func expected(_ address: String) -> String {
      deliveredTo == "no"
        ? message.text : message.text.replacing("list@d\n", with: "list@d\nDelivered-To: \(address)\n")
    }
    #expect(lmtp.messages("b").map(\.text) == [expected("b@d")])
    #expect(Set(lmtp.messages("a").map(\.text)) == [expected("a@d"), expected("a2@d")])
    // The file in tmp/ goes when the last recipient has been answered.
    try waitUntil("an empty tmp/") { lmtp.isTidy ? () : nil }
  }

  @Test("Mailboxes on another file system get a copy", .takesRoot)
  func fileSystems() throws {
    let disk = try LoopDisk("mkfs.ext4 -q", megabytes: 8)
    let lmtp = try LMTPHost("lmtp_delivered_to = no")
    try lmtp.host.sandbox.makeDirectory("base/d")
    // Root's symlink is followed.
    try Command.check(["ln", "-s", disk.path, lmtp.host.sandbox("base/d/b")])
    #expect(try lmtp.deliver(Self.message, to: "a@d", "b@d", "c@d") == Array(repeating: Self.ok, count: 3))
    for name in ["a", "b", "c"] { #expect(lmtp.messages(name) == [Self.message]) }
    #expect(
      try lmtp.deliver(MailHost.message(8_500_000), to: "a@d", "b@d", "c@d").map { $0.prefix(9) } == [
        "250 2.0.0", "451 4.3.1", "250 2.0.0",
      ])
    #expect(lmtp.messages("b").count == 1 && lmtp.messages("c").count == 2)
    // The others do not wait for the full disk, although the message was begun there.
    let large = MailHost.message(8_400_000)
    #expect(
      try lmtp.deliver(large, to: "b@d", "a@d", "c@d").map { $0.prefix(9) } == ["451 4.3.1", "250 2.0.0", "250 2.0.0"])
    #expect(lmtp.messages("a").contains(large) && lmtp.messages("c").contains(large) && lmtp.messages("b").count == 1)
    try lmtp.restart()
  }

  @Test("Each recipient has its own verdict, and a repeated one gets one copy and two replies")
  func verdicts() throws {
    let lmtp = try LMTPHost(
      "virtual_mailbox_limit_maps = inline:{ {b@d = 300}, {c@d = 50}, {d@d = x} }\nvirtual_mailbox_limit = 5000")
    try lmtp.host.sandbox.makeMaildir("base/d/b")
    try lmtp.host.sandbox.write("base/d/b/maildirsize", "300S\n 250 1\n")
    let replies = try lmtp.deliver(
      Self.message, to: "a@d", "b@d", "no@d", "A@D", "c@d", "d@d", "b@d", #""x y"@d"#)
    let full =
      "452 4.2.2 maildir delivery failed: Sorry, the user's maildir has overdrawn his diskspace quota, please try again"
      + " later."
    #expect(
      replies == [
        Self.ok, full, "550 5.1.1 The recipient has no mailbox here.", Self.ok,
        "552 5.2.2 maildir delivery failed: The message is larger than the recipient's mailbox can hold.",
        "451 4.3.5 The mail system is not configured correctly.", full, "550 5.1.1 The recipient has no mailbox here.",
      ])
    #expect(lmtp.messages("a").count == 1 && lmtp.messages("b").isEmpty && lmtp.messages("c").isEmpty && lmtp.isTidy)
    try lmtp.configure("virtual_mailbox_limit = 300\nvirtual_overquota_bounce = yes")
    try lmtp.restart()
    #expect(try lmtp.deliver(Self.message, to: "b@d") == [full.replacing("452 4.2.2", with: "552 5.2.2")])
    #expect(try lmtp.deliver(Self.message, to: "b@d", "a@d").map { $0.prefix(9) } == ["552 5.2.2", "250 2.0.0"])
  }

  @Test("Mail for a full mailbox is not stored: it does not even need room on the disk", .takesRoot)
  func fullMailbox() throws {
    let disk = try LoopDisk("mkfs.ext4 -q", megabytes: 8)
    let lmtp = try LMTPHost("virtual_mailbox_limit = 9000000", below: disk.path)
    try lmtp.host.sandbox.makeMaildir("base/d/a")
    try lmtp.host.sandbox.write("base/d/a/maildirsize", "9000000S\n 8999999 1\n")
    #expect(try lmtp.deliver(MailHost.message(8_500_000), to: "a@d")[0].hasPrefix("452 4.2.2"))
    #expect(try lmtp.deliver(MailHost.message(8_500_000), to: "b@d")[0].hasPrefix("451 4.3.1"))
    #expect(try lmtp.deliver(MailHost.message(9_000_001), to: "a@d")[0].hasPrefix("552 5.2.2"))
    #expect(try lmtp.deliver(MailHost.message(10), to: "b@d") == [Self.ok] && lmtp.isTidy)
    try lmtp.restart()
  }

  @Test("A message over ullage.cf's own message_size_limit is read to its end and deferred, and the session goes on")
  func sizeLimit() throws {
    let lmtp = try LMTPHost("message_size_limit = 100000")
    let client = try lmtp.connect()
    let large = client.deliver(MailHost.message(200_000), to: ["a@d", "b@d"])
    #expect(large == Array(repeating: "451 4.3.5 The mail system is not configured correctly.", count: 2))
    // Postfix measures before it adds headers.
    #expect(client.deliver(MailHost.message(100_300), to: ["a@d"]) == [Self.ok])
    #expect(lmtp.messages("a").count == 1 && lmtp.isTidy)
    let warning = "the message is larger than message_size_limit, 100000 bytes; set it as main.cf does"
    #expect(lmtp.host.log.lines().count { $0.contains(warning) } == 2)
  }

  @Test(
    "A message is stored as it was sent, whatever is in it",
    arguments: [
      "", ".", "..", ".\n..\n", "no end of line", "\0\u{1}\u{7F}\n", "bare\rcr\n", "ü\n", "\n\n\n",
      "a\r\nsmuggled\r\n", String(repeating: "x", count: 2_000_000) + "\n",
    ])
  func bodies(body: String) throws {
    let lmtp = try LMTPHost("lmtp_delivered_to = no")
    let bytes = Array(body.utf8)
    #expect(try lmtp.deliver(bytes, to: "a@d") == [Self.ok])
    let lines = body.isEmpty || body.utf8.last == 10 ? bytes : bytes + [10]
    #expect(lmtp.messages("a") == [lines])
  }

  @Test("What is no valid UTF-8 is kept, and an LF by itself ends nothing")
  func bytes() throws {
    let lmtp = try LMTPHost("lmtp_delivered_to = no")
    let client = try lmtp.connect()
    #expect(client.begin(["a@d"]) == ["250 2.1.5 Ok"])
    client.socket.send([0xFF, 0xC3, 10, 46, 10] + Array("\n.\r\nMAIL FROM:<x>\nRCPT TO:<b@d>\r\n.\r\nQUIT\r\n".utf8))
    #expect(client.replies(3) == [Self.ok, "221 2.0.0 Bye"])
    #expect(lmtp.messages("a") == [[0xFF, 0xC3, 10, 46, 10] + Array("\n.\nMAIL FROM:<x>\nRCPT TO:<b@d>\n".utf8)])
  }

  @Test("Two messages of a session, with the probe that Postfix sends before it uses a connection again")
  func twoMessages() throws {
    let lmtp = try LMTPHost()
    let client = try lmtp.connect()
    #expect(client.deliver(Self.message, to: ["a@d", "no@d"]).map { $0.prefix(3) } == ["250", "550"])
    #expect(client.ask("RSET") == ["250 2.0.0 Ok"])
    #expect(client.deliver(Self.message, to: ["no@d"]).map { $0.prefix(3) } == ["550"])
    #expect(client.ask("RSET") == ["250 2.0.0 Ok"])
    #expect(client.deliver(Self.message, to: ["b@d", "a@d"]) == [Self.ok, Self.ok])
    #expect(client.ask("QUIT") == ["221 2.0.0 Bye"] && client.reply() == nil)
    #expect(lmtp.messages("a").count == 2 && lmtp.messages("b").count == 1)
  }
}
