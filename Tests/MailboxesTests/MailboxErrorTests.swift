// SPDX-License-Identifier: Apache-2.0
import Configuration
import Posix
import Quota
import Tables
import TestSupport
import Testing
import Text

@testable import Mailboxes

/// The sentences for what is wrong with a table's answers.
struct MailboxErrorTests {
  private static func lookUp(_ lines: String) throws -> Mailbox? {
    let text = "virtual_mailbox_base = /m\n\(lines)\n"
    let settings = try Settings(ConfigurationFile(parsing: Array(text.utf8)))
    return try MailboxLookup(settings).mailbox(
      of: AddressQuery(Array("u@d".utf8), until: .never), for: Credentials(user: 1000, group: 1001))
  }

  @Test(
    "The sentence names the parameter, what it gave and what is wrong with that",
    arguments: [
      (
        "virtual_mailbox_maps = static:d/u",
        "virtual_mailbox_maps gives \"d/u\": it must end in / (mbox files are not supported)",
        Parameter.virtual_mailbox_maps
      ),
      (
        "virtual_mailbox_maps = static:d/../u/", "virtual_mailbox_maps gives \"d/../u/\": it must not contain ..",
        .virtual_mailbox_maps
      ),
      (
        "virtual_mailbox_maps = static:{d/u/,d/v/}",
        "virtual_mailbox_maps gives \"d/u/,d/v/\": it seems to be several results, joined by commas; correct the query"
          + " or the rows", .virtual_mailbox_maps
      ),
      (
        "virtual_mailbox_maps = static:/./",
        "virtual_mailbox_maps gives \"/./\": it must be below virtual_mailbox_base",
        .virtual_mailbox_maps
      ),
      (
        "virtual_mailbox_maps = static:d/\nvirtual_mailbox_limit_maps = static:10M",
        "virtual_mailbox_limit_maps gives \"10M\", which is not a whole number", .virtual_mailbox_limit_maps
      ),
      (
        "virtual_mailbox_maps = static:d/\nvirtual_mailbox_message_limit_maps = static:1.5",
        "virtual_mailbox_message_limit_maps gives \"1.5\", which is not a whole number",
        .virtual_mailbox_message_limit_maps
      ),
      (
        "virtual_mailbox_maps = static:d/\nvirtual_uid_maps = static:5000",
        "virtual_uid_maps gives 5000, but deliveries run as uid 1000", .virtual_uid_maps
      ),
      (
        "virtual_mailbox_maps = static:d/\nvirtual_uid_maps = inline:{ x@e=1000 }",
        "virtual_uid_maps gives nothing, but deliveries run as uid 1000", .virtual_uid_maps
      ),
      (
        "virtual_mailbox_maps = static:d/\nvirtual_gid_maps = static:5000",
        "virtual_gid_maps gives 5000, but deliveries run as gid 1001", .virtual_gid_maps
      ),
    ])
  func sentences(lines: String, sentence: String, parameter: Parameter) throws {
    let error = #expect(throws: MailboxError.self) { try Self.lookUp(lines) }
    #expect(error?.shown == sentence && error?.parameter == parameter && error?.isTemporary == false)
  }

  @Test("A value that char(n) has filled up with blanks says so", arguments: ["d/u/   ", "10 "])
  func padding(value: String) {
    let errors: [MailboxError] = [
      .badNumber(.virtual_mailbox_limit_maps, Array(value.utf8)), .badPath(Array(value.utf8), "it must end in /"),
    ]
    for error in errors {
      #expect(
        error.shown.hasSuffix(
          "; it ends in blanks, as in a column of type char(n): use rtrim() in the query, or varchar"))
    }
  }

  @Test("A table that cannot be opened is an error of that table")
  func table() throws {
    let error = #expect(throws: MailboxError.self) { try Self.lookUp("virtual_mailbox_maps = texthash:/nonexistent") }
    #expect(error?.shown.contains("/nonexistent") == true && error?.parameter == .virtual_mailbox_maps)
  }

  @Test(
    "The limit is the table's number; a negative one means virtual_mailbox_limit",
    arguments: [
      ("0", 0, EffectiveLimit.Source.own), ("100", 100, .own), ("9223372036854775807", .max, .own),
      ("-1", 500, .fallback),
    ] as [(String, Int64, EffectiveLimit.Source)])
  func limits(value: String, bytes: Int64, source: EffectiveLimit.Source) throws {
    let mailbox = try Self.lookUp(
      "virtual_mailbox_maps = static:d/\nvirtual_mailbox_limit = 500\nmessage_size_limit = 0\n"
        + "virtual_mailbox_limit_maps = static:\(value)")
    #expect(mailbox?.quota == EffectiveLimit(QuotaLimit(bytes: bytes), source))
  }

  @Test("A mailbox of the right user and group is found")
  func rightUser() throws {
    let lines = "virtual_mailbox_maps = static:d/\nvirtual_uid_maps = static:1000\nvirtual_gid_maps = static:1001"
    #expect(try Self.lookUp(lines)?.components == ["d"])
  }

  @Test(
    "The text for senders is the table's; an empty one is none",
    arguments: [("static:{Full, sorry}", "Full, sorry"), ("inline:{ x@d=x }", nil)] as [(String, String?)])
  func limitMessage(table: String, text: String?) throws {
    let lines =
      "virtual_mailbox_base = /m\nvirtual_mailbox_maps = static:d/\n"
      + "virtual_maildir_limit_message_maps = \(table)\n"
    let lookup = MailboxLookup(try Settings(ConfigurationFile(parsing: Array(lines.utf8))))
    #expect(try lookup.limitMessage(for: AddressQuery(Array("u@d".utf8), until: .never))?.text == text)
  }
}
