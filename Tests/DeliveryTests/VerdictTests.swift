// SPDX-License-Identifier: Apache-2.0
import Configuration
import Foundation
import Posix
import Quota
import TestSupport
import Testing
import Text

@testable import Delivery
@testable import Mailboxes
@testable import Maildir
@testable import Tables

struct VerdictTests {
  /// The text for the sender.
  private static func text(_ verdict: Verdict) -> [UInt8] {
    switch verdict {
    case .delivered: []
    case .refused(_, let text), .deferred(_, let text): text
    }
  }

  @Test("Only two codes are permanent, and only they begin with 5 (RFC 3463)")
  func codes() {
    for code in Verdict.StatusCode.allCases where code != .delivered {
      #expect(Verdict.trouble(code).code == code)
      if case .deferred = Verdict.trouble(code) {} else { Issue.record("trouble that is not temporary: \(code)") }
    }
    #expect(Verdict.noSuchMailbox.code == .noSuchMailbox)
    #expect(Verdict.overQuota([], isPermanent: true).code == .overQuotaForGood)
    #expect(Verdict.overQuota([], isPermanent: false).code == .overQuota)
    #expect(
      Verdict.StatusCode.allCases.filter { $0.rawValue.hasPrefix("5") } == [.noSuchMailbox, .overQuotaForGood])
  }

  @Test("The configured text has VDA's prefix, no control characters, and at most 400 bytes")
  func text() {
    #expect(
      Self.text(.overQuota(Array("full\r\nX: y\u{7F}".utf8), isPermanent: true)).text
        == "maildir delivery failed: full??X: y?")
    let prefix = "maildir delivery failed: ".utf8.count
    for (character, kept) in [("a", 400), ("ü", 400), ("日", 399), ("😀", 400)] {
      let text = Self.text(.overQuota(Array(String(repeating: character, count: 500).utf8), isPermanent: false))
      #expect(text.count == prefix + kept && String(validating: text, as: UTF8.self) != nil, "\(character)")
    }
  }

  @Test(
    "Each error defers, with the code that says whose turn it is",
    arguments: [
      (.mailbox(.table(TableError(configuration: "x"))), .badConfiguration),
      (.mailbox(.table(TableError(.temporary, "t", "x"))), .systemProblem),
      (.mailbox(.badPath([], "x")), .badConfiguration),
      (.mailbox(.badNumber(.virtual_uid_maps, [])), .badConfiguration),
      (.mailbox(.otherUser(.virtual_uid_maps, 1, 2)), .badConfiguration),
      (.maildir(.baseMissing, []), .badConfiguration), (.maildir(.wrongOwner(0), []), .badConfiguration),
      (.maildir(.countUnfinished, []), .systemProblem),
      (.maildir(.possibleDuplicate(because: .replaced), []), .systemProblem),
      (.maildir(.system(SystemError(.write, [], ENOSPC)), []), .storageFull),
      (.maildir(.system(SystemError(.write, [], EDQUOT)), []), .storageFull),
      (.maildir(.system(SystemError(.open, [], EACCES)), []), .badConfiguration),
      (.maildir(.system(SystemError(.open, [], EROFS)), []), .badConfiguration),
      (.maildir(.system(SystemError(.write, [], EIO)), []), .systemProblem),
      (.maildir(.system(SystemError(.deadline, [], ETIMEDOUT)), []), .systemProblem),
      (.input(SystemError(.read, [], EIO)), .systemProblem), (.emptyInput, .systemProblem), (.inputCut, .systemProblem),
      (.largerThanSizeLimit(10), .badConfiguration), (.notInTime, .systemProblem),
    ] as [(DeliveryError, Verdict.StatusCode)])
  func errors(error: DeliveryError, code: Verdict.StatusCode) {
    #expect(error.verdict == .trouble(code))
    #expect(!error.sentence.isEmpty)
    // The sender learns no path and no cause.
    #expect(!Self.text(error.verdict).text.contains("/"))
  }

  @Test("The sentence for the log names the Maildir, the cause and the remedy")
  func sentences() {
    #expect(
      DeliveryError.maildir(.ledgerIsDirectory, ["example.org", "you"]).shown.hasPrefix("example.org/you/: ")
        && DeliveryError.maildir(.ledgerIsDirectory, []).shown.hasSuffix(
          "; remove it, and the next delivery creates the file")
    )
    #expect(
      DeliveryError.input(SystemError(.read, [], ETIMEDOUT)).shown
        == "the message did not arrive within delivery_time_limit")
  }
}

/// The line in the mail log.
struct DeliveryLogTests {
  private static func outcome(
    _ answer: DeliveryAgent.Outcome.Answer, _ size: Int64?, used: Int64? = nil
  ) -> DeliveryAgent.Outcome {
    DeliveryAgent.Outcome(answer, size, used.map { QuotaUsage(bytes: $0, messages: 3) })
  }

  @Test(
    "The fields say what is known, and no more",
    arguments: [
      (.delivered, 5, 105, QuotaLimit(bytes: 1000), "size=5 used=105 limit=1000"),
      (.largerThanLimit, 2000, nil, QuotaLimit(bytes: 1000), "size>=2000 limit=1000"),
      (.overQuota, nil, 999, QuotaLimit(bytes: 1000), "used=999 limit=1000"),
      (.delivered, 5, nil, .none, "size=5 limit=0"),
      (.overQuota, 5, 10, QuotaLimit(bytes: 0, messages: 3), "size=5 used=10 limit=0 messages=3 message_limit=3"),
      (.delivered, 5, nil, QuotaLimit(bytes: 0, messages: 3), "size=5 limit=0 message_limit=3"),
    ] as [(DeliveryAgent.Outcome.Answer, Int64?, Int64?, QuotaLimit, String)])
  func fields(
    answer: DeliveryAgent.Outcome.Answer, size: Int64?, used: Int64?, limit: QuotaLimit, fields: String
  ) {
    #expect(DeliveryLog.fields(Self.outcome(answer, size, used: used), limit).joined(separator: " ") == fields)
  }

  @Test(
    "The word for the outcome",
    arguments: [
      (.delivered, .delivered, "sent"), (.noSuchMailbox, .delivered, "refused (over quota)"),
      (.overQuota([], isPermanent: true), .overQuota, "refused (over quota)"),
      (.overQuota([], isPermanent: true), .largerThanLimit, "refused (larger than the limit)"),
      (.overQuota([], isPermanent: false), .overQuota, "deferred (over quota)"),
      (.overQuota([], isPermanent: false), .seemsFull, "deferred (over quota)"),
    ] as [(Verdict, DeliveryAgent.Outcome.Answer, String)])
  func status(verdict: Verdict, answer: DeliveryAgent.Outcome.Answer, word: String) {
    #expect(DeliveryLog.Status(verdict, answer).rawValue == word)
  }

  @Test("A line has the queue id, the addresses, the fields, the code and the word; each warning has its own")
  func line() throws {
    let sandbox = try Sandbox()
    let received = try LogReceiver(sandbox("log"))
    let log = DeliveryLog(SystemLog(socket: Array(sandbox("log").utf8), name: Array("ullage".utf8)))
    log.write(
      .delivered,
      Recipient(
        address: Array("you@example.org".utf8), addressExtension: nil, originalAddress: Array("me\n@example.org".utf8),
        queueID: Array("4Abc".utf8), queueSize: Array("612".utf8)), .sent, fields: ["size=5", "limit=0"],
      warnings: [Array("look at this".utf8)])
    log.write(
      .noSuchMailbox,
      Recipient(
        address: Array("you@example.org".utf8), addressExtension: nil, originalAddress: Array("you@example.org".utf8),
        queueID: [], queueSize: []), .refused)
    #expect(
      received.lines() == [
        "4Abc: to=<you@example.org>, orig_to=<me\\012@example.org>, queue_size=612, size=5, limit=0, dsn=2.0.0,"
          + " status=sent",
        "4Abc: warning: look at this", "to=<you@example.org>, dsn=5.1.1, status=refused",
      ])
  }
}
