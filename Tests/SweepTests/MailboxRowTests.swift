// SPDX-License-Identifier: Apache-2.0
import Configuration
import Quota
import Testing

@testable import Sweep

/// A row of the list becomes a mailbox and its faults.
struct MailboxRowTests {
  private static let limits = "virtual_mailbox_limit_maps = static:0\nmessage_size_limit = 0\n"

  private static func settings(_ lines: String) throws -> Settings {
    try Settings(
      ConfigurationFile(
        parsing: Array("virtual_mailbox_base = /m\nvirtual_mailbox_maps = static:x/\n\(lines)".utf8)))
  }

  private static func row(_ columns: [String?], _ lines: String = limits) throws -> MailboxRow {
    MailboxRow(columns.map { $0.map { Array($0.utf8) } }, try settings(lines))
  }

  @Test("A row with an address, a path and a limit is sound, and its limit is its own")
  func sound() throws {
    let row = try Self.row(["a@b.org", "b.org/a/", "1000"])
    #expect(row.isSound && row.name == "a@b.org" && row.pathText == "b.org/a/")
    #expect(row.quota == EffectiveLimit(QuotaLimit(bytes: 1000), .own))
  }

  @Test("A limit of messages counts only where deliveries look it up")
  func messages() throws {
    let maps = "virtual_mailbox_message_limit_maps = static:0\n"
    #expect(try Self.row(["a", "p/", "1000", "7"], Self.limits + maps).limit == QuotaLimit(bytes: 1000, messages: 7))
    #expect(try Self.row(["a", "p/", "1000", "7"]).limit == QuotaLimit(bytes: 1000))
  }

  @Test(
    "What is wrong with a row is a fault of that row",
    arguments: [
      ([nil, "p/", "1"], [MailboxRow.Fault.null(.address)]), (["a", nil, "1"], [.null(.path)]),
      (["a", "p/", nil], [.null(.limit)]), (["a", "p/"], [.null(.limit)]),
      (["a", "p/", "-1"], [.negative(-1)]), (["a", "p/", "10M"], [.notANumber("10M")]),
      (["a", "p/", ""], [.notANumber("")]),
      (["a", "p/", "99999999999999999999"], [.notANumber("99999999999999999999")]),
      ([nil, nil, nil], [.null(.address), .null(.path), .null(.limit)]),
    ] as [([String?], [MailboxRow.Fault])])
  func faults(columns: [String?], faults: [MailboxRow.Fault]) throws {
    let row = try Self.row(columns)
    #expect(row.faults == faults)
    #expect(!row.isSound)
  }

  @Test("A limit that deliveries do not look up is a fault, unless it is the one they use anyway")
  func unused() throws {
    #expect(try Self.row(["a", "p/", "1000"], "virtual_mailbox_limit = 5000\n").faults == [.unused(1000)])
    #expect(try Self.row(["a", "p/", "5000"], "virtual_mailbox_limit = 5000\n").isSound)
    #expect(try Self.row(["a", "p/", "1000"], "virtual_mailbox_limit = 5000\n").limit == QuotaLimit(bytes: 5000))
  }

  @Test("A limit below message_size_limit is set aside, as a delivery does it")
  func setAside() throws {
    let row = try Self.row(
      ["a", "p/", "1000"],
      "virtual_mailbox_limit_maps = static:0\nmessage_size_limit = 2000\nvirtual_mailbox_limit = 5000\n")
    #expect(row.faults == [.setAside(1000)])
    #expect(row.quota == EffectiveLimit(QuotaLimit(bytes: 5000), .setAside(1000)))
  }

  @Test(
    "A limit that is no number is unknown, and no other takes its place", arguments: ["10000000S", "104857600.00", ""])
  func unreadable(limit: String) throws {
    let row = try Self.row(["a", "p/", limit])
    #expect(row.quota == .unreadable && row.knownLimit == nil && row.limit == .none)
    // Where deliveries do not look limits up, the list's do not matter.
    #expect(try Self.row(["a", "p/", limit], "virtual_mailbox_limit = 5000\n").knownLimit == QuotaLimit(bytes: 5000))
    let maps = "virtual_mailbox_message_limit_maps = static:0\n"
    #expect(try Self.row(["a", "p/", "1000", limit], Self.limits + maps).knownLimit == nil)
    #expect(try Self.row(["a", "p/", nil]).knownLimit != nil, "NULL means virtual_mailbox_limit, as for a delivery")
  }

  @Test(
    "Capitals in an address are noticed, those of ASCII and others",
    arguments: [
      ("a@b.org", false), ("A@b.org", true), ("a@B.org", true), ("ä@b.org", false), ("Ä@b.org", true),
    ])
  func capitals(address: String, hasCapitals: Bool) throws {
    #expect(try Self.row([address, "p/", "1"]).hasCapitals == hasCapitals)
  }

  @Test(
    "A path that begins with the base is a fault, however it is written",
    arguments: [
      ("m/b.org/a/", true), ("/m/b.org/a/", true), ("//m//b.org/a/", true), ("mm/b.org/a/", false),
      ("b.org/m/", false),
    ])
  func repeatedBase(path: String, isRepeated: Bool) throws {
    #expect(try Self.row(["a@b.org", path, "1"]).faults == (isRepeated ? [.repeatsBase] : []))
  }

  @Test("A row without an address is named by its path")
  func name() throws {
    #expect(try Self.row([nil, "b.org/a/", "1"]).name == "b.org/a/")
    #expect(try Self.row(["a\u{1B}[31m", "p/", "1"]).name.contains("\u{1B}") == false)
  }
}
