// SPDX-License-Identifier: Apache-2.0
import Configuration
import Foundation
import Posix
import Quota
import TestSupport
import Testing
import Text

@testable import Policy
@testable import PolicyServer

/// A site with mailboxes `full`, `full2`, `room`, `free` (no limit) and others, and what is decided there.
struct RecipientJudgeTests {
  private let sandbox: Sandbox

  private static let mailboxes = ["full", "full2", "room", "free", "new"]

  init() throws {
    sandbox = try Sandbox()
    for name in Self.mailboxes.dropLast() { try sandbox.makeMaildir("base/\(name)") }
    try sandbox.write("base/full/maildirsize", "1000S\n 1000 2\n")
    try sandbox.write("base/full2/maildirsize", "1000S\n 1001 2\n")
    try sandbox.write("base/room/maildirsize", "1000S\n 600 2\n")
    try sandbox.makeDirectory("base/empty")
  }

  private func text(_ rows: [String: String], _ more: String) throws -> String {
    let own = Dictionary(uniqueKeysWithValues: Self.mailboxes.map { ("\($0)@d", "\($0)@d") })
    let lines = own.merging(rows) { $1 }.filter { !$0.value.isEmpty }.map { "\($0) \($1)\n" }.joined()
    try sandbox.write("aliases", lines)
    let maps = Self.mailboxes.map { "\($0)@d=\($0)/" }.joined(separator: " ")
    return """
      virtual_mailbox_base = \(sandbox("base"))
      virtual_mailbox_maps = inline:{ \(maps) }
      virtual_mailbox_limit_maps = inline:{ free@d=0 }
      virtual_mailbox_limit = 1000
      virtual_mailbox_limit_override = yes
      virtual_mailbox_domains = d, d2
      virtual_alias_maps = texthash:\(sandbox("aliases"))
      virtual_minimum_uid = 1
      policy_uncounted_domains = vac
      recipient_delimiter = +
      myorigin = mx.example
      mydestination =
      lookup_cache_time = 0
      \(more)

      """
  }

  private func judge(_ rows: [String: String] = [:], _ more: String = "", records: Bool = true) throws -> RecipientJudge
  {
    let file = ConfigurationFile(parsing: Array(try text(rows, more).utf8))
    let user = Credentials(user: MailUser.id, group: MailUser.group)
    return RecipientJudge(try Settings(file), try PolicySettings(file), as: user, records: records)
  }

  private func decide(
    _ recipient: String, _ rows: [String: String] = [:], _ more: String = "", size: Int64 = 0
  ) throws -> PolicyRule.Decision {
    try judge(rows, more).judge(Array(recipient.utf8), size: size, until: Deadline(secondsFromNow: 30)).decision
  }

  private static let refused = PolicyRule.Decision.full(.full)

  @Test(
    "A recipient is refused if all its targets are full mailboxes of ours, and only then",
    arguments: [
      ("full@d", [:], refused), ("FULL@D", [:], refused), ("full+x@d", [:], refused), ("room@d", [:], .pass),
      ("free@d", [:], .pass), ("new@d", [:], .pass), ("a@d", ["a@d": "full@d"], refused),
      ("a+x@d", ["a@d": "full@d"], refused), ("a@d", ["a@d": "full@d,room@d"], .pass),
      ("a@d", ["a@d": "full@d,full2@d"], refused), ("a@d", ["a@d": "full@d,x@gmail.com"], .pass),
      ("full@d", ["full@d": "full@d,full#d@vac"], refused), ("full@d", ["full@d": "full#d@vac"], .pass),
      ("full@d", ["full@d": "x@gmail.com"], .pass),
      ("a@d", ["a@d": "b@d", "b@d": "c@d", "c@d": "full@d"], refused), ("a@d", ["a@d": "b@d", "b@d": "a@d"], .pass),
      ("a@d", ["a@d": "a@d,full2@d"], .pass), ("a@d", ["a@d": "b@d,c@d", "b@d": "full@d", "c@d": "full@d"], refused),
      ("nobody@d", ["@d": "full@d"], refused), ("nobody@d", [:], .pass),
      ("full@d", ["full@d": "", "@d": "room@d"], .pass),
      ("full@d2", ["@d2": "@d"], refused), ("full+x@d2", ["@d2": "@d"], refused),
      ("a@d", ["a@d": " <full@d> ,\tfull2@d"], refused), ("a@d", ["a@d": "@other.example,full@d"], .pass),
      ("a@d", ["a@d": "full@d,root"], .pass), ("a b@d", ["\"a b\"@d": "full@d"], refused),
      ("postmaster+x@d", ["postmaster@d": "full@d"], refused), ("full", [:], .pass), ("full%d", [:], refused),
      ("full@[192.0.2.1]", [:], .pass), ("full@backup.example", [:], .pass), ("full@d.", [:], refused),
      ("a@d", ["a@d": "full@d,full+x@d"], refused), ("\u{0}@d", [:], .pass),
    ] as [(String, [String: String], PolicyRule.Decision)])
  func targets(recipient: String, rows: [String: String], decision: PolicyRule.Decision) throws {
    #expect(try decide(recipient, rows) == decision)
  }

  @Test("A thousand targets are too many, for Postfix and for us")
  func manyTargets() throws {
    let many = (0..<1001).map { "full+\($0)@d" }.joined(separator: ",")
    #expect(try decide("a@d", ["a@d": many]) == .pass)
    #expect(try decide("a@d", ["a@d": (0..<1000).map { "full+\($0)@d" }.joined(separator: ",")]) == Self.refused)
  }

  @Test("With policy_rule = any one full target is enough, also beside another host's")
  func anyRule() throws {
    let any = "policy_rule = any"
    #expect(try decide("a@d", ["a@d": "full@d,room@d"], any) == Self.refused)
    #expect(try decide("a@d", ["a@d": "x@gmail.com,full@d"], any) == Self.refused)
    #expect(try decide("a@d", ["a@d": "x@gmail.com,room@d"], any) == .pass)
    #expect(try decide("room@d", [:], any) == .pass)
  }

  @Test("virtual_overquota_bounce makes it 552 5.2.2")
  func bounce() throws {
    #expect(try decide("full@d", [:], "virtual_overquota_bounce = yes") == .full(.fullForGood))
  }

  @Test("An announced size counts less its slack: beside what is there, and alone against the whole limit")
  func sizes() throws {
    #expect(try decide("room@d", size: 400) == .pass && decide("room@d", size: 425) == .pass)
    #expect(try decide("room@d", size: 427) == Self.refused)
    #expect(try decide("room@d", size: 1064) == .full(.full))
    #expect(try decide("room@d", size: 1066) == .tooLarge && decide("full@d", size: 1066) == .tooLarge)
    #expect(try decide("free@d", size: .max) == .pass)
    #expect(try decide("room@d", [:], "policy_size_slack = 100", size: .max) == .pass)
    #expect(try decide("room@d", [:], "policy_size_slack = 0", size: 401) == Self.refused)
    // Two of different limits: too small for the one, full beside the other's messages.
    let limits = "virtual_mailbox_limit_maps = inline:{ full@d=5000 }"
    try sandbox.write("base/full/maildirsize", "5000S\n 4500 2\n")
    #expect(try decide("a@d", ["a@d": "full@d,full2@d"], limits, size: 2000) == Self.refused)
    #expect(try decide("a@d", ["a@d": "full@d,full2@d"], limits, size: 9000) == .tooLarge)
  }

  @Test("A total that was not counted lately is counted first, and a new count is kept in maildirsize")
  func recounts() throws {
    try Command.check(["touch", "-d", "1 hour ago", sandbox("base/full/maildirsize")])
    #expect(try decide("full@d") == .pass)
    #expect(sandbox.text("base/full/maildirsize") == "1000S\n 0 0\n")
    try sandbox.write("base/full2/maildirsize", "1000S\n1 1\n2000 1\n")
    try sandbox.write("base/full2/cur/1,S=1500", "x")
    let judgement = try judge().judge(Array("full2@d".utf8), size: 0, until: Deadline(secondsFromNow: 30))
    #expect(judgement.decision == Self.refused)
    guard case .full(let usage, let counted)? = judgement.targets.first?.state else {
      Issue.record("\(judgement.targets)")
      return
    }
    #expect(usage == QuotaUsage(bytes: 1500, messages: 1) && counted.isWithin(seconds: 10))
    #expect(sandbox.text("base/full2/maildirsize") == "1000S\n 1500 1\n")
  }

  @Test("Whoever only looks counts too, and writes nothing")
  func looks() throws {
    try sandbox.write("base/full2/maildirsize", "1000S\n1 1\n2000 1\n")
    try sandbox.write("base/full2/cur/1,S=1500", "x")
    let judgement = try judge(records: false).explain(
      Array("full2@d".utf8), size: 0, until: Deadline(secondsFromNow: 30))
    #expect(judgement.decision == Self.refused && sandbox.text("base/full2/maildirsize") == "1000S\n1 1\n2000 1\n")
  }

  @Test("What cannot be counted in time passes, until another program has counted it")
  func countsInTime() throws {
    try sandbox.write("base/full/maildirsize", "1000S\n1 1\n2000 1\n")
    let judge = try judge([:], "policy_recount_time = 0")
    func judgement() -> Judgement { judge.judge(Array("full@d".utf8), size: 0, until: Deadline(secondsFromNow: 30)) }
    for _ in 0..<2 { #expect(judgement().reason == .uncounted) }
    try sandbox.write("base/full/maildirsize", "1000S\n1000 1\n")
    #expect(judgement().decision == Self.refused)
  }

  @Test("While another process counts a mailbox, its mail passes at once")
  func countedByAnother() throws {
    try sandbox.write("base/full/maildirsize", "1000S\n1 1\n2000 1\n")
    let holder = try Command(["flock", "-x", sandbox("base/full/cur"), "sh", "-c", "echo locked; cat"], input: .pipe)
    _ = try waitUntil("the lock") {
      try Command.run(["flock", "-n", "-x", sandbox("base/full/cur"), "true"]).status == 0 ? nil : ()
    }
    let start = ContinuousClock.now
    let judge = try judge()
    func decision() -> PolicyRule.Decision {
      judge.judge(Array("full@d".utf8), size: 0, until: Deadline(secondsFromNow: 30)).decision
    }
    #expect(decision() == .pass)
    #expect(ContinuousClock.now - start < .seconds(2))
    _ = holder.wait()
    // And right after that its result is used.
    try sandbox.write("base/full/maildirsize", "1000S\n 1000 2\n")
    #expect(decision() == Self.refused)
  }

  @Test("A changed ledger is noticed, though the service remembers the last one")
  func notices() throws {
    let judge = try judge([:], "lookup_cache_time = 1h")
    func decision() -> PolicyRule.Decision {
      judge.judge(Array("room@d".utf8), size: 0, until: Deadline(secondsFromNow: 30)).decision
    }
    #expect(decision() == .pass)
    try sandbox.write("base/room/maildirsize", "1000S\n 1000 2\n")
    #expect(decision() == Self.refused)
    try sandbox.write("base/room/maildirsize", "1000S\n 999 2\n")
    #expect(decision() == .pass)
  }

  @Test("Before a refusal the tables are queried again, whatever is remembered")
  func forgetsBeforeRefusing() throws {
    let server = try MadeUpServer { request in
      (netstring(request.hasPrefix("a full@d") ? "OK full@d" : "NOTFOUND "), false)
    }
    let judge = try judge([:], "lookup_cache_time = 1h\nvirtual_alias_maps = socketmap:unix:\(server.path):a")
    func decision() -> PolicyRule.Decision {
      judge.judge(Array("full@d".utf8), size: 0, until: Deadline(secondsFromNow: 30)).decision
    }
    #expect(decision() == Self.refused)
    server.answer { _ in (netstring("OK room@d"), false) }
    #expect(decision() == .pass)
    // And now the route that lets it pass is remembered.
    server.answer { _ in (netstring("OK full@d"), false) }
    #expect(decision() == .pass)
  }

  @Test("A table that is down, and any other trouble, lets the message pass, and says what is wrong")
  func trouble() throws {
    let down = "virtual_alias_maps = socketmap:unix:/nowhere:x"
    let judgement = try judge([:], down).judge(Array("full@d".utf8), size: 0, until: Deadline(secondsFromNow: 30))
    #expect(judgement.decision == .pass && judgement.reason == .table)
    #expect(judgement.trouble?.text.contains("virtual_alias_maps: socketmap:unix:/nowhere:x: ") == true)
    for (line, reason) in [
      ("virtual_mailbox_limit_maps = inline:{ full@d=10M }", Judgement.Reason.trouble),
      ("virtual_uid_maps = static:4711", .foreign), ("virtual_mailbox_domains = socketmap:unix:/nowhere:x", .trouble),
      ("virtual_mailbox_domains = other", .elsewhere), ("mydestination = d", .elsewhere),
      ("virtual_mailbox_maps = inline:{ full@d=../full/ }", .trouble), ("virtual_mailbox_base = /nowhere", .trouble),
    ] {
      let judgement = try judge([:], line).judge(Array("full@d".utf8), size: 0, until: Deadline(secondsFromNow: 30))
      #expect(judgement.decision == .pass && judgement.reason == reason, "\(line)")
    }
  }

  @Test("Another user's Maildir says nothing", .takesRoot)
  func foreign() throws {
    try Command.check(["chown", "4711", sandbox("base/full")])
    try Command.check(["chmod", "755", sandbox("base/full")])
    let judgement = try judge().judge(Array("full@d".utf8), size: 0, until: Deadline(secondsFromNow: 30))
    #expect(judgement.decision == .pass && judgement.reason == .foreign)
  }

  @Test("Nor is a message too large for another user's mailbox, or for one that is not there", .takesRoot)
  func foreignTooSmall() throws {
    #expect(try decide("full@d", size: 5000) == .tooLarge)
    #expect(try decide("new@d", size: 5000) == .pass)
    try Command.check(["chown", "4711", sandbox("base/full")])
    try Command.check(["chmod", "755", sandbox("base/full")])
    #expect(try decide("full@d", size: 5000) == .pass)
    let usage = "policy_usage_maps = static:1000\npolicy_usage_is_live = yes"
    #expect(try decide("full@d", [:], usage, size: 5000) == .pass)
  }

  @Test("A Maildir that no mail has reached yet has room")
  func unmade() throws {
    let maps = "virtual_mailbox_maps = inline:{ full@d=empty/ }"
    #expect(try decide("full@d", [:], maps) == .pass && decide("new@d") == .pass)
  }

  @Test(
    "SQL usage is an estimate: 452 only, and only if it is live or its time is known",
    arguments: [
      ("1000", "yes", PolicyRule.Decision.full(.full)), ("1000", "no", .pass), ("999", "yes", .pass),
      ("1000,5", "yes", .full(.full)), ("1000,5,NOW", "no", .full(.full)), ("1000,5,1000000", "no", .pass),
      ("1000,5,99999999999", "no", .pass), ("1000,5,1000000", "yes", .full(.full)), ("10M", "yes", .pass),
      ("", "yes", .pass), ("1,2,3,4", "yes", .pass), ("1000,,5", "yes", .pass),
    ])
  func estimates(value: String, isLive: String, decision: PolicyRule.Decision) throws {
    // An MX without the mailboxes.
    let now = "\(Int(Date().timeIntervalSince1970))"
    try sandbox.write("usage", "full@d \(value.isEmpty ? "x" : value.replacing("NOW", with: now))\n")
    let lines = """
      virtual_mailbox_base = /nowhere
      virtual_overquota_bounce = yes
      policy_usage_maps = texthash:\(sandbox("usage"))
      policy_usage_is_live = \(isLive)
      """
    #expect(try decide("full+x@d", [:], lines) == decision)
    // A size does not matter beside an estimate, but alone.
    #expect(try decide("room@d", [:], lines, size: 500) == .pass)
    #expect(try decide("room@d", [:], lines, size: 5000) == .tooLarge)
  }

  @Test("Where there is a ledger, SQL is not asked")
  func ledgerFirst() throws {
    let lines = "policy_usage_maps = static:0\npolicy_usage_is_live = yes"
    #expect(try decide("full@d", [:], lines) == Self.refused)
    try Command.check(["rm", sandbox("base/full/maildirsize")])
    #expect(try decide("full@d", [:], lines) == .pass)
    #expect(try decide("full@d", [:], lines.replacing("static:0", with: "static:1000")) == Self.refused)
  }

  @Test("An explanation has every target, and the same decision")
  func explains() throws {
    let judge = try judge(["a@d": "room@d,full@d,full+x@d,x@gmail.com,y@vac"])
    let explained = judge.explain(Array("a@d".utf8), size: 0, until: Deadline(secondsFromNow: 30))
    #expect(explained.targets.map(\.address.text) == ["room@d", "full@d", "full+x@d", "x@gmail.com", "y@vac"])
    #expect(explained.targets.map(\.ruling) == [.other, .full(isEstimate: false), .uncounted, .other, .uncounted])
    #expect(explained.decision == .pass)
  }
}
