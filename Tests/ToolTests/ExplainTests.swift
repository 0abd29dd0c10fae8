// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// `ullage explain` on a small site.
struct ExplainTests {
  private let host: MailHost

  init() throws {
    host = try MailHost()
    for name in ["full", "room"] { try host.sandbox.makeMaildir("base/\(name)") }
    try host.sandbox.write("base/full/maildirsize", "1000S\n 1000 2\n")
    try host.sandbox.write("base/room/maildirsize", "1000S\n 10 1\n")
    try host.sandbox.write(
      "aliases", "sales@d team@d\nteam@d full@d, room@d\nfull@d full@d,full#d@vac\nloop@d loop2@d\nloop2@d loop@d\n")
    try host.configure(
      """
      virtual_mailbox_limit = 1000
      virtual_mailbox_domains = d
      virtual_alias_maps = texthash:\(host.sandbox("aliases"))
      virtual_maildir_limit_message = It is full.
      recipient_delimiter = +
      myorigin =
      mydestination =
      policy_uncounted_domains = vac
      """, maps: "inline:{ full@d=full/ room@d=room/ }")
  }

  @Test("The way of an address, its mailboxes and the answer fit on one screen")
  func text() throws {
    let ending = try host.ullage("explain", "full+x@d", "--size=2K")
    let text = ending.output.replacing(#/counted \d+ s ago/#, with: "counted N s ago")
      .replacing(host.sandbox.path, with: "/site")
    #expect(
      text == """
        full+x@d, a message of 2.0 KiB (2,048 bytes)
          full+x@d -> full+x@d, full#d+x@vac
              virtual_alias_maps: full@d in texthash:/site/aliases is "full@d,full#d@vac"

          full+x@d
            Maildir   /site/base/full
            limit     1000 B (1,000 bytes), from virtual_mailbox_limit
            verdict   the message is larger than its whole limit

          full#d+x@vac
            verdict   does not count: its domain is in policy_uncounted_domains

        Refused: 552 5.2.2 The message is larger than the recipient's mailbox can hold.
        The only mailbox that it would go to is full, or too small for it.

        """)
    #expect(ending.status == 1 && ending.errors == "")
  }

  @Test("The status is 0 for what is not refused, 1 for what is; the reason names the target")
  func reasons() throws {
    for (address, status, reason) in [
      ("full@d", 1, "The only mailbox that it would go to is full"),
      ("sales@d", 0, "room@d: it has room. For the full"),
      ("none@d", 0, "none@d: no such mailbox"),
      ("x@gmail.com", 0, "x@gmail.com: not a mailbox of ours: its domain is not in"),
      ("loop@d", 0, "aliases lead back to it, so Postfix defers"), ("full", 0, "has no complete domain; set myorigin"),
    ] {
      let ending = try host.ullage("explain", address)
      #expect(ending.status == status && ending.output.contains(reason), "\(address): \(ending)")
    }
  }

  @Test("JSON has the same, for programs")
  func json() throws {
    let ending = try host.ullage("explain", "sales@d", "--format=json")
    let object = try #require(try JSONSerialization.jsonObject(with: Data(ending.output.utf8)) as? [String: Any])
    #expect(object["decision"] as? String == "pass" && object["code"] == nil)
    let targets = try #require(object["targets"] as? [[String: Any]])
    #expect(targets.map { $0["state"] as? String } == ["full", "room", "uncounted-domain"])
    #expect(targets[0]["used_bytes"] as? Int == 1000 && targets[0]["age"] as? Int != nil)
    #expect((object["steps"] as? [[String: Any]])?.count == 3)
  }

  @Test("Control characters in an address or a table do not reach the terminal")
  func controlCharacters() throws {
    let ending = try host.ullage("explain", "a\u{1B}[31m@d")
    #expect(ending.status == 0 && !ending.output.contains("\u{1B}"), "\(ending)")
  }

  @Test("As root it looks as the user of the mailboxes, and leaves nothing of its own behind", .takesRoot)
  func root() throws {
    try host.sandbox.write("base/full/maildirsize", "1000S\n1 1\n2000 1\n")
    let ending = try host.ullage("explain", "full@d", "--user=nobody", asMailUser: false)
    #expect(ending.status == 0 && ending.output.contains("full@d: it has room."), "\(ending)")
    #expect(host.sandbox.text("base/full/maildirsize") == "1000S\n1 1\n2000 1\n")
    let unknown = try host.ullage("explain", "full@d", "--user=no-such-user", asMailUser: false)
    #expect(unknown.status == 64 && unknown.errors.contains("there is no user no-such-user"), "\(unknown)")
  }

  @Test("A mistake in the policy service's parameters is reported with its line")
  func mistake() throws {
    try host.configure("policy_rule = most\nmyorigin =\nmydestination =\nvirtual_alias_maps =")
    let ending = try host.ullage("explain", "full@d")
    #expect(ending.status == 78 && ending.errors.contains("line 6: policy_rule must be one of all, any"), "\(ending)")
  }
}
