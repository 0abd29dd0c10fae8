// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// The machine stops without warning: messages are durable, entries of `maildirsize` not all.
struct PowerCutTests {
  /// Runs an audit as if the machine had been started with this number (random(4), boot_id).
  private static func audit(
    _ site: AuditSite, _ places: Sandbox, boot: String, repairs: Bool = true, _ options: String...
  ) throws -> Command.Ending {
    try places.write("boot_id", boot + "\n", mode: 0o644)
    let script = "mount --bind \(places("boot_id")) /proc/sys/kernel/random/boot_id; exec \"$@\""
    let arguments =
      ["audit", "--level=0", "--state=\(places("state"))"] + (repairs ? ["--repair"] : []) + options
    return try Command.run(
      ["unshare", "--mount", "sh", "-ec", script, "sh"] + MailUser.drop + site.host.toolArguments(arguments))
  }

  private static func makeSite(below disk: LoopDisk) throws -> (AuditSite, Sandbox) {
    let site = try AuditSite(below: disk.path)
    try site.list(MailHost.recipient, "example.org/you/", bytes: "1000000")
    for _ in 0..<2 { #expect(try site.host.deliver(bytes: 500).status == 0) }
    try Command.check(["sync", "-f", disk.path])
    let places = try Sandbox()
    try Command.check(["chown", "\(MailUser.id):\(MailUser.group)", places.path])
    return (site, places)
  }

  private static let fileSystems = [
    ("mkfs.ext4 -q", "loop"), ("mkfs.xfs -q", "loop,nouuid"), ("mkfs.btrfs -q", "loop"),
  ]

  @Test(
    "After a power cut every message is there, and the first audit, at level 0, makes maildirsize exact", .takesRoot,
    arguments: fileSystems)
  func mended(mkfs: String, options: String) throws {
    let disk = try LoopDisk(mkfs, megabytes: 320)
    let (site, places) = try Self.makeSite(below: disk)
    // A clean point allows for a second: what is older than that must not be what is found.
    let delivered = Date()
    try waitUntil("two seconds") { Date() > delivered.addingTimeInterval(2) ? () : nil }
    #expect(try Self.audit(site, places, boot: "first").status == 0)
    for _ in 0..<4 { #expect(try site.host.deliver(bytes: 500).status == 0) }
    try disk.cutPower(options: options)

    #expect(site.host.newMessages().map(\.count) == Array(repeating: 500, count: 6))
    // What this is about; ext4 leaves NUL bytes behind, which every reader takes for a reason to count.
    #expect(site.host.ledgerTotal != [3000, 6])
    let first = try Self.audit(site, places, boot: "second")
    #expect(first.status == 1 && first.errors.contains("the machine was started since the last audit"), "\(first)")
    #expect(site.host.ledgerTotal == [3000, 6])
    let later = try Self.audit(site, places, boot: "second")
    #expect(later.status == 0 && later.errors == "" && later.output.contains("0 counted"), "\(later)")
  }

  @Test("Without a boot in between nothing is counted; --after-crash counts", .takesRoot)
  func notAfterBoot() throws {
    let disk = try LoopDisk("mkfs.ext4 -q", megabytes: 16)
    let (site, places) = try Self.makeSite(below: disk)
    try site.host.setLedger("1000000S\n 500 1\n")
    for boot in ["first", "first"] {
      #expect(try Self.audit(site, places, boot: boot).output.contains(" 0 counted"))
    }
    #expect(site.host.ledgerTotal == [500, 1])
    let forced = try Self.audit(site, places, boot: "first", "--after-crash")
    #expect(
      forced.errors.contains("--after-crash: every mailbox that was changed") && site.host.ledgerTotal == [1000, 2],
      "\(forced)")
  }

  @Test(
    "A low total that is found and not mended is found again; an audit of one domain makes no clean point", .takesRoot)
  func foundAgain() throws {
    let disk = try LoopDisk("mkfs.ext4 -q", megabytes: 16)
    let (site, places) = try Self.makeSite(below: disk)
    #expect(try Self.audit(site, places, boot: "first").status == 0)
    try site.host.setLedger("1000000S\n 500 1\n")
    for _ in 0..<2 {
      let ending = try Self.audit(site, places, boot: "second", repairs: false, "--format=jsonl")
      let found = try ending.records
      #expect(found.map { $0["kind"] } == ["drift"], "\(ending)")
      #expect(found.first?["cause"] == "entries may have been lost when the machine stopped")
    }
    #expect(try Self.audit(site, places, boot: "second", "--domain=example.org").status == 1)
    #expect(site.host.ledgerTotal == [1000, 2])
    #expect(try Self.audit(site, places, boot: "second").output.contains(" 1 counted"))
    #expect(try Self.audit(site, places, boot: "second").output.contains(" 0 counted"))
  }
}
