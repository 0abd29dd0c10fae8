// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Posix
import Quota
import Site
import Sweep
import TestSupport
import Testing

@testable import Check

/// Where the domains of listed mailboxes are sent.
struct RouteCheckTests {
  private let sandbox: Sandbox

  init() throws { sandbox = try Sandbox() }

  private func findings(
    _ addresses: [String], transport: String, master: String = SiteFixture.master
  ) throws -> [Finding] {
    let fixture = try SiteFixture(main: "transport_maps = \(transport)\n", master: master, sandbox: sandbox)
    let rows = addresses.map {
      MailboxRow(address: Array($0.utf8), path: [], quota: EffectiveLimit(.none, .given))
    }
    return RouteCheck(postfix: fixture.postfix, entries: EntryCheck.entries(in: fixture.postfix)).findings(of: rows)
  }

  @Test(
    "A domain that another transport takes has no quota; one that nobody takes has no mail",
    arguments: [
      ("a.example=ullage:", []), ("a.example=virtual:", []), ("a.example=:[10.0.0.1]", []), ("z.example=smtp:", []),
      ("a.example=smtp:[10.0.0.1]", ["warning no-mail a domain with mailboxes uses the transport smtp (a.example)"]),
      (
        "a.example=smtp:, b.example=smtp:",
        ["warning no-mail 2 domains with mailboxes use the transport smtp (a.example)"]
      ),
      (
        "a.example=smtp:, b.example=lmtp:x",
        [
          "warning no-mail a domain with mailboxes uses the transport lmtp (b.example)",
          "warning no-mail a domain with mailboxes uses the transport smtp (a.example)",
        ]
      ),
    ])
  func routes(table: String, lines: [String]) throws {
    #expect(
      try findings(["u@a.example", "v@a.example", "u@b.example"], transport: "inline:{ \(table) }").lines == lines)
  }

  @Test("What the transport is for says whether mail is lost to the quota or deferred")
  func reasons() throws {
    let missing = try findings(["u@a"], transport: "inline:{ a=nosuch: }").first
    #expect(missing?.reason == "master.cf has no such transport: mail is deferred")
    #expect(missing?.remedy == .advice("set ullage: for them in the table"))
    let other = "other unix - - n - - smtp\n"
    let present = try findings(["u@a"], transport: "inline:{ a=other: }", master: SiteFixture.master + other).first
    #expect(present?.reason == "it overrides virtual_transport: no quota applies")
  }

  @Test("A table that cannot be listed may lead to the LMTP service; without a destination mail is deferred")
  func lmtp() throws {
    let entry = "ullage_lmtp unix - - n - - lmtp flags=ORX\n"
    let table =
      "inline:{ a=ullage_lmtp:unix:private/ullage-lmtp, b=ullage_lmtp:inet:192.0.2.1:24, c=ullage_lmtp:, d=smtp:x }"
    let master = SiteFixture.master + entry
    // What is known without the table.
    let before = try SiteFixture(main: "", master: master, sandbox: sandbox).postfix
    let known = try LMTPEntries(before, Survey(before.path), nil).find()
    let fixture = try SiteFixture(main: "transport_maps = \(table)\n", master: master, sandbox: sandbox)
    let rows = ["u@a", "u@b", "u@c", "u@d"].map {
      MailboxRow(address: Array($0.utf8), path: [], quota: EffectiveLimit(.none, .given))
    }
    let check = RouteCheck(
      postfix: fixture.postfix, entries: EntryCheck.entries(in: fixture.postfix), lmtp: known)
    let found = check.findings(of: rows)
    #expect(
      found.lines == [
        "warning no-mail a domain with mailboxes uses the transport smtp (d)",
        "error no-mail a domain with mailboxes uses the transport ullage_lmtp (c)",
      ])
    #expect(found.last?.reason == "without a destination lmtp(8) looks for a server elsewhere: mail is deferred")
  }

  @Test("A table that does not answer is no evidence, and no domain is looked up without a table")
  func silent() throws {
    #expect(try findings(["u@a"], transport: "texthash:/nonexistent").lines == [])
    #expect(try findings(["u@a"], transport: "").lines == [])
    #expect(try findings([], transport: "inline:{ a=smtp: }").lines == [])
  }
}
