// SPDX-License-Identifier: Apache-2.0
import Configuration
import Posix
import Quota
import Testing
import Text

@testable import Mailboxes

struct AddressKeysTests {
  private func keys(_ address: String, _ delimiters: String = "") -> [String]? {
    AddressKeys(Array(address.utf8), delimiters: Array(delimiters.utf8))?.keys.map {
      String(decoding: $0.text, as: UTF8.self)
    }
  }

  @Test(
    "Keys are folded, in virtual(8)'s order: address, address without extension, @domain",
    arguments: [
      ("User+Ext@Example.ORG", "+", ["user+ext@example.org", "user@example.org", "@example.org"]),
      ("user+ext@d", "", ["user+ext@d", "@d"]), ("u-a+b@d", "+-", ["u-a+b@d", "u@d", "@d"]),
      ("+x@d", "+", ["+x@d", "@d"]),
      ("u+@d", "+", ["u+@d", "u@d", "@d"]), ("owner-list@d", "-", ["owner-list@d", "@d"]),
      ("list-request@d", "-", ["list-request@d", "@d"]), ("postmaster@d", "m", ["postmaster@d", "@d"]),
      ("nodomain", "+", ["nodomain"]), ("a@b@c", "", ["\"a@b\"@c", "a@b@c", "@c"]),
      ("a b+x@d", "+", ["\"a b+x\"@d", "a b+x@d", "\"a b\"@d", "a b@d", "@d"]),
      ("a\"b\\c@d", "", ["\"a\\\"b\\\\c\"@d", "a\"b\\c@d", "@d"]), (".a@d", "", ["\".a\"@d", ".a@d", "@d"]),
      ("ÄÖ@d", "", ["äö@d", "@d"]),
    ])
  func order(address: String, delimiters: String, expected: [String]) {
    #expect(keys(address, delimiters) == expected)
  }

  @Test("An empty local part is looked up as virtual(8) does it, in quotes first")
  func emptyLocalPart() {
    #expect(keys("@d") == ["\"\"@d", "@d"])
    #expect(keys("+x@d", "+") == ["+x@d", "@d"])
  }

  @Test("Every key except the whole address, quoted or not, is partial")
  func partial() {
    let keys = AddressKeys(Array("a b+x@d".utf8), delimiters: [UInt8(ascii: "+")])?.keys
    #expect(keys?.map(\.isPartial) == [false, false, true, true, true])
  }

  @Test(
    "An address that is not UTF-8, or contains NUL, has no keys", arguments: [[0x61, 0xFF, 0x40, 0x64], [0x61, 0]])
  func invalid(address: [UInt8]) {
    #expect(AddressKeys(address, delimiters: []) == nil)
  }
}

struct MailboxLookupTests {
  private func mailbox(_ lines: String, of address: String = "u@d") throws -> Mailbox? {
    let text = "virtual_mailbox_base = /m\nvirtual_mailbox_limit = 500\nmessage_size_limit = 100\n\(lines)\n"
    let settings = try Settings(ConfigurationFile(parsing: Array(text.utf8)))
    return try MailboxLookup(settings).mailbox(
      of: AddressQuery(Array(address.utf8), until: .never), for: Credentials(user: 1000, group: 1000))
  }

  @Test("A mailbox has a path below the base, with the suffix, and limits")
  func found() throws {
    let mailbox = try #require(
      try mailbox(
        "virtual_mailbox_maps = static:/d//u/./\nvirtual_maildir_suffix = Maildir/\n"
          + "virtual_mailbox_limit_maps = static:200\nvirtual_mailbox_message_limit_maps = static:7"))
    #expect(mailbox.components == ["d", "u", "Maildir"])
    #expect(mailbox.quota.limit == QuotaLimit(bytes: 200, messages: 7) && mailbox.quota.source == .own)
  }

  @Test("A path that contains NUL or .. is an error", arguments: ["a\0b/", "../", "a/../b/", "a/.."])
  func badPath(path: String) {
    #expect(throws: MailboxError.self) { try mailbox("virtual_mailbox_maps = static:\(path)") }
  }

  @Test("A limit below message_size_limit is ignored, and the mailbox says so")
  func setAside() throws {
    let mailbox = try mailbox("virtual_mailbox_maps = static:d/\nvirtual_mailbox_limit_maps = static:99")
    #expect(mailbox?.quota == EffectiveLimit(QuotaLimit(bytes: 500), .setAside(99)))
  }

  @Test("The catch-all of a domain is looked up last")
  func catchAll() throws {
    let maps = "virtual_mailbox_maps = inline:{ @d=all/, u@d=u/ }"
    #expect(try mailbox(maps)?.components == ["u"])
    #expect(try mailbox(maps, of: "x@d")?.components == ["all"])
    #expect(try mailbox(maps, of: "u@e") == nil)
  }

  @Test(
    "A mailbox of another or an unknown user is an error",
    arguments: [
      "virtual_uid_maps = static:1001", "virtual_gid_maps = static:0", "virtual_uid_maps = inline:{ x@d=1000 }",
      "virtual_uid_maps = static:vmail",
    ])
  func otherUser(line: String) {
    #expect(throws: MailboxError.self) { try mailbox("virtual_mailbox_maps = static:d/\n\(line)") }
  }
}
