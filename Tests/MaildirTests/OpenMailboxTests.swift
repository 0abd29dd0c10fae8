// SPDX-License-Identifier: Apache-2.0
import Foundation
import Posix
import Quota
import TestSupport
import Testing
import Text

@testable import Maildir

/// An open mailbox, in this process so that files can be changed between its steps.
struct OpenMailboxTests {
  private let sandbox: Sandbox
  private let names = UniqueName(host: Array("host".utf8))

  init() throws {
    sandbox = try Sandbox()
    try sandbox.makeMaildir("m")
  }

  private func openMaildir() throws -> Maildir {
    try Maildir.open(
      base: try #require(Path(sandbox.path.utf8)), components: ["m"], owner: UInt32(MailUser.id))
  }

  /// With a limit of 1000 bytes.
  private func open() throws -> OpenMailbox {
    OpenMailbox(
      try openMaildir(), limit: QuotaLimit(bytes: 1000), rule: CountingRule(), names: names, countTimeLimit: 60,
      until: .never)
  }

  @Test("Lines that other programs append to a replaced ledger are carried over; after a count, only positive ones")
  func carriedOver() throws {
    try sandbox.write("m/cur/a,S=500:2,S", "")
    try sandbox.write("m/maildirsize", "1000S\n900 9\n0 0\n")
    var mailbox = try open()
    let foreign = try #require(FileHandle(forWritingAtPath: sandbox("m/maildirsize")))
    #expect(
      try mailbox.admit(messageOf: 200)
        == .fits(beside: QuotaUsage(bytes: 500, messages: 1)))
    try foreign.seekToEnd()
    foreign.write(Data("70 1\n-500 -1\n".utf8))
    try mailbox.enter(messageOf: 200)
    mailbox.settle(messageOf: 200)
    #expect(sandbox.text("m/maildirsize") == "1000S\n 500 1\n200 1\n70 1\n")
  }

  @Test("After compaction all such lines are carried over: the sum does not include them")
  func carriedOverByCompaction() throws {
    try sandbox.write("m/maildirsize", "1000S\n 500 5\n" + String(repeating: "0 0\n", count: 900))
    var mailbox = try open()
    let foreign = try #require(FileHandle(forWritingAtPath: sandbox("m/maildirsize")))
    #expect(try mailbox.promisedRoom() == 500)
    try foreign.seekToEnd()
    foreign.write(Data("70 1\n-50 -1\n".utf8))
    #expect(
      try mailbox.admit(messageOf: 200)
        == .fits(beside: QuotaUsage(bytes: 500, messages: 5)))
    try mailbox.enter(messageOf: 200)
    mailbox.settle(messageOf: 200)
    #expect(sandbox.text("m/maildirsize") == "1000S\n 500 5\n0 0\n200 1\n70 1\n-50 -1\n")
    #expect(sandbox.list("m/tmp").count == 1, "the replaced file is removed with the mailbox")
  }

  @Test("So are those that arrive before a refusal, after the replaced file was read for the first time")
  func carriedOverBeforeRefusal() throws {
    func host() throws -> MailHost {
      let host = try MailHost("virtual_mailbox_limit = 1000")
      try host.store("a,S=950:2,S", bytes: 950)
      try host.setLedger("1000S\n950 1\n0 0\n")
      return host
    }
    let first = try host()
    let strace = ["strace", "-o", first.sandbox("trace"), "-e", "trace=pread64,renameat2,flock"]
    #expect(try first.deliver(MailHost.message(100), arguments: strace + first.arguments).status == 75)
    let calls = try #require(first.sandbox.text("trace")).split(separator: "\n")
    let exchange = try #require(calls.firstIndex { $0.hasPrefix("renameat2") })
    let unlock = try #require(calls[exchange...].firstIndex { $0.contains("LOCK_UN") })
    let firstRead = try #require(calls[exchange..<unlock].firstIndex { $0.hasPrefix("pread64") })
    let reads = calls[...firstRead].count { $0.hasPrefix("pread64") }

    let second = try host()
    let foreign = try #require(FileHandle(forWritingAtPath: second.sandbox("\(second.maildir)/maildirsize")))
    let delivery = try StoppedCommand(
      second.arguments, at: "pread64", occurrence: reads, input: .bytes(MailHost.message(100)))
    #expect(second.ledger == "1000S\n 950 1\n")
    try foreign.seekToEnd()
    foreign.write(Data("70 1\n".utf8))
    #expect(try delivery.resume().status == 75)
    #expect(second.ledger == "1000S\n 950 1\n70 1\n")
  }

  @Test("A ledger replaced between our read and our append gets the entry as well")
  func replacedBeforeAppend() throws {
    try sandbox.write("m/maildirsize", "1000S\n500 1\n")
    var mailbox = try open()
    _ = try mailbox.admit(messageOf: 200)
    try sandbox.write("m/other", "1000S\n400 1\n")
    try Command.check(["mv", sandbox("m/other"), sandbox("m/maildirsize")])
    try mailbox.enter(messageOf: 200)
    mailbox.settle(messageOf: 200)
    #expect(sandbox.text("m/maildirsize") == "1000S\n400 1\n200 1\n")
  }

  @Test("Another program's ledger that appears during a count is kept")
  func foreignAppears() throws {
    try sandbox.write("m/cur/a,S=500:2,S", "")
    let maildir = try openMaildir()
    let text = LedgerContents.counted(QuotaUsage(bytes: 500, messages: 1), limit: QuotaLimit(bytes: 1000))
    let replacement = try LedgerReplacement.write(text, in: maildir, names: names)
    try sandbox.write("m/maildirsize", "1000S\n600 2\n")
    #expect(try !replacement.install(counted: false))
    #expect(sandbox.text("m/maildirsize") == "1000S\n600 2\n")
    _ = consume replacement
    #expect(sandbox.list("m/tmp") == [])
  }

  @Test("Between a sum and its exchange another program counts: the sum does not stay, and the next delivery counts")
  func foreignRecount() throws {
    try sandbox.write("m/maildirsize", "1000S\n500 1\n")
    let maildir = try openMaildir()
    let summed = try maildir.directory.fstatat("maildirsize").identity
    let replacement = try LedgerReplacement.write(Array("1000S\n 500 1\n0 0\n".utf8), in: maildir, names: names)
    try sandbox.write("m/other", "1000S\n450 1\n")
    try Command.check(["mv", sandbox("m/other"), sandbox("m/maildirsize")])
    #expect(try !replacement.install(sumOf: summed))
    #expect(sandbox.text("m/maildirsize") == nil)
  }

  @Test("A ledger that is removed while it is summed stays removed: an administrator wants it counted")
  func removedDuringSum() throws {
    try sandbox.write("m/maildirsize", "1000S\n500 1\n")
    let maildir = try openMaildir()
    let summed = try maildir.directory.fstatat("maildirsize").identity
    let replacement = try LedgerReplacement.write(Array("1000S\n 500 1\n0 0\n".utf8), in: maildir, names: names)
    try Command.check(["rm", sandbox("m/maildirsize")])
    #expect(try !replacement.install(sumOf: summed))
    #expect(sandbox.text("m/maildirsize") == nil)
  }

  @Test("Late lines of a replaced ledger are not written into a file that another program has made since")
  func displacedThenForeignRecount() throws {
    try sandbox.write("m/maildirsize", "1000S\n 500 5\n" + String(repeating: "0 0\n", count: 900))
    var mailbox = try open()
    let foreign = try #require(FileHandle(forWritingAtPath: sandbox("m/maildirsize")))
    _ = try mailbox.promisedRoom()
    try foreign.seekToEnd()
    foreign.write(Data("-50 -1\n".utf8))
    try sandbox.write("m/other", "1000S\n450 4\n")
    try Command.check(["mv", sandbox("m/other"), sandbox("m/maildirsize")])
    _ = try mailbox.admit(messageOf: 200)
    try mailbox.enter(messageOf: 200)
    mailbox.settle(messageOf: 200)
    #expect(sandbox.text("m/maildirsize") == "1000S\n450 4\n200 1\n")
  }

  @Test("A ledger that is removed during a count is created again")
  func removedDuringCount() throws {
    try sandbox.write("m/maildirsize", "1000S\n500 1\n")
    let maildir = try openMaildir()
    let replacement = try LedgerReplacement.write(Array("1000S\n 500 1\n".utf8), in: maildir, names: names)
    try Command.check(["rm", sandbox("m/maildirsize")])
    #expect(try replacement.install(counted: true))
    #expect(sandbox.text("m/maildirsize") == "1000S\n 500 1\n")
  }

  @Test(
    "If a message comes while a total is written, and its entry is nowhere, the mailbox is counted again",
    arguments: [
      ":", "rm maildirsize", "printf '1000S\\n600 2\\n' >other; mv other maildirsize", "echo 70 1 >>maildirsize",
    ])
  func cameDuringCount(change: String) throws {
    let host = try MailHost("virtual_mailbox_limit = 100000000")
    try host.store("a,S=500:2,S", bytes: 500)
    try host.setLedger("garbage\n")
    let delivery = try StoppedCommand(host.arguments, at: "fdatasync", input: .bytes(MailHost.message(100)))
    try Command.check(["sh", "-ec", "cd \(host.sandbox(host.maildir)); \(change)"], asMailUser: true)
    try host.sandbox.write("\(host.maildir)/new/b,S=70", MailHost.message(70))
    #expect(try delivery.resume().status == 0)
    // Counted again before the message was stored.
    #expect(host.ledgerTotal == [670, 3], "\(host.ledger ?? "")")
    #expect(try host.deliver(bytes: 30).status == 0)
    #expect(host.ledgerTotal == [700, 4])
  }

  @Test("Messages that are moved while a total is written are not counted twice: nothing is refused for them")
  func movedDuringCount() throws {
    let host = try MailHost("virtual_mailbox_limit = 1000\nvirtual_overquota_bounce = yes")
    try host.makeMaildir()
    try host.sandbox.write("\(host.maildir)/new/a,S=500", MailHost.message(500))
    try host.setLedger("garbage\n")
    let delivery = try StoppedCommand(host.arguments, at: "fdatasync", input: .bytes(MailHost.message(100)))
    try Command.check(["sh", "-ec", "cd \(host.sandbox(host.maildir)); mv new/a* cur/a,S=500:2,S"], asMailUser: true)
    #expect(try delivery.resume().status == 0)
    #expect(try host.deliver(bytes: 100).status == 0)
    #expect(host.ledgerTotal == [700, 3])
  }

  @Test("On a network file system, lines appended to the ledger during a count are carried over, too")
  func lateLinesOnNetwork() throws {
    let host = try MailHost("virtual_mailbox_limit = 100000000")
    try host.setLedger("garbage\n")
    try Command.check(
      ["sh", "-c", "cd \(host.sandbox(host.maildir))/cur && seq -f '%.0f,S=10:2,S' 60000 | xargs touch"],
      asMailUser: true)
    // It stops after writing the new ledger, before it reads the old one for the last time.
    let delivery = try StoppedCommand(
      host.arguments, at: "fdatasync", input: .bytes(MailHost.message(100)),
      environment: ["ULLAGE_FILE_SYSTEM": "nfs"])
    #expect(host.tmp.count == 1, "the new ledger")
    let ledger = try #require(FileHandle(forWritingAtPath: host.sandbox("\(host.maildir)/maildirsize")))
    try ledger.seekToEnd()
    ledger.write(Data("5000 1\n-7 -1\n".utf8))
    #expect(try delivery.resume().status == 0)
    #expect(host.ledger == "100000000S\n 600000 60000\n5000 1\n100 1\n")
    #expect(host.sandbox.status("\(host.maildir)/ullage.lock") != nil, "taken for a network file system")
  }

  @Test("If a published message is removed again, its entry is retracted")
  func takenBack() throws {
    try sandbox.write("m/maildirsize", "1000S\n500 1\n")
    var mailbox = try open()
    _ = try mailbox.admit(messageOf: 200)
    try mailbox.enter(messageOf: 200)
    try sandbox.write("m/new/message", "x")
    mailbox.settle(messageOf: 200)
    let cause = SystemError(.fsync, "new".utf8, Errno.ENOSPC)
    #expect(mailbox.takeBack("message", messageOf: 200, because: cause) == .system(cause))
    #expect(sandbox.list("m/new") == [] && sandbox.text("m/maildirsize") == "1000S\n500 1\n200 1\n-200 -1\n")
  }
}
