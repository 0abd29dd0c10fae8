// SPDX-License-Identifier: Apache-2.0
import Foundation
import Posix
import Quota
import TestSupport
import Testing
import Text

@testable import Maildir

/// The account of a mailbox, in this process: what the whole program cannot show at a chosen moment.
struct MailboxAccountTests {
  private let sandbox: Sandbox
  private let names = UniqueName(host: Array("host".utf8))

  init() throws {
    sandbox = try Sandbox()
    for name in ["cur", "new", "tmp"] { try sandbox.makeDirectory("m/\(name)") }
  }

  private func open() throws -> Maildir {
    try Maildir.open(
      base: try #require(Path(sandbox.path.utf8)), components: ["m"], owner: UInt32(MailUser.id))
  }

  private func account(_ bytes: Int64) -> MailboxAccount {
    MailboxAccount(
      limit: QuotaLimit(bytes: bytes), rule: CountingRule(), names: names,
      countTimeLimit: 60)
  }

  @Test("Lines that other programs append to a replaced ledger are carried over: after a count only positive ones")
  func carriedOver() throws {
    try sandbox.write("m/cur/a,S=500:2,S", "")
    try sandbox.write("m/maildirsize", "1000S\n900 9\n0 0\n")
    var maildir = try open()
    var account = account(1000)
    let foreign = try #require(FileHandle(forWritingAtPath: sandbox("m/maildirsize")))
    #expect(
      try account.admit(messageOf: 200, in: &maildir, until: .never)
        == .fits(beside: QuotaUsage(bytes: 500, messages: 1)))
    try foreign.seekToEnd()
    foreign.write(Data("70 1\n-500 -1\n".utf8))
    try account.enter(messageOf: 200)
    account.settle(messageOf: 200, in: &maildir)
    #expect(sandbox.text("m/maildirsize") == "1000S\n 500 1\n200 1\n70 1\n")
  }

  @Test("After compaction all of them are carried over: the sum did not know them")
  func carriedOverByCompaction() throws {
    try sandbox.write("m/maildirsize", "1000S\n 500 5\n" + String(repeating: "0 0\n", count: 900))
    var maildir = try open()
    var account = account(1000)
    let foreign = try #require(FileHandle(forWritingAtPath: sandbox("m/maildirsize")))
    #expect(try account.promisedRoom(in: &maildir, until: .never) == 500)
    try foreign.seekToEnd()
    foreign.write(Data("70 1\n-50 -1\n".utf8))
    #expect(
      try account.admit(messageOf: 200, in: &maildir, until: .never)
        == .fits(beside: QuotaUsage(bytes: 500, messages: 5)))
    try account.enter(messageOf: 200)
    account.settle(messageOf: 200, in: &maildir)
    #expect(sandbox.text("m/maildirsize") == "1000S\n 500 5\n0 0\n200 1\n70 1\n-50 -1\n")
    #expect(sandbox.list("m/tmp").count == 1, "the replaced file goes with the account")
  }

  @Test("A ledger replaced between our look and our append gets the entry as well")
  func replacedBeforeAppend() throws {
    try sandbox.write("m/maildirsize", "1000S\n500 1\n")
    var maildir = try open()
    var account = account(1000)
    _ = try account.admit(messageOf: 200, in: &maildir, until: .never)
    try sandbox.write("m/other", "1000S\n400 1\n")
    try Command.check(["mv", sandbox("m/other"), sandbox("m/maildirsize")])
    try account.enter(messageOf: 200)
    account.settle(messageOf: 200, in: &maildir)
    #expect(sandbox.text("m/maildirsize") == "1000S\n400 1\n200 1\n")
  }

  @Test("A ledger of another program that appears during a count is kept")
  func foreignAppears() throws {
    try sandbox.write("m/cur/a,S=500:2,S", "")
    let maildir = try open()
    let text = LedgerContents.counted(QuotaUsage(bytes: 500, messages: 1), limit: QuotaLimit(bytes: 1000))
    let replacement = try LedgerReplacement.write(text, in: maildir, names: names)
    try sandbox.write("m/maildirsize", "1000S\n600 2\n")
    #expect(try !replacement.install(inPlaceOf: nil, in: maildir))
    #expect(sandbox.text("m/maildirsize") == "1000S\n600 2\n")
    _ = consume replacement
    #expect(sandbox.list("m/tmp") == [])
  }

  @Test("A recount of another program that lands between our sum and our exchange is put back")
  func foreignRecount() throws {
    try sandbox.write("m/maildirsize", "1000S\n500 1\n")
    let maildir = try open()
    let summed = try maildir.directory.fstatat("maildirsize").identity
    let replacement = try LedgerReplacement.write(Array("1000S\n 500 1\n0 0\n".utf8), in: maildir, names: names)
    try sandbox.write("m/other", "1000S\n450 1\n")
    try Command.check(["mv", sandbox("m/other"), sandbox("m/maildirsize")])
    #expect(try !replacement.install(inPlaceOf: summed, in: maildir))
    #expect(sandbox.text("m/maildirsize") == "1000S\n450 1\n")
  }

  @Test("Late lines of a replaced ledger are not written into a file that another program has made since")
  func displacedThenForeignRecount() throws {
    try sandbox.write("m/maildirsize", "1000S\n 500 5\n" + String(repeating: "0 0\n", count: 900))
    var maildir = try open()
    var account = account(1000)
    let foreign = try #require(FileHandle(forWritingAtPath: sandbox("m/maildirsize")))
    _ = try account.promisedRoom(in: &maildir, until: .never)
    try foreign.seekToEnd()
    foreign.write(Data("-50 -1\n".utf8))
    try sandbox.write("m/other", "1000S\n450 4\n")
    try Command.check(["mv", sandbox("m/other"), sandbox("m/maildirsize")])
    _ = try account.admit(messageOf: 200, in: &maildir, until: .never)
    try account.enter(messageOf: 200)
    account.settle(messageOf: 200, in: &maildir)
    #expect(sandbox.text("m/maildirsize") == "1000S\n450 4\n200 1\n")
  }

  @Test("A ledger that is removed during a count is made anew")
  func removedDuringCount() throws {
    try sandbox.write("m/maildirsize", "1000S\n500 1\n")
    let maildir = try open()
    let old = try maildir.directory.fstatat("maildirsize").identity
    let replacement = try LedgerReplacement.write(Array("1000S\n 500 1\n".utf8), in: maildir, names: names)
    try Command.check(["rm", sandbox("m/maildirsize")])
    #expect(try replacement.install(inPlaceOf: old, in: maildir))
    #expect(sandbox.text("m/maildirsize") == "1000S\n 500 1\n")
  }

  @Test("On a network file system lines that came to the ledger during a count are carried over, too")
  func lateLinesOnNetwork() throws {
    let host = try MailHost("virtual_mailbox_limit = 100000000")
    try host.setLedger("garbage\n")
    try Command.check(
      ["sh", "-c", "cd \(host.sandbox(host.maildir))/cur && seq -f '%.0f,S=10:2,S' 60000 | xargs touch"],
      asMailUser: true)
    // Stopped in front of the last look at the names, by strace, while another program adds its line.
    let trace = ["strace", "-f", "-o", "/dev/null", "-e", "inject=fdatasync:delay_exit=700000:when=1"]
    let delivery = try Command(
      trace + host.arguments, input: .bytes(MailHost.message(100)), environment: ["ULLAGE_FILE_SYSTEM": "nfs"],
      asMailUser: true)
    _ = try waitUntil("the new ledger in tmp/") { host.tmp.first }
    let ledger = try #require(FileHandle(forWritingAtPath: host.sandbox("\(host.maildir)/maildirsize")))
    try ledger.seekToEnd()
    ledger.write(Data("5000 1\n-7 -1\n".utf8))
    #expect(delivery.wait().status == 0)
    #expect(host.ledger == "100000000S\n 600000 60000\n5000 1\n100 1\n")
  }

  @Test("A message that was published and is taken back takes its entry with it")
  func takenBack() throws {
    try sandbox.write("m/maildirsize", "1000S\n500 1\n")
    var maildir = try open()
    var account = account(1000)
    _ = try account.admit(messageOf: 200, in: &maildir, until: .never)
    try account.enter(messageOf: 200)
    try sandbox.write("m/new/message", "x")
    account.settle(messageOf: 200, in: &maildir)
    let cause = SystemError(.fsync, "new".utf8, Errno.ENOSPC)
    #expect(account.takeBack("message", messageOf: 200, from: &maildir, because: cause) == .system(cause))
    #expect(sandbox.list("m/new") == [] && sandbox.text("m/maildirsize") == "1000S\n500 1\n200 1\n-200 -1\n")
  }
}

struct MaildirCountTests {
  @Test("Only what changed is counted again, and every change is seen")
  func incremental() throws {
    let sandbox = try Sandbox()
    for folder in ["m", "m/.A", "m/.Trash"] {
      for name in ["cur", "new", "tmp"] { try sandbox.makeDirectory("\(folder)/\(name)") }
    }
    let maildir = try Maildir.open(
      base: try #require(Path(sandbox.path.utf8)), components: ["m"], owner: UInt32(MailUser.id))
    var count = MaildirCount(CountingRule(uncountedFolders: [Array(".Trash".utf8)]))
    func look() throws -> Bool { try count.look(in: maildir, all: false, until: .never) }
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
    "Where stamps are whole seconds, a change in the second of the last look is seen all the same (ext4, inodes of 128)",
    .enabled(if: geteuid() == 0, "takes root: run scripts/test"))
  func wholeSeconds() throws {
    let disk = try LoopDisk("mkfs.ext4 -q -I 128", megabytes: 8)
    let sandbox = try Sandbox(below: disk.path)
    for name in ["cur", "new", "tmp"] { try sandbox.makeDirectory("m/\(name)") }
    let maildir = try Maildir.open(
      base: try #require(Path(sandbox.path.utf8)), components: ["m"], owner: UInt32(MailUser.id))
    var count = MaildirCount(CountingRule())
    for number in 1...20 {
      try sandbox.write("m/cur/\(number),S=10", "")
      _ = try count.look(in: maildir, all: false, until: .never)
      #expect(count.usage == QuotaUsage(bytes: 10 * Int64(number), messages: Int64(number)))
    }
  }

  @Test("A folder that may not be read counts nothing, and is named")
  func unreadable() throws {
    let host = try MailHost("virtual_mailbox_limit = 1000")
    try host.store("a,S=500:2,S", bytes: 500, folder: ".A")
    try Command.check(["chmod", "0", host.sandbox("\(host.maildir)/.A")])
    let delivery = try host.deliver(bytes: 600)
    #expect(delivery.status == 0)
    #expect(delivery.log.contains { $0.contains("not counted, no permission to read it: .A/") })
  }
}
