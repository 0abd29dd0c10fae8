// SPDX-License-Identifier: Apache-2.0
import Foundation
import Posix
import Quota
import TestSupport
import Testing

@testable import Maildir

/// Repairing the ledger of a mailbox that was just in use.
struct RepairTests {
  private let sandbox: Sandbox

  init() throws {
    sandbox = try Sandbox()
    try sandbox.makeMaildir("m")
    try sandbox.write("m/cur/a,S=300:2,S", "")
    try sandbox.write("m/cur/b,S=200:2,S", "")
  }

  private func repair(
    _ ledger: String?, _ mode: RepairMode = [], rule: CountingRule = CountingRule(),
    limit: QuotaLimit = QuotaLimit(bytes: 1000)
  ) throws -> RepairResult {
    if let ledger { try sandbox.write("m/maildirsize", ledger) }
    let maildir = try Maildir.open(
      base: try #require(Path(sandbox.path.utf8)), components: ["m"], owner: UInt32(MailUser.id))
    var mailbox = OpenMailbox(
      maildir, limit: limit, rule: rule, names: UniqueName(host: Array("host".utf8)), countTimeLimit: 60, until: .never)
    return try mailbox.repair(mode)
  }

  private var ledger: String? { sandbox.text("m/maildirsize") }
  private static let counted = QuotaUsage(bytes: 500, messages: 2)

  @Test("A right ledger is left alone", arguments: [[], RepairMode.force, .dryRun, [.dryRun, .force]])
  func exact(mode: RepairMode) throws {
    let result = try repair("1000S\n500 2\n", mode)
    #expect(
      result
        == RepairResult(
          before: Self.counted, fault: nil, counted: Self.counted, after: Self.counted, action: .exact,
          wasReplaced: true))
    #expect(ledger == "1000S\n500 2\n")
  }

  @Test("A total that is too low is raised by an appended line, even while the mailbox is in use")
  func tooLow() throws {
    let result = try repair("1000S\n400 1\n")
    #expect(result.action == .corrected && result.after == Self.counted && result.cause == .replaced)
    #expect(ledger == "1000S\n400 1\n100 1\n")
  }

  @Test("A total that is too high stays: another program may be about to publish what it has recorded")
  func tooHigh() throws {
    let result = try repair("1000S\n900 4\n")
    #expect(result.action == .busy && result.after == QuotaUsage(bytes: 900, messages: 4) && result.cause == .unknown)
    #expect(ledger == "1000S\n900 4\n")
  }

  @Test("Of a total that is too high in one number and too low in the other, the low one is raised")
  func mixed() throws {
    let result = try repair("1000S\n900 1\n")
    #expect(result.action == .raised && result.after == QuotaUsage(bytes: 900, messages: 2))
    #expect(ledger == "1000S\n900 1\n0 1\n")
  }

  @Test("With force it is replaced by the count")
  func force() throws {
    let result = try repair("1000S\n900 4\n", .force)
    #expect(result.action == .replaced && result.after == Self.counted && ledger == "1000S\n 500 2\n")
  }

  @Test(
    "A dry run says what it would do, and does nothing",
    arguments: [
      ("1000S\n400 1\n", RepairResult.Action.corrected), ("1000S\n900 4\n", .busy), ("1000S\nx\n", .replaced),
    ])
  func dryRun(text: String, action: RepairResult.Action) throws {
    let result = try repair(text, .dryRun)
    #expect(result.action == action && ledger == text)
  }

  @Test(
    "An invalid ledger is replaced, and the cause is the damage",
    arguments: [
      ("1000S\n5", DriftCause.damaged(.torn)), ("1000S\nx\n", .damaged(.badEntry)), ("", .damaged(.empty)),
      ("0S\n500 2\n", nil),
    ] as [(String, DriftCause?)])
  func invalid(text: String, cause: DriftCause?) throws {
    let result = try repair(text)
    #expect(result.before == nil && result.action == .replaced && result.cause == cause)
    #expect(ledger == "1000S\n 500 2\n")
  }

  @Test("A missing ledger is created")
  func missing() throws {
    let result = try repair(nil)
    #expect(result.fault == .missing && result.cause == nil && ledger == "1000S\n 500 2\n")
  }

  @Test("A directory in its place is an error that says so")
  func directory() throws {
    try sandbox.makeDirectory("m/maildirsize")
    #expect(throws: MaildirError.ledgerIsDirectory) { try repair(nil) }
  }

  @Test(
    "Where the total is what another way of counting gives, that is the cause",
    arguments: [
      // Without the message c, which has the flag T; with the trash; with the folder in a folder.
      ("500 2", DriftCause.trashedMessages), ("610 4", .trash), ("604 4", .profile(.exim)), ("1000 9", .unknown),
    ])
  func causes(total: String, cause: DriftCause) throws {
    try sandbox.write("m/cur/c,S=100:2,ST", "")
    try sandbox.write("m/.Trash/cur/d,S=10", "")
    try sandbox.write("m/.A/.B/cur/e,S=4", "")
    let rule = CountingRule(uncountedFolders: [Array(".Trash".utf8)])
    #expect(try repair("9000S\n\(total)\n", .dryRun, rule: rule, limit: .none).cause == cause)
  }

  @Test(
    "The limit is corrected with the total; another program's only if asked to at once",
    arguments: [
      ("900S\n 500 2\n", [], "1000S\n 500 2\n0 0\n"), ("900S\n500 2\n", [], "900S\n500 2\n"),
      ("900S\n500 2\n", .limitAtOnce, "1000S\n 500 2\n0 0\n"),
      ("900S\n500 2\n", [.limitAtOnce, .dryRun], "900S\n500 2\n"),
    ] as [(String, RepairMode, String)])
  func limit(text: String, mode: RepairMode, expected: String) throws {
    #expect(try repair(text, mode).action == .exact)
    #expect(ledger == expected)
  }

  @Test("A file of ours that was restored from a backup is marked as not counted")
  func restored() throws {
    try sandbox.write("m/maildirsize", "1000S\n 500 2\n")
    try Command.check(["touch", "-d", "-1 day", sandbox("m/maildirsize")])
    #expect(try repair(nil).action == .exact)
    #expect(ledger == "1000S\n 500 2\n0 0\n")
  }

  @Test(
    "Each cause has a name for programs and a sentence for people",
    arguments: [
      (DriftCause.profile(.courier), "profile:courier", "exactly what courier counts; see maildir_count_profile"),
      (.trash, "trash", "exactly the messages in the trash; see virtual_trash_count"),
      (
        .unsized, "unsized-messages",
        "exactly the messages without a size in their names: virtual(8) or another program delivered them"
      ),
      (.trashedMessages, "trashed-messages", "exactly the messages with flag T, which Courier leaves out"),
      (.damaged(.torn), "damaged-lines", "maildirsize was torn, with an incomplete last line"),
      (.unknown, "unknown", "cause unknown"),
    ])
  func sentences(cause: DriftCause, name: String, sentence: String) {
    #expect(cause.name == name && cause.sentence == sentence)
  }
}
