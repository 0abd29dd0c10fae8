// SPDX-License-Identifier: Apache-2.0
import Foundation
import Posix
import Quota
import TestSupport
import Testing

@testable import Maildir

/// What a look at a Maildir finds.
struct MaildirInspectionTests {
  private let sandbox: Sandbox
  private static let limit = QuotaLimit(bytes: 1000)

  init() throws {
    sandbox = try Sandbox()
    try sandbox.makeMaildir("m")
    try sandbox.write("m/maildirsize", "1000S\n500 1\n", mode: 0o600)
  }

  private func look(owner: UInt32 = UInt32(MailUser.id)) throws -> MaildirInspection {
    var finder = MaildirFinder()
    return try MaildirInspection.look(
      &finder, base: try #require(Path(sandbox.path.utf8)), components: ["m"], owner: owner, limit: Self.limit)
  }

  private func shell(_ command: String) throws {
    try Command.check(["sh", "-ec", "cd \(sandbox("m")); \(command)"])
  }

  @Test("A sound Maildir: the total, the limit, no fault")
  func sound() throws {
    let found = try look()
    #expect(found.ledger.fault == nil && found.rightsFaults == [] && !found.hasFolderMark)
    #expect(found.ledgerModified != nil)
  }

  @Test(
    "Modes that keep the owner out or let others in",
    arguments: [
      ("chmod 777 cur", [RightsFault(.cur, .writableByAll(mode: 0o777))]),
      ("chmod 500 new", [RightsFault(.new, .closedToOwner(mode: 0o500))]),
      ("chmod 0 tmp", [RightsFault(.tmp, .closedToOwner(mode: 0))]),
      ("chmod 577 cur", [RightsFault(.cur, .writableByAll(mode: 0o577))]),
      ("chmod 702 .", [RightsFault(.maildir, .writableByAll(mode: 0o702))]),
      ("chmod 666 maildirsize", [RightsFault(.ledger, .writableByAll(mode: 0o666))]),
      (
        "chmod 777 cur; chmod 602 maildirsize",
        [
          RightsFault(.cur, .writableByAll(mode: 0o777)), RightsFault(.ledger, .writableByAll(mode: 0o602)),
        ]
      ),
    ])
  func modes(command: String, faults: [RightsFault]) throws {
    try shell(command)
    #expect(try look().rightsFaults == faults)
    try shell("chmod 700 . cur new tmp")
  }

  @Test(
    "Each state of the ledger is a fault or none",
    arguments: [
      ("rm maildirsize", LedgerFault.missing), (": > maildirsize", .empty), ("printf '1000S\\n5' > maildirsize", .torn),
      ("printf '1000S\\n' > maildirsize", .headerOnly), ("printf 'x\\n5 1\\n' > maildirsize", .badHeader),
      ("printf '1000S\\nx\\n' > maildirsize", .badEntry), ("printf '1000S\\n-5 -1\\n' > maildirsize", .negative),
      ("rm maildirsize; ln -s /etc/passwd maildirsize", .notAFile), ("rm maildirsize; mkfifo maildirsize", .notAFile),
    ])
  func ledger(command: String, fault: LedgerFault) throws {
    try shell(command)
    #expect(try look().ledger.fault == fault)
  }

  @Test(
    "What makes a Maildir unusable is an error",
    arguments: [
      ("rmdir cur", MaildirError.missingPart(Array("cur".utf8))), ("rmdir new", .missingPart(Array("new".utf8))),
      ("rmdir cur; ln -s new cur", .symlinkInside(Array("cur".utf8))),
      ("rmdir cur; touch cur", .notADirectory(Array("cur".utf8))),
      ("rm maildirsize; mkdir maildirsize", .ledgerIsDirectory),
    ])
  func unusable(command: String, error: MaildirError) throws {
    try shell(command)
    #expect(throws: error) { try look() }
  }

  @Test("A missing tmp/ is made by the next delivery; a file maildirfolder is noticed; another owner is an error")
  func others() throws {
    try shell("rmdir tmp; touch maildirfolder")
    #expect(try look().hasFolderMark && look().rightsFaults == [])
    #expect(throws: MaildirError.wrongOwner(UInt32(MailUser.id))) { try look(owner: 4_000_000) }
  }

  @Test("A fault is a sentence that names the part, the mode or the owners")
  func sentences() {
    #expect(
      RightsFault(.maildir, .closedToOwner(mode: 0o500)).sentence == "the Maildir has mode 500, its owner needs rwx")
    #expect(RightsFault(.maildir, .writableByAll(mode: 0o777)).sentence == "anyone can write to the Maildir, mode 777")
    #expect(RightsFault(.cur, .closedToOwner(mode: 0o500)).sentence == "cur has mode 500, its owner cannot use it")
    #expect(
      RightsFault(.ledger, .foreign(owner: 0, expected: 4_000_000)).sentence
        == "maildirsize belongs to root, not to uid 4000000")
  }

  @Test("Files in tmp/ older than 36 hours are stale, by the later of mtime and ctime, and only they are removed")
  func stale() throws {
    try shell("touch tmp/young; touch -d '3 days ago' tmp/restored; mkdir tmp/directory")
    let maildir = try Maildir.open(
      base: try #require(Path(sandbox.path.utf8)), components: ["m"], owner: UInt32(MailUser.id))
    // A file cannot be given an old ctime, so all are young.
    let found = try StaleFiles.look(in: maildir)
    #expect(found.names == [] && found.younger == 2 && found.bytes == 0)
    #expect(try found.remove(from: maildir) == 0)
    try shell("test -e tmp/young && test -e tmp/restored")
  }
}

/// Why a ledger was wrong, and what a count says about it.
struct RepairResultTests {
  @Test(
    "Drift is the ledger minus what was counted, and unknown without a valid ledger",
    arguments: [
      (QuotaUsage(bytes: 900, messages: 3), QuotaUsage(bytes: 500, messages: 1), QuotaUsage(bytes: 400, messages: 2)),
      (QuotaUsage(bytes: 5, messages: 1), QuotaUsage(bytes: 5, messages: 1), QuotaUsage.none),
      (QuotaUsage(bytes: 1, messages: 0), QuotaUsage(bytes: 5, messages: 1), QuotaUsage(bytes: -4, messages: -1)),
      (nil, QuotaUsage(bytes: 5, messages: 1), nil),
    ] as [(QuotaUsage?, QuotaUsage, QuotaUsage?)])
  func drift(before: QuotaUsage?, counted: QuotaUsage, drift: QuotaUsage?) {
    let result = RepairResult(before: before, fault: nil, counted: counted, after: nil, action: .exact)
    #expect(result.drift == drift)
  }

  @Test("Entries may be lost only where another program's file has less than there is")
  func lost() {
    func result(_ bytes: Int64, wasReplaced: Bool) -> Bool {
      RepairResult(
        before: QuotaUsage(bytes: bytes, messages: 1), fault: nil, counted: QuotaUsage(bytes: 500, messages: 1),
        after: nil, action: .corrected, wasReplaced: wasReplaced
      ).lostEntries
    }
    #expect(result(400, wasReplaced: true) && !result(400, wasReplaced: false) && !result(600, wasReplaced: true))
  }
}
