// SPDX-License-Identifier: Apache-2.0
import Foundation
import Posix
import Quota
import TestSupport
import Testing

@testable import Maildir

/// Whether a message is let in, and what the ledger says afterwards. The limit is 1000 bytes unless a test sets one.
struct AdmissionTests {
  private let sandbox: Sandbox

  init() throws {
    sandbox = try Sandbox()
    try sandbox.makeMaildir("m")
  }

  private func open(limit: QuotaLimit = QuotaLimit(bytes: 1000), rule: CountingRule = CountingRule()) throws
    -> OpenMailbox
  {
    let maildir = try Maildir.open(
      base: try #require(Path(sandbox.path.utf8)), components: ["m"], owner: UInt32(MailUser.id))
    return OpenMailbox(
      maildir, limit: limit, rule: rule, names: UniqueName(host: Array("host".utf8)), countTimeLimit: 60, until: .never)
  }

  /// A ledger of another time: a total in it is not recent.
  private func setLedger(_ text: String, modified: String = "-1 hour") throws {
    try sandbox.write("m/maildirsize", text)
    try Command.check(["touch", "-d", modified, sandbox("m/maildirsize")])
  }

  private var ledger: String? { sandbox.text("m/maildirsize") }

  private static func fits(_ bytes: Int64, _ messages: Int64) -> OpenMailbox.Admission {
    .fits(beside: QuotaUsage(bytes: bytes, messages: messages))
  }

  private static func full(_ bytes: Int64, _ messages: Int64) -> OpenMailbox.Admission {
    .overQuota(QuotaUsage(bytes: bytes, messages: messages))
  }

  @Test(
    "Where the ledger leaves room, nothing is counted: messages up to the last byte fit", arguments: [0, 1, 500])
  func room(size: Int64) throws {
    try setLedger("1000S\n500 1\n")
    try sandbox.write("m/cur/a,S=999:2,S", "")
    var mailbox = try open()
    #expect(try mailbox.promisedRoom() == 500)
    #expect(try mailbox.admit(messageOf: size) == Self.fits(500, 1))
    #expect(!mailbox.wasCounted && mailbox.firstFault == nil)
    try mailbox.enter(messageOf: size)
    mailbox.settle(messageOf: size)
    #expect(ledger == "1000S\n500 1\n\(size) 1\n")
  }

  @Test("Before a refusal the messages are counted; a message that fits by the count is let in")
  func countMakesRoom() throws {
    try setLedger("1000S\n900 9\n")
    try sandbox.write("m/cur/a,S=100:2,S", "")
    var mailbox = try open()
    #expect(try mailbox.promisedRoom() == 100)
    #expect(try mailbox.admit(messageOf: 200) == Self.fits(100, 1))
    let wasCounted = mailbox.wasCounted
    #expect(wasCounted)
    try mailbox.enter(messageOf: 200)
    mailbox.settle(messageOf: 200)
    #expect(ledger == "1000S\n 100 1\n200 1\n")
  }

  @Test("A message that does not fit by the count is refused, and the ledger then has the counted usage")
  func countConfirms() throws {
    try setLedger("1000S\n900 9\n")
    try sandbox.write("m/cur/a,S=950:2,S", "")
    var mailbox = try open()
    #expect(try mailbox.admit(messageOf: 101) == Self.full(950, 1))
    #expect(ledger == "1000S\n 950 1\n")
    // It is not locked: another process can look.
    var other = try open()
    #expect(try other.admit(messageOf: 50) == Self.fits(950, 1))
  }

  @Test("A total counted just now is enough for a refusal: a burst of mail is not a burst of counts")
  func freshRefusal() throws {
    try setLedger("1000S\n 950 1\n", modified: "now")
    var mailbox = try open()
    #expect(try mailbox.admit(messageOf: 51) == Self.full(950, 1))
    #expect(!mailbox.wasCounted && ledger == "1000S\n 950 1\n")
  }

  @Test(
    "A ledger that cannot be trusted is replaced by a count",
    arguments: [
      ("1000S\n5", LedgerFault.torn), ("", .empty), ("1000S\n", .headerOnly), ("1000S\nx\n", .badEntry),
      ("0S\n5 1\n", .unlimited), ("1000S\n-5 -1\n", .negative), ("1000S\r\n5 1\r\n", .holdsCR),
      ("1000S\n500 0\n", .lopsided),
    ])
  func faults(text: String, fault: LedgerFault) throws {
    try setLedger(text)
    try sandbox.write("m/cur/a,S=100:2,S", "")
    var mailbox = try open()
    #expect(try mailbox.promisedRoom() == nil)
    #expect(try mailbox.admit(messageOf: 200) == Self.fits(100, 1))
    #expect(mailbox.firstFault == fault && mailbox.wasCounted)
    try mailbox.enter(messageOf: 200)
    mailbox.settle(messageOf: 200)
    #expect(ledger == "1000S\n 100 1\n200 1\n")
  }

  @Test("A missing ledger is created by a count")
  func missing() throws {
    var mailbox = try open()
    #expect(try mailbox.admit(messageOf: 1000) == Self.fits(0, 0))
    try mailbox.enter(messageOf: 1000)
    mailbox.settle(messageOf: 1000)
    #expect(mailbox.firstFault == .missing && ledger == "1000S\n 0 0\n1000 1\n")
  }

  @Test("A directory in its place is an error for a message that would fit, since its entry would be lost")
  func directory() throws {
    try sandbox.makeDirectory("m/maildirsize")
    var mailbox = try open()
    #expect(throws: MaildirError.ledgerIsDirectory) { try mailbox.admit(messageOf: 10) }
    _ = consume mailbox
    try sandbox.write("m/cur/a,S=1000:2,S", "")
    var full = try open()
    #expect(try full.admit(messageOf: 10) == Self.full(1000, 1))
  }

  @Test("A limit of messages refuses whatever the size")
  func messages() throws {
    try setLedger("1000S,2C\n20 2\n", modified: "now")
    var mailbox = try open(limit: QuotaLimit(bytes: 1000, messages: 2))
    #expect(try mailbox.promisedRoom() == -1)
    #expect(try mailbox.admit(messageOf: 0) == Self.full(20, 2))
  }

  @Test("Without a limit everything fits; a valid ledger is kept up to date, an invalid one is left alone")
  func unlimited() throws {
    try setLedger("0S\n500 1\n")
    var mailbox = try open(limit: .none)
    #expect(try mailbox.promisedRoom() == .max)
    #expect(try mailbox.admit(messageOf: 1 << 40) == Self.fits(500, 1))
    try mailbox.enter(messageOf: 1 << 40)
    mailbox.settle(messageOf: 1 << 40)
    #expect(ledger == "0S\n500 1\n1099511627776 1\n")

    try setLedger("0S\nx\n")
    var broken = try open(limit: .none)
    #expect(try broken.admit(messageOf: 5) == .fits(beside: nil))
    try broken.enter(messageOf: 5)
    broken.settle(messageOf: 5)
    #expect(ledger == "0S\nx\n")
  }

  @Test("No ledger is created where there is no limit")
  func unlimitedWithoutLedger() throws {
    var mailbox = try open(limit: .none)
    #expect(try mailbox.promisedRoom() == .max)
    #expect(try mailbox.admit(messageOf: 5) == .fits(beside: nil))
    try mailbox.enter(messageOf: 5)
    mailbox.settle(messageOf: 5)
    #expect(ledger == nil)
  }

  @Test("With the inbox alone, the ledger is neither read nor written: others count whole mailboxes in it")
  func inboxOnly() throws {
    try setLedger("1000S\n0 0\n")
    try sandbox.write("m/cur/a,S=950:2,S", "")
    try sandbox.write("m/.A/cur/b,S=500:2,S", "")
    var mailbox = try open(rule: CountingRule(inboxOnly: true))
    #expect(try mailbox.promisedRoom() == nil)
    #expect(try mailbox.admit(messageOf: 50) == Self.fits(950, 1))
    mailbox.unlock()
    #expect(try mailbox.admit(messageOf: 51) == Self.full(950, 1))
    #expect(ledger == "1000S\n0 0\n")
  }

  @Test("A message that could not be published is retracted in the same file")
  func retract() throws {
    try setLedger("1000S\n500 1\n")
    var mailbox = try open()
    _ = try mailbox.admit(messageOf: 200)
    try mailbox.enter(messageOf: 200)
    try mailbox.retract(messageOf: 200)
    mailbox.unlock()
    #expect(ledger == "1000S\n500 1\n200 1\n-200 -1\n")
    var next = try open()
    #expect(try next.admit(messageOf: 500) == Self.fits(500, 1))
  }

  @Test(
    "The limit in the first line is corrected at once in our own file, and not in a young one of another program",
    arguments: [
      ("900S\n 500 1\n", "1000S\n 500 1\n0 0\n"), ("900S\n500 1\n", "900S\n500 1\n"),
      ("1000S\n500 1\n", "1000S\n500 1\n"), ("1000S,5C\n 500 1\n", "1000S\n 500 1\n0 0\n"),
    ])
  func headerLimit(text: String, expected: String) throws {
    try setLedger(text, modified: "now")
    var mailbox = try open()
    #expect(try mailbox.promisedRoom() == 500)
    mailbox.unlock()
    #expect(ledger == expected)
  }

  @Test("A long ledger is summed up before other programs would count the mailbox because of its length")
  func compaction() throws {
    try setLedger("1000S\n" + String(repeating: "1 1\n", count: 900), modified: "now")
    var mailbox = try open()
    #expect(try mailbox.promisedRoom() == 100)
    #expect(ledger == "1000S\n 900 900\n0 0\n")
    #expect(sandbox.list("m/tmp").count == 1, "the replaced file, as long as the mailbox is open")
    _ = consume mailbox
    #expect(sandbox.list("m/tmp") == [])
  }

  @Test(
    "A new ledger gets the mode of the one that it replaces, never less than its owner needs and never executable",
    arguments: [(mode_t(0o640), UInt32(0o640)), (0o600, 0o600), (0o666, 0o666), (0o400, 0o600), (0o755, 0o644)])
  func mode(old: mode_t, new: UInt32) throws {
    try sandbox.write("m/maildirsize", "x", mode: old)
    // A delivery runs as the owner of the Maildir.
    unsafe chown(sandbox("m/maildirsize"), geteuid(), getegid())
    let mailbox = try open()
    let replacement = try LedgerReplacement.write(
      Array("1000S\n 0 0\n".utf8), in: mailbox.maildir, names: UniqueName(host: []))
    #expect(try replacement.file.fstat().permissions == new)
  }

  @Test("Whoever counts waits for the other one's count, and for no longer than the deadline")
  func turn() throws {
    let first = try open()
    let turn = try first.waitForTurn(seconds: 10)
    let second = try open()
    #expect(throws: MaildirError.countUnfinished) { _ = try second.waitForTurn(seconds: 0) }
    turn.flockRelease()
    try second.waitForTurn(seconds: 0).flockRelease()
  }
}
