// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

/// The ledger as other programs, crashes and administrators leave it.
struct LedgerTests {
  /// Each in a mailbox that really holds 500 of 1000 bytes.
  static let broken: [(name: String, prepare: String)] = [
    ("missing", "rm -f maildirsize"),
    ("empty", ": > maildirsize"),
    ("header only", "printf '1000S\\n' > maildirsize"),
    ("torn", "printf '1000S\\n1 1\\n2' > maildirsize"),
    ("torn after a blank", "printf '1000S\\n1 ' > maildirsize"),
    ("NUL", "printf '1000S\\n1 1\\n\\0\\0\\0\\n' > maildirsize"),
    ("CR LF", "printf '1000S\\r\\n1 1\\r\\n' > maildirsize"),
    ("longer than 5120 bytes", "(echo 1000S; yes '0 0' | head -n 1400) > maildirsize"),
    ("negative", "printf '1000S\\n1 1\\n-5 -1\\n' > maildirsize"),
    ("bytes without messages", "printf '1000S\\n1 0\\n' > maildirsize; touch -d '1 hour ago' maildirsize"),
    ("glued lines", "printf '1000S\\n1 11 1\\n' > maildirsize"),
    ("headed unlimited", "printf '0S\\n0 0\\n' > maildirsize"),
    ("overflowing", "printf '1000S\\n9223372036854775807 1\\n1 1\\n' > maildirsize"),
    ("a symlink", "ln -sf /etc/passwd maildirsize"),
    ("a dangling symlink", "ln -sf nowhere maildirsize"),
    ("a FIFO", "rm -f maildirsize; mkfifo -m 600 maildirsize"),
    ("unreadable", "printf '1000S\\n1 1\\n' > maildirsize; chmod 0 maildirsize"),
  ]

  private func host(_ prepare: String, settings: String = "") throws -> MailHost {
    let host = try MailHost("virtual_mailbox_limit = 1000\ndelivery_time_limit = 3s\n\(settings)")
    try host.store("a,S=500:2,S", bytes: 500)
    try Command.check(["sh", "-c", "umask 077; cd \(host.sandbox(host.maildir)) && \(prepare)"], asMailUser: true)
    return host
  }

  @Test("An unusable ledger makes the delivery count, within 5 s", arguments: broken.map(\.prepare))
  func counted(prepare: String) throws {
    let host = try host(prepare)
    let start = Date()
    #expect(try host.deliver(bytes: 500).status == 0)
    #expect(Date().timeIntervalSince(start) < 5)
    #expect(host.ledger == "1000S\n 500 1\n500 1\n")
    #expect(host.tmp == [])
    #expect(host.sandbox.status("\(host.maildir)/maildirsize")?.st_mode == S_IFREG | 0o600)
  }

  @Test("An unusable ledger never means 'no quota': a full mailbox defers", arguments: broken.map(\.prepare))
  func full(prepare: String) throws {
    let host = try host(prepare)
    let start = Date()
    #expect(try host.deliver(bytes: 501).output.hasPrefix("4.2.2 maildir delivery failed: "))
    #expect(Date().timeIntervalSince(start) < 5)
    #expect(host.new == [] && host.tmp == [])
  }

  @Test("If maildirsize is a directory, a full mailbox is over quota; other mail defers, and the log names it")
  func directory() throws {
    let host = try host("mkdir maildirsize")
    #expect(try host.deliver(bytes: 501).output.hasPrefix("4.2.2 maildir delivery failed: "))
    let delivery = try host.deliver(bytes: 500)
    #expect(delivery.status == 75 && delivery.output.hasPrefix("4.3.5 "))
    #expect(delivery.warning.contains("maildirsize is a directory; remove it"))
    #expect(host.new == [])
  }

  @Test("A total counted less than 15 minutes ago decides at once; an older one, or several lines, only after a count")
  func recountBeforeRefusal() throws {
    // The mailbox holds 500 bytes. Each ledger says 900.
    let stale = try host("printf '1000S\\n900 1\\n' > maildirsize; touch -d '901 seconds ago' maildirsize")
    #expect(try stale.deliver(bytes: 500).status == 0)
    let severalLines = try host("printf '1000S\\n900 1\\n0 0\\n' > maildirsize")
    #expect(try severalLines.deliver(bytes: 500).status == 0)
    let future = try host("printf '1000S\\n900 1\\n' > maildirsize; touch -d 'now + 1 hour' maildirsize")
    #expect(try future.deliver(bytes: 500).status == 0)
    let fresh = try host("printf '1000S\\n900 1\\n' > maildirsize; touch -d '890 seconds ago' maildirsize")
    #expect(try fresh.deliver(bytes: 500).output.hasPrefix("4.2.2 "))
    #expect(fresh.ledger == "1000S\n900 1\n")
  }

  @Test("After a count, small messages in between do not make every large one count again")
  func noStormOfCounts() throws {
    let host = try host("rm -f maildirsize")
    #expect(try host.deliver(bytes: 400).status == 0)
    #expect(try host.deliver(bytes: 10).status == 0)
    let inode = host.sandbox.status("\(host.maildir)/maildirsize")?.st_ino
    #expect(try host.deliver(bytes: 200).output.hasPrefix("4.2.2 "))
    #expect(host.sandbox.status("\(host.maildir)/maildirsize")?.st_ino == inode)
    #expect(host.ledger == "1000S\n 500 1\n400 1\n10 1\n")
  }

  @Test("Our ledger, restored from a backup with its old mtime, is not taken for a fresh count")
  func restoredFile() throws {
    let host = try host("printf '1000S\\n 900 1\\n5 1\\n' > maildirsize; touch -d '1 day ago' maildirsize")
    #expect(try host.deliver(bytes: 400).status == 0)
    #expect(host.ledger == "1000S\n 500 1\n400 1\n")
  }

  @Test("Old totals in the new files of a restored backup refuse no mail")
  func restoredBackup() throws {
    let host = try host("printf '1000S\\n 900 1\\n' > maildirsize; touch -d '30 days ago' maildirsize")
    try host.configure("virtual_mailbox_limit = 1000\nvirtual_overquota_bounce = yes")
    #expect(try host.deliver(bytes: 18).status == 0)
    #expect(try host.deliver(bytes: 300).status == 0)
    #expect(host.ledger == "1000S\n 518 2\n300 1\n")
  }

  @Test("A directory with an mtime in the future does not prevent a count")
  func futureDirectory() throws {
    let host = try host("mkdir -p .A/cur .A/new; touch -d 2040-01-01 .A/cur cur; touch -d 2041-01-01 .")
    #expect(try host.deliver(bytes: 501).output.hasPrefix("4.2.2 "))
    #expect(try host.deliver(bytes: 500).status == 0)
  }

  @Test("From 3600 bytes on, the ledger is compacted, and the sum is not taken for a count")
  func compaction() throws {
    let host = try host("(echo 1000000S; echo ' 500 1'; yes '1 0' | head -n 900) > maildirsize")
    try host.configure("virtual_mailbox_limit = 1000000")
    #expect(try host.deliver(bytes: 10).status == 0)
    #expect(host.ledger == "1000000S\n 1400 1\n0 0\n10 1\n")
    #expect(host.tmp == [])
  }

  @Test("After compaction a drifted total refuses no mail before the messages are counted")
  func compactionThenRefusal() throws {
    let host = try host("(echo 1000S; echo ' 500 1'; yes '1 0' | head -n 400; yes '0 0' | head -n 600) > maildirsize")
    try host.configure("virtual_mailbox_limit = 1000\nvirtual_overquota_bounce = yes")
    #expect(try host.deliver(bytes: 90).status == 0)
    #expect(host.ledger == "1000S\n 900 1\n0 0\n90 1\n")
    #expect(try host.deliver(bytes: 400).status == 0)
    #expect(host.ledger == "1000S\n 590 2\n400 1\n")
  }

  @Test("The real deliverquota also counts before a compacted total makes it refuse (maildrop)")
  func deliverquotaAfterCompaction() throws {
    let host = try host("(echo 1000S; echo ' 500 1'; yes '1 0' | head -n 400; yes '0 0' | head -n 600) > maildirsize")
    #expect(try host.deliver(bytes: 90).status == 0)
    try host.sandbox.write("message", MailHost.message(300))
    let ending = try Command.run(
      [DeliverQuota.path, host.sandbox(host.maildir)], input: .file(host.sandbox("message")), asMailUser: true)
    #expect(ending.status == 0)
  }

  @Test("A limit changed in the tables applies at once, and is written at once to a ledger made by Ullage")
  func changedLimit() throws {
    let host = try host("rm -f maildirsize")
    #expect(try host.deliver(bytes: 100).status == 0)
    try host.configure("virtual_mailbox_limit = 700")
    #expect(try host.deliver(bytes: 101).output.hasPrefix("4.2.2 "))
    #expect(try host.deliver(bytes: 100).status == 0)
    #expect(host.ledger == "700S\n 600 2\n100 1\n")
    try host.configure("virtual_mailbox_limit = 0")
    #expect(try host.deliver(bytes: 5000).status == 0)
    #expect(host.ledger?.hasPrefix("0S\n") == true)
  }

  /// Sets the birth time of files to 2020-01-01, which only debugfs(8) can do.
  private func age(_ disk: LoopDisk, _ host: MailHost, _ names: [String]) throws {
    let inside = host.sandbox.path.dropFirst(disk.path.count)
    try disk.edit(
      names.map { "set_inode_field \(inside)/\(host.maildir)/\($0) crtime 20200101000000" }.joined(separator: "\n"))
  }

  @Test("Another program's limit is corrected after an hour, once", .takesRoot)
  func foreignLimitAfterAnHour() throws {
    let disk = try LoopDisk("mkfs.ext4 -q", megabytes: 16)
    let host = try MailHost("virtual_mailbox_limit = 1000", below: disk.path)
    try host.store("a,S=500:2,S", bytes: 500)
    try host.setLedger("5000S\n500 1\n")
    try age(disk, host, ["maildirsize"])
    #expect(try host.deliver(bytes: 100).status == 0)
    #expect(host.ledger == "1000S\n 500 1\n0 0\n100 1\n")
    // The IMAP server writes its own limit again: the next hour begins.
    try host.setLedger("5000S\n600 2\n")
    #expect(try host.deliver(bytes: 100).status == 0)
    #expect(host.ledger == "5000S\n600 2\n100 1\n")
  }

  @Test("After 15 minutes our own count no longer decides that a mailbox is full", .takesRoot)
  func oldCount() throws {
    let disk = try LoopDisk("mkfs.ext4 -q", megabytes: 16)
    let host = try MailHost("virtual_mailbox_limit = 1000", below: disk.path)
    try host.store("a,S=500:2,S", bytes: 500)
    try host.setLedger("1000S\n 900 1\n0 1\n")
    #expect(try host.deliver(bytes: 400).output.hasPrefix("4.2.2 "), "a recent count is trusted")
    try age(disk, host, ["maildirsize"])
    #expect(try host.deliver(bytes: 400).status == 0)
    #expect(host.ledger == "1000S\n 500 1\n400 1\n")
  }

  @Test("Another program's limit stays in the ledger for an hour, but the tables' limit is enforced")
  func foreignLimit() throws {
    let host = try host("printf '5000S\\n500 1\\n' > maildirsize")
    #expect(try host.deliver(bytes: 100).status == 0)
    #expect(try host.deliver(bytes: 100).status == 0)
    #expect(host.ledger == "5000S\n500 1\n100 1\n100 1\n")
    #expect(try host.deliver(bytes: 301).output.hasPrefix("4.2.2 "))
  }

  @Test("Another program's 0S,5C is a limit on messages, not unlimited")
  func countOnlyHeader() throws {
    let host = try host("printf '0S,5C\\n500 1\\n' > maildirsize")
    try host.configure("virtual_mailbox_message_limit_maps = static:5")
    #expect(try host.deliver(bytes: 100).status == 0)
    #expect(host.ledger == "0S,5C\n500 1\n100 1\n")
  }

  @Test("Replacing a ledger that has a second link, as from a backup, is detected by its name")
  func hardLink() throws {
    let host = try host("printf '1000S\\n500 1\\n' > maildirsize; ln maildirsize backup")
    let delivery = try host.start(.pipe)
    try delivery.write(MailHost.message(50))
    try host.waitUntilMessageIsOpen(delivery)
    try Command.check(
      ["sh", "-c", "cd \(host.sandbox(host.maildir)) && printf '1000S\\n500 1\\n' > x && mv x maildirsize"],
      asMailUser: true)
    try delivery.write(MailHost.message(50))
    #expect(delivery.wait().status == 0)
    #expect(host.ledger == "1000S\n500 1\n100 1\n")
    #expect(host.sandbox.text("\(host.maildir)/backup") == "1000S\n500 1\n")
  }

  @Test("If the Maildir is swapped while the body is read, nothing is delivered into the old one")
  func swappedMaildir() throws {
    let host = try host("printf '1000S\\n500 1\\n' > maildirsize")
    let delivery = try host.start(.pipe)
    try delivery.write(MailHost.message(50))
    try host.waitUntilMessageIsOpen(delivery)
    let base = host.sandbox("base/example.org")
    try Command.check(["sh", "-c", "cd \(base) && cp -a you you.new && mv you you.old && mv you.new you"])
    let ending = delivery.wait()
    #expect(ending.status == 75 && ending.output.hasPrefix("4.3.0 "))
    #expect(host.log.lines().contains { $0.contains("the Maildir was replaced during the delivery") })
    #expect(host.sandbox.list("base/example.org/you.old/new") == [] && host.new == [])
    #expect(try host.deliver(bytes: 10).status == 0)
  }

  @Test("A program that keeps changing flags does not make a count wrong")
  func flagFlipping() throws {
    let host = try MailHost("virtual_mailbox_limit = 30000")
    for number in 0..<300 { try host.store("\(number),S=100:2,", bytes: 100) }
    let script = """
      cd \(host.sandbox(host.maildir))/cur && while :; do
        for f in *:2,; do mv "$f" "$f"S; done; for f in *:2,S; do mv "$f" "${f%S}"; done
      done
      """
    let flipping = try Command(["sh", "-c", script], asMailUser: true)
    defer {
      flipping.kill(SIGKILL)
      _ = flipping.wait()
    }
    for _ in 0..<10 {
      // Exactly full: a count that missed a message would let this in. An unsettled count defers it, too.
      let delivery = try host.deliver(bytes: 1)
      #expect(delivery.status == 75, "\(delivery.output)")
      try Command.check(["rm", "-f", host.sandbox("\(host.maildir)/maildirsize")])
    }
    #expect(host.new == [])
  }

  @Test("Counts are exact on ext4 with 128-byte inodes, whose timestamps are whole seconds", .takesRoot)
  func wholeSecondStamps() throws {
    let disk = try LoopDisk("mkfs.ext4 -q -I 128", megabytes: 16)
    let host = try MailHost("virtual_mailbox_limit = 1000", below: disk.path)
    try host.store("a,S=500:2,S", bytes: 500)
    #expect(try host.deliver(bytes: 300).status == 0)
    // A change in the same second in which the count read the directory.
    try host.store("b,S=150:2,S", bytes: 150)
    try Command.check(["rm", host.sandbox("\(host.maildir)/maildirsize")])
    #expect(try host.deliver(bytes: 51).output.hasPrefix("4.2.2 "))
    #expect(try host.deliver(bytes: 50).status == 0)
    #expect(host.ledgerTotal == [1000, 4])
  }

  @Test("Parallel counts and deliveries leave a total that equals the files")
  func parallelCounts() throws {
    let host = try MailHost("virtual_mailbox_limit = 100000")
    for number in 0..<100 { try host.store("\(number),S=100:2,", bytes: 100) }
    for _ in 0..<5 {
      try Command.check(["rm", "-f", host.sandbox("\(host.maildir)/maildirsize")])
      let deliveries = try (0..<8).map { _ in try host.start(.bytes(MailHost.message(100))) }
      for delivery in deliveries { #expect(delivery.wait().status == 0) }
      #expect(host.ledgerTotal == [10_000 + host.new.count * 100, 100 + host.new.count])
    }
  }
}
