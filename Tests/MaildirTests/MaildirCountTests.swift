// SPDX-License-Identifier: Apache-2.0
import Foundation
import Posix
import Quota
import TestSupport
import Testing

@testable import Maildir

struct MaildirCountTests {
  @Test("Only what changed is counted again, and every change is noticed")
  func incremental() throws {
    let sandbox = try Sandbox()
    for folder in ["m", "m/.A", "m/.Trash"] {
      try sandbox.makeMaildir("\(folder)")
    }
    let maildir = try Maildir.open(
      base: try #require(Path(sandbox.path.utf8)), components: ["m"], owner: UInt32(MailUser.id))
    var count = MaildirCount(of: maildir, CountingRule(uncountedFolders: [Array(".Trash".utf8)]), until: .never)
    func look() throws -> Bool { try count.look(all: false) }
    #expect(try look() && count.usage == .none)
    let changes: [(String, Int64, Int64)] = [
      ("m/cur/a,S=7:2,S", 7, 1), ("m/new/b", 12, 2), ("m/.A/cur/c,S=100", 112, 3), ("m/.Trash/cur/d,S=9", 112, 3),
      ("m/cur/.hidden,S=5", 112, 3), ("m/tmp/e", 112, 3), ("m/.A/new/f,S=0:2,", 117, 4), ("m/.B/cur/g,S=3", 120, 5),
      ("m/cur/sub/file", 120, 5), ("m/nodot/cur/h", 120, 5), ("m/.A/.C/cur/i", 120, 5),
    ]
    for (path, bytes, messages) in changes {
      try sandbox.write(path, "12345")
      while try look() {}
      #expect(count.usage == QuotaUsage(bytes: bytes, messages: messages), "\(path)")
      #expect(try !look(), "nothing has changed since \(path)")
    }
    try Command.check(["rm", "-r", sandbox("m/.A")])
    while try look() {}
    #expect(count.usage == QuotaUsage(bytes: 15, messages: 3))
  }

  @Test(
    "A last look tells what has come from what has changed; a new ledger is no change",
    arguments: [
      ("", "mv tmp/ledger maildirsize", 0, false), ("", "mv cur/a,S=5 cur/a,S=5:2,S", 0, true),
      ("", "rm cur/a,S=5", 0, true), ("", "rm cur/a,S=5; echo >cur/b,S=5", 0, true), ("", "echo >new/b,S=7", 7, true),
      ("mkdir -p .A/cur .A/new", "echo >.A/cur/b,S=7", 7, true), ("", "mkdir -p .A/cur .A/new", 0, true),
      ("mkdir -p .A/cur .A/new", "rm -r .A", 0, true),
    ])
  func lookAgain(before: String, change: String, gain: Int64, hasChanged: Bool) throws {
    let sandbox = try Sandbox()
    try sandbox.makeMaildir("m")
    func run(_ script: String) throws {
      try Command.check(["sh", "-ec", "cd \(sandbox("m")); \(script)"], asMailUser: true)
    }
    try run("echo >cur/a,S=5; echo >tmp/ledger; \(before)")
    let maildir = try Maildir.open(
      base: try #require(Path(sandbox.path.utf8)), components: ["m"], owner: UInt32(MailUser.id))
    var count = MaildirCount(of: maildir, CountingRule(), until: .never)
    try count.lookUntilSettled()
    while try count.look(all: false) {}
    try run(change)
    let last = try count.lookAgain()
    #expect(last.gain.bytes == gain && last.hasChanged == hasChanged)
  }

  @Test(
    "With whole-second timestamps, a change in the second of the last look is noticed (ext4, 128-byte inodes)",
    .takesRoot)
  func wholeSeconds() throws {
    let disk = try LoopDisk("mkfs.ext4 -q -I 128", megabytes: 8)
    let sandbox = try Sandbox(below: disk.path)
    try sandbox.makeMaildir("m")
    let maildir = try Maildir.open(
      base: try #require(Path(sandbox.path.utf8)), components: ["m"], owner: UInt32(MailUser.id))
    var count = MaildirCount(of: maildir, CountingRule(), until: .never)
    for number in 1...20 {
      try sandbox.write("m/cur/\(number),S=10", "")
      _ = try count.look(all: false)
      #expect(count.usage == QuotaUsage(bytes: 10 * Int64(number), messages: Int64(number)))
    }
  }

  @Test("An unreadable folder is not counted, and is logged")
  func unreadable() throws {
    let host = try MailHost("virtual_mailbox_limit = 1000")
    try host.store("a,S=500:2,S", bytes: 500, folder: ".A")
    try Command.check(["chmod", "0", host.sandbox("\(host.maildir)/.A")])
    let delivery = try host.deliver(bytes: 600)
    #expect(delivery.status == 0)
    #expect(delivery.log.contains { $0.contains("not counted, no permission to read it: .A/") })
  }
}
