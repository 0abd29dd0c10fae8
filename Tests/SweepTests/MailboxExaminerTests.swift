// SPDX-License-Identifier: Apache-2.0
import Configuration
import Foundation
import Maildir
import Posix
import Quota
import Tables
import TestSupport
import Testing
import Text

@testable import Sweep

/// What a worker does with one Maildir, without the process around it.
struct MailboxExaminerTests {
  private let sandbox: Sandbox

  init() throws {
    sandbox = try Sandbox()
    try sandbox.makeMaildir("m")
    try sandbox.write("m/cur/a,S=300:2,S", "")
    try sandbox.write("m/new/b,S=200", "")
  }

  private func report(
    _ work: MailboxTask.Work, limit: QuotaLimit? = QuotaLimit(bytes: 1000), rule: CountingRule = CountingRule(),
    components: [Path] = ["m"], suspectTime: Int64? = nil
  ) throws -> MailboxReport {
    let base = try #require(Path(sandbox.path.utf8))
    let task = MailboxTask(base: base, components: components, limit: limit, work: work, suspectTime: suspectTime)
    // A worker runs as the owner of the Maildir.
    return Credentials(user: UInt32(MailUser.id), group: UInt32(MailUser.group)).acting {
      var examiner = MailboxExaminer(rule: rule, names: UniqueName(host: Array("host".utf8)))
      return examiner.report(on: task)
    }
  }

  private func shell(_ commands: String) throws {
    try Command.check(["sh", "-ec", "cd \(sandbox("m")); \(commands)"], asMailUser: true)
  }

  private var ledger: String? { sandbox.text("m/maildirsize") }

  @Test("Without work, the ledger and the permissions are read, and nothing is written")
  func look() throws {
    try sandbox.write("m/maildirsize", "900S\n400 1\n")
    try shell("chmod 777 cur; touch maildirfolder")
    let report = try report([])
    #expect(report.state == .examined && report.isInspected && report.repair == nil)
    #expect(report.usage == QuotaUsage(bytes: 400, messages: 1) && report.headerLimit == QuotaLimit(bytes: 900))
    #expect(!report.isOurs && report.hasFolderMark && report.ledgerModified != nil)
    #expect(report.rightsFaults == [RightsFault(.cur, .writableByAll(mode: 0o777))])
    #expect(ledger == "900S\n400 1\n")
  }

  @Test("A mailbox that was changed since the clean point is counted, whatever the level")
  func suspect() throws {
    try sandbox.write("m/maildirsize", "1000S\n500 2\n")
    let now = Timestamp.now.seconds
    let report = try report(.synchronize, suspectTime: now - 60)
    #expect(
      report.isSuspect && report.isSynchronized && report.synchronizedDevice != nil
        && report.repair?.counted == QuotaUsage(bytes: 500, messages: 2))
    let other = try self.report(.synchronize, suspectTime: now + 60)
    #expect(!other.isSuspect && other.repair == nil)
    #expect(try !self.report([]).isSuspect)
  }

  @Test("A count compares; only repair writes")
  func count() throws {
    try sandbox.write("m/maildirsize", "1000S\n400 1\n")
    #expect(try report(.count).repair?.action == .corrected)
    #expect(ledger == "1000S\n400 1\n")
    #expect(try report([.count, .repair]).repair?.after == QuotaUsage(bytes: 500, messages: 2))
    #expect(ledger == "1000S\n400 1\n100 1\n")
  }

  @Test("With force a total that is too high is replaced although the mailbox was just in use")
  func force() throws {
    try sandbox.write("m/maildirsize", "1000S\n900 9\n")
    #expect(try report([.count, .repair]).repair?.action == .busy)
    #expect(try report([.count, .repair, .force]).repair?.action == .replaced)
    #expect(ledger == "1000S\n 500 2\n")
  }

  @Test(
    "A suspicious ledger is a reason to count; a sound one is none",
    arguments: [
      ("1000S\n500 2\n", false), ("1000S\n9 9\n", false), ("1000S\n2000 9\n", true), ("900S\n500 2\n", true),
      ("1000S\nx\n", true), ("1000S\n500 0\n", true), (nil, true), ("0S\n500 2\n", true),
    ] as [(String?, Bool)])
  func odd(text: String?, isCounted: Bool) throws {
    if let text {
      try sandbox.write("m/maildirsize", text)
      try Command.check(["touch", "-d", "-1 hour", sandbox("m/maildirsize")])
    }
    let report = try report(.countIfOdd)
    #expect((report.repair != nil) == isCounted && ledger == text)
  }

  @Test("A mailbox without a limit needs no ledger, so a missing one is not odd")
  func oddWithoutLimit() throws {
    #expect(try report(.countIfOdd, limit: QuotaLimit.none).repair == nil)
    try sandbox.write("m/maildirsize", "0S\nx\n")
    #expect(try report(.countIfOdd, limit: QuotaLimit.none).repair != nil)
  }

  @Test("Without a given limit, the one in the ledger is kept; without both, the mailbox says what to give")
  func limit() throws {
    try sandbox.write("m/maildirsize", "700S\nx\n")
    #expect(try report([.count, .repair], limit: nil).state == .examined)
    #expect(ledger == "700S\n 500 2\n")
    try shell("rm maildirsize")
    #expect(
      try report([.count, .repair], limit: nil).state
        == .failed("its limit is unknown, and maildirsize has none to keep; with --maildir, --limit sets one"))
    #expect(ledger == nil)
    // Without a count no limit is needed.
    #expect(try report([.countIfOdd, .cleanTmp], limit: nil).state == .examined)
  }

  @Test("Where only the inbox counts, there is no ledger to keep")
  func inboxOnly() throws {
    let report = try report([.count, .repair], rule: CountingRule(inboxOnly: true))
    #expect(report.state == .examined && report.repair == nil && ledger == nil)
  }

  @Test("Sizes in names are compared with the files if asked for")
  func sizes() throws {
    let report = try report([.count, .checkSizes])
    #expect(report.wrongSizes == 2 && report.wrongSizeExample.hasSuffix(": 0 bytes"))
    #expect(try self.report(.count).wrongSizes == 0)
  }

  @Test("A folder that cannot be read makes the report incomplete")
  func unreadable() throws {
    try shell("mkdir -p .A/cur .A/new; chmod 0 .A")
    let report = try report(.count)
    try shell("chmod 700 .A")
    #expect(report.unreadable == [".A/new", ".A/cur"] && report.isIncomplete && report.state == .examined)
    #expect(report.repair?.counted == QuotaUsage(bytes: 500, messages: 2))
  }

  @Test(
    "What an error means for the mailbox",
    arguments: [
      ("rm -r cur", MailboxReport.State.broken("there is no cur in it")),
      ("rm -r new", .broken("there is no new in it")),
      ("rm -r cur; ln -s new cur", .broken("symlink inside the Maildir: cur")),
      ("rm -r new; touch new", .broken("not a directory: new")),
      ("mkdir maildirsize", .broken("maildirsize is a directory; remove it, and the next delivery creates the file")),
    ])
  func errors(commands: String, state: MailboxReport.State) throws {
    try shell(commands)
    #expect(try report(.count).state == state)
  }

  @Test("A directory that an IMAP server has made before the first mail is no Maildir yet, whatever else is in it")
  func unmade() throws {
    try shell("rm -r cur new; echo 1000S > maildirsize; mkdir -p .Sent/cur")
    #expect(try report([.count, .repair]).state == .absent)
    #expect(ledger == "1000S\n")
  }

  @Test("A Maildir that is not there is absent; one that someone else owns is foreign")
  func absent() throws {
    #expect(try report(.count, components: ["none"]).state == .absent)
    #expect(try report(.count, components: ["none", "m"]).state == .absent)
    #expect(MailboxExaminer.state(for: .wrongOwner(5)) == .foreign(5))
  }

  @Test(
    "Errors of the moment are failures, which a later run may not meet",
    arguments: [
      (MaildirError.countUnfinished, "it could not be counted: it kept changing, or took too long"),
      (.replaced, "the Maildir was replaced in the meantime"),
      (
        .system(SystemError(.openat, "cur".utf8, Errno.ENOENT)),
        "it vanished in the meantime (openat cur: No such file or directory)"
      ),
      (.system(SystemError(.openat, "cur".utf8, EIO)), "openat cur: Input/output error"),
      (.ledgerUnsteady, "another program kept replacing maildirsize"),
    ])
  func failures(error: MaildirError, sentence: String) throws {
    #expect(MailboxExaminer.state(for: error) == .failed(sentence))
  }

  @Test("A domain called cur is no part of a Maildir")
  func misleadingName() {
    // A domain may be called like a part of a Maildir.
    #expect(MailboxExaminer.state(for: .missing(Array("cur".utf8))) == .absent)
    #expect(MailboxExaminer.state(for: .missingPart(Array("cur".utf8))) == .broken("there is no cur in it"))
  }
}
