// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// Real file systems that are full, over their own quota, read-only or broken.
struct FileSystemTests {
  @Test("A full disk defers with 4.3.1 and leaves no file", .takesRoot)
  func fullDisk() throws {
    let disk = try LoopDisk("mkfs.ext4 -q", megabytes: 8)
    let host = try MailHost("virtual_mailbox_limit = 100000000", below: disk.path)
    try #require(try host.deliver(bytes: 1000).status == 0)
    let delivery = try host.deliver(bytes: 20_000_000)
    #expect(delivery.status == 75 && delivery.output.hasPrefix("4.3.1 "))
    #expect(delivery.warning.contains("No space left on device"))
    #expect(host.new.count == 1 && host.tmp == [] && host.ledgerTotal == [1000, 1])
    #expect(try host.deliver(bytes: 1000).status == 0)
  }

  @Test("A file system over its own quota defers with 4.3.1 (btrfs qgroup)", .takesRoot)
  func fileSystemQuota() throws {
    let disk = try LoopDisk("mkfs.btrfs -q", megabytes: 160)
    try Command.check(["btrfs", "quota", "enable", disk.path])
    try Command.check(["btrfs", "subvolume", "create", "\(disk.path)/mail"])
    try Command.check(["btrfs", "qgroup", "limit", "4M", "\(disk.path)/mail"])
    try Command.check(["chown", "\(MailUser.id):\(MailUser.group)", "\(disk.path)/mail"])
    let host = try MailHost("virtual_mailbox_limit = 100000000", below: "\(disk.path)/mail")
    try #require(try host.deliver(bytes: 1000).status == 0)
    let delivery = try host.deliver(bytes: 20_000_000)
    #expect(delivery.status == 75 && delivery.output.hasPrefix("4.3.1 "), "\(delivery.log)")
    #expect(delivery.warning.contains("Disk quota exceeded"))
    #expect(host.new.count == 1 && host.tmp == [])
  }

  @Test(
    "Mail for a full mailbox on a read-only file system is deferred, not refused: its state is unreliable", .takesRoot)
  func fullAndReadOnly() throws {
    let disk = try LoopDisk("mkfs.ext4 -q", megabytes: 8)
    let host = try MailHost("virtual_mailbox_limit = 1000\nvirtual_overquota_bounce = yes", below: disk.path)
    try host.store("a,S=1000:2,S", bytes: 1000)
    try host.setLedger("1000S\n 1000 1\n")
    try disk.remount("ro")
    let delivery = try host.deliver(bytes: 10)
    try disk.remount("rw")
    #expect(delivery.status == 75 && delivery.output.hasPrefix("4.3.5 "), "\(delivery.output) \(delivery.log)")
    #expect(try host.deliver(bytes: 10).status == 69)
  }

  @Test("A read-only file system defers as a configuration error: 4.3.5", .takesRoot)
  func readOnly() throws {
    let disk = try LoopDisk("mkfs.ext4 -q", megabytes: 8)
    let host = try MailHost("virtual_mailbox_limit = 1000", below: disk.path)
    try #require(try host.deliver(bytes: 10).status == 0)
    try disk.remount("ro")
    let delivery = try host.deliver(bytes: 10)
    #expect(delivery.status == 75 && delivery.output.hasPrefix("4.3.5 "))
    #expect(delivery.warning.contains("Read-only file system"))
    try disk.remount("rw")
    #expect(host.new.count == 1)
  }

  @Test(
    "If the append to the ledger fails, nothing is published (strace injects the error)",
    arguments: [
      "ENOSPC", "EIO", "EDQUOT",
    ])
  func appendFails(error: String) throws {
    let host = try MailHost("virtual_mailbox_limit = 1000")
    try host.setLedger("1000S\n0 0\n")
    let ledger = host.sandbox("\(host.maildir)/maildirsize")
    let trace = ["strace", "-o", "/dev/null", "-P", ledger, "-e", "trace=write", "-e", "inject=write:error=\(error)"]
    let delivery = try host.deliver(MailHost.message(100), arguments: trace + host.arguments)
    #expect(delivery.status == 75 && delivery.output.hasPrefix(error == "EIO" ? "4.3.0 " : "4.3.1 "))
    #expect(host.new == [] && host.tmp == [])
    #expect(host.ledger == "1000S\n0 0\n")
  }

  @Test("On a network file system nothing is published before its entry is on the server (strace injects the error)")
  func entryOnNetwork() throws {
    let host = try MailHost("virtual_mailbox_limit = 1000")
    try host.setLedger("1000S\n0 0\n")
    let ledger = host.sandbox("\(host.maildir)/maildirsize")
    let trace = [
      "strace", "-o", "/dev/null", "-P", ledger, "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO",
    ]
    let delivery = try host.deliver(
      MailHost.message(100), arguments: trace + host.arguments, environment: ["ULLAGE_FILE_SYSTEM": "nfs"])
    #expect(delivery.status == 75 && delivery.output.hasPrefix("4.3.0 "))
    #expect(host.new == [] && host.tmp == [])
    // Too high, which the count before a refusal corrects.
    #expect(host.ledger == "1000S\n0 0\n100 1\n")
  }

  @Test("xfs and btrfs work like ext4", .takesRoot, arguments: ["mkfs.xfs -q", "mkfs.btrfs -q"])
  func otherFileSystems(mkfs: String) throws {
    let disk = try LoopDisk(mkfs, megabytes: 320)
    let host = try MailHost("virtual_mailbox_limit = 1000", below: disk.path)
    let deliveries = try (0..<16).map { _ in try host.start(.bytes(MailHost.message(100))) }
    let statuses = deliveries.map { $0.wait().status }
    #expect(statuses.count { $0 == 0 } == 10 && host.new.count == 10 && host.ledgerTotal == [1000, 10])
    #expect(try host.deliver(bytes: 1).output.hasPrefix("4.2.2 "))
  }
}
