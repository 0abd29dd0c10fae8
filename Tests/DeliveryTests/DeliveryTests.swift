// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// The real program, started as pipe(8) starts it.
struct DeliveryTests {
  @Test("A message that fits arrives in new/ byte for byte, with no output and status 0 (pipe(8))")
  func delivers() throws {
    let host = try MailHost("virtual_mailbox_limit = 100000")
    let message = MailHost.message(5000)
    let delivery = try host.deliver(message)
    #expect(delivery.status == 0)
    #expect(delivery.output == "" && delivery.errors == "")
    #expect(host.newMessages() == [message])
    #expect(host.tmp == [])
    #expect(host.ledger == "100000S\n 0 0\n5000 1\n")
    #expect(
      delivery.log == ["4Abc: to=<you@example.org>, size=5000, used=5000, limit=100000, dsn=2.0.0, status=sent"])
  }

  @Test(
    "8-bit bytes, NUL, very long lines and a missing last newline arrive unchanged",
    arguments: [
      Array("no final newline".utf8), [0, 1, 2, 255, 10, 0, 13, 10], [UInt8](repeating: 65, count: 200_000) + [10],
      (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7919) }, [10],
    ])
  func bytes(message: [UInt8]) throws {
    let host = try MailHost()
    #expect(try host.deliver(message).status == 0)
    #expect(host.newMessages() == [message])
  }

  @Test("A message of 50 MB arrives unchanged")
  func large() throws {
    let host = try MailHost("virtual_mailbox_limit = 60000000")
    try host.sandbox.write("big", (0..<50_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
    let ending = try host.start(.file(host.sandbox("big"))).wait()
    #expect(ending.status == 0)
    let name = try #require(host.new.first)
    try Command.check(["cmp", host.sandbox("big"), host.sandbox("\(host.maildir)/new/\(name)")])
    #expect(name.hasSuffix(",S=50000000"))
  }

  @Test("The name contains time, microseconds, process, device, inode, host and size, and is safe in a Maildir")
  func name() throws {
    let host = try MailHost()
    try #require(try host.deliver(bytes: 100).status == 0)
    let name = try #require(host.new.first)
    let pattern = try Regex(#"[0-9]{10}\.M[0-9]{1,6}P[0-9]+V[0-9a-f]+I[0-9a-f]+\.[^/:,]+,S=100"#)
    #expect(name.wholeMatch(of: pattern) != nil)
  }

  @Test("Files have mode 0600 and directories 0700, whatever the umask")
  func modes() throws {
    let host = try MailHost("virtual_mailbox_limit = 1000")
    let shell = ["sh", "-c", "umask 0; exec \"$@\"", "sh"]
    try #require(try host.deliver(MailHost.message(10), arguments: shell + host.arguments).status == 0)
    for directory in ["", "/cur", "/new", "/tmp"] {
      #expect(host.sandbox.status(host.maildir + directory)?.st_mode == S_IFDIR | 0o700)
    }
    for file in ["maildirsize", "new/\(host.new[0])"] {
      #expect(host.sandbox.status("\(host.maildir)/\(file)")?.st_mode == S_IFREG | 0o600)
    }
  }

  @Test("A message that fills the quota exactly is delivered; one byte more is deferred with VDA's text")
  func exactFit() throws {
    let host = try MailHost("virtual_mailbox_limit = 1000\nvirtual_maildir_limit_message = Full.")
    #expect(try host.deliver(bytes: 600).status == 0)
    let refused = try host.deliver(bytes: 401)
    #expect(refused.status == 75)
    #expect(refused.output == "4.2.2 maildir delivery failed: Full.")
    #expect(
      refused.log == [
        "4Abc: to=<you@example.org>, size=401, used=600, limit=1000, dsn=4.2.2, status=deferred (over quota)"
      ])
    #expect(try host.deliver(bytes: 400).status == 0)
    #expect(host.new.count == 2 && host.tmp == [])
    #expect(host.ledgerTotal == [1000, 2])
  }

  @Test("virtual_overquota_bounce = yes refuses instead of deferring")
  func bounce() throws {
    let host = try MailHost("virtual_mailbox_limit = 1000\nvirtual_overquota_bounce = yes")
    #expect(try host.deliver(bytes: 1000).status == 0)
    let refused = try host.deliver(bytes: 1)
    #expect(refused.status == 69)
    #expect(refused.output.hasPrefix("5.2.2 maildir delivery failed: Sorry, the user's maildir has overdrawn"))
    #expect(host.new.count == 1 && host.tmp == [])
  }

  @Test("A message larger than the whole quota is refused even with virtual_overquota_bounce = no, mailbox full or not")
  func largerThanQuota() throws {
    let host = try MailHost("virtual_mailbox_limit = 1000")
    #expect(try host.deliver(bytes: 1001).output.hasPrefix("5.2.2 maildir delivery failed: "))
    #expect(try host.deliver(bytes: 1000).status == 0)
    let refused = try host.deliver(bytes: 300_000)
    #expect(refused.status == 69)
    // Waiting would not help, so the text does not ask for it.
    #expect(
      refused.output.hasPrefix(
        "5.2.2 maildir delivery failed: The message is larger than the recipient's mailbox can hold."))
    #expect(host.new.count == 1 && host.tmp == [])
    try host.configure(
      "virtual_mailbox_limit = 1000\nvirtual_maildir_oversize_message = $virtual_maildir_limit_message")
    #expect(try host.deliver(bytes: 1001).output.contains("has overdrawn his diskspace quota"))
  }

  @Test("A limit on the number of messages is enforced, and written to the ledger as Courier and Dovecot read it")
  func messageLimit() throws {
    let host = try MailHost("virtual_mailbox_message_limit_maps = static:2")
    #expect(try host.deliver(bytes: 10).status == 0)
    #expect(try host.deliver(bytes: 10).status == 0)
    let refused = try host.deliver(bytes: 10)
    #expect(refused.output.hasPrefix("4.2.2 "))
    #expect(host.ledger?.hasPrefix("0S,2C\n") == true)
  }

  @Test("A recipient without a mailbox is refused with 5.1.1")
  func unknownRecipient() throws {
    let host = try MailHost()
    let arguments = host.arguments.map { $0.hasPrefix("--recipient=") ? "--recipient=nobody@example.org" : $0 }
    let refused = try host.deliver(MailHost.message(10), arguments: arguments)
    #expect(refused.status == 67)
    #expect(refused.output == "5.1.1 The recipient has no mailbox here.")
    #expect(refused.log == ["4Abc: to=<nobody@example.org>, dsn=5.1.1, status=refused"])
  }

  @Test(
    "An address that Postfix splits and ullage.cf does not is never refused as unknown (recipient_delimiter)",
    arguments: [
      // The address, the extension that Postfix passes, lines of ullage.cf, and the exit status.
      ("you+x@example.org", "x", "", 75), ("you+x@example.org", "x", "recipient_delimiter = -", 75),
      ("you+x@example.org", "x", "recipient_delimiter =", 75), ("you+x@example.org", "X", "recipient_delimiter = +", 0),
      ("no+x@example.org", "x", "recipient_delimiter = +", 67),
      ("no-a+b@example.org", "b", "recipient_delimiter = +", 67),
      ("no-a+b@example.org", "b", "recipient_delimiter = -+", 75), ("no-x@example.org", "x", "", 75),
      // Postfix splits this, too, and the extension is empty.
      ("you+@example.org", "", "", 75), ("you+@example.org", "", "recipient_delimiter =", 67),
      ("you+@example.org", "", "recipient_delimiter = +", 0), ("no@example.org", "", "", 67),
      // Postfix has no delimiter, or another.
      ("you+x@example.org", "", "", 67), ("no-x@example.org", "", "", 67),
      // An entry that passes no extension.
      ("you+x@example.org", nil, "", 75), ("You+@example.org", nil, "", 75), ("no-x@example.org", nil, "", 67),
      ("you+x@example.org", nil, "recipient_delimiter =", 67), ("no+x@example.org", nil, "recipient_delimiter = +", 67),
      ("+x@example.org", nil, "", 67),
    ] as [(String, String?, String, Int32)])
  func unsplit(address: String, passed: String?, lines: String, status: Int32) throws {
    let host = try MailHost(lines)
    let arguments =
      host.arguments.filter { !$0.hasPrefix("--recipient=") } + ["--recipient=\(address)"]
      + (passed.map { ["--extension=\($0)"] } ?? [])
    let ending = try host.deliver(MailHost.message(10), arguments: arguments)
    #expect(ending.status == status)
    guard status == 75 else { return }
    #expect(ending.output == "4.3.5 The mail system is not configured correctly.")
    #expect(ending.warning.contains("recipient_delimiter"), "\(ending.log)")
  }

  @Test("Missing directories of a Maildir are recreated", arguments: ["tmp", "new", "cur"])
  func missingPart(name: String) throws {
    let host = try MailHost("virtual_mailbox_limit = 1000")
    try #require(try host.deliver(bytes: 10).status == 0)
    try Command.check(["rm", "-r", host.sandbox("\(host.maildir)/\(name)")])
    #expect(try host.deliver(bytes: 10).status == 0)
    #expect(host.sandbox.status("\(host.maildir)/\(name)")?.st_mode == S_IFDIR | 0o700)
    #expect(host.new.count == (name == "new" ? 1 : 2))
  }

  @Test("The folder virtual_trash_name is not counted; one with a longer name is")
  func trash() throws {
    let host = try MailHost("virtual_mailbox_limit = 1000")
    try host.store("a,S=900:2,S", bytes: 900, folder: ".Trash")
    try host.store("b,S=300:2,S", bytes: 300, folder: ".Trash.old")
    try host.store("c:2,ST", bytes: 200, folder: ".Sent")
    #expect(try host.deliver(bytes: 500).status == 0)
    #expect(host.ledger == "1000S\n 500 2\n500 1\n")
    #expect(try host.deliver(bytes: 1).status == 75)
  }

  @Test("virtual_trash_count = yes counts the trash")
  func countedTrash() throws {
    let host = try MailHost("virtual_mailbox_limit = 1000\nvirtual_trash_count = yes")
    try host.store("a,S=900:2,S", bytes: 900, folder: ".Trash")
    #expect(try host.deliver(bytes: 101).status == 75)
    #expect(try host.deliver(bytes: 100).status == 0)
  }

  @Test("virtual_mailbox_limit_inbox = yes counts the inbox at each delivery and leaves the ledger alone")
  func inboxOnly() throws {
    let host = try MailHost("virtual_mailbox_limit = 1000\nvirtual_mailbox_limit_inbox = yes")
    try host.store("a,S=900:2,S", bytes: 900, folder: ".Sent")
    try host.setLedger("1000S\n5000 5\n")
    #expect(try host.deliver(bytes: 600).status == 0)
    #expect(try host.deliver(bytes: 401).output.hasPrefix("4.2.2 "))
    #expect(try host.deliver(bytes: 400).status == 0)
    #expect(host.ledger == "1000S\n5000 5\n")
  }

  @Test("An unlimited mailbox gets its mail whatever the ledger contains; a valid ledger gets the entry")
  func unlimited() throws {
    let host = try MailHost()
    #expect(try host.deliver(bytes: 10).status == 0)
    #expect(host.ledger == nil)
    try host.setLedger("0S\n10 1\n")
    #expect(try host.deliver(bytes: 20).status == 0)
    #expect(host.ledger == "0S\n10 1\n20 1\n")
    try host.setLedger("garbage\n")
    let delivery = try host.deliver(bytes: 30)
    #expect(delivery.status == 0)
    #expect(host.ledger == "garbage\n")
    #expect(delivery.warning.contains("maildirsize was unusable"))
  }

  @Test("Nothing is stored in a full mailbox: no file is opened for the message")
  func fullStoresNothing() throws {
    let host = try MailHost("virtual_mailbox_limit = 1000")
    try host.store("a,S=1000:2,S", bytes: 1000)
    try host.setLedger("1000S\n1000 1\n")
    // To store a message, the delivery would have to recreate tmp/.
    try Command.check(["rmdir", host.sandbox("\(host.maildir)/tmp")])
    #expect(try host.deliver(bytes: 500).output.hasPrefix("4.2.2 "))
    #expect(host.sandbox.status("\(host.maildir)/tmp") == nil)
  }

  @Test("Without O_TMPFILE a named file in tmp/ is used, and none remains")
  func namedFile() throws {
    let host = try MailHost("virtual_mailbox_limit = 1000")
    let network = ["ULLAGE_FILE_SYSTEM": "nfs"]
    #expect(try host.deliver(bytes: 300, environment: network).status == 0)
    #expect(host.newMessages() == [MailHost.message(300)])
    #expect(host.tmp == [])
    #expect(host.ledger == "1000S\n 0 0\n300 1\n")
    #expect(try host.deliver(bytes: 701, environment: network).output.hasPrefix("4.2.2 "))
    #expect(try host.deliver(bytes: 700, environment: network).status == 0)
    #expect(host.sandbox.status("\(host.maildir)/ullage.lock")?.st_mode == S_IFREG | 0o600)
  }

  @Test("Without /proc a message is delivered: the arguments do not come from there", .takesRoot)
  func noProc() throws {
    let host = try MailHost()
    #expect(try host.deliver(bytes: 300, behind: "mount -t tmpfs none /proc").status == 0)
    #expect(host.newMessages() == [MailHost.message(300)])
    #expect(host.tmp == [])
  }
}
