// SPDX-License-Identifier: Apache-2.0
import Configuration
import Posix
import Tables
import TestSupport
import Testing
import Text

@testable import Aliases

/// Tables made of closures: PostfixAdmin's three queries, files, patterns.
private struct MadeUpTables: AliasSource {
  typealias Table = @Sendable (_ key: String) -> String?

  /// Of virtual_alias_maps, in their order.
  var tables: [Table] = []
  /// Whether a table takes whole addresses only, by its number.
  var patterns: Set<Int> = []
  var canonical: Table = { _ in nil }
  var destinations: Set<String> = []
  var isDown = false

  func row(
    of parameter: Parameter, for key: [UInt8], isPartial: Bool, until deadline: Deadline
  ) throws(TableError) -> AliasRow? {
    guard !isDown else { throw TableError(configuration: "down") }
    let name = TableReference(type: "made-up", name: Array(parameter.rawValue.utf8))
    if parameter != .virtual_alias_maps {
      return canonical(key.text.lowercased()).map { AliasRow(Array($0.utf8), in: name) }
    }
    for (number, table) in tables.enumerated() where !(isPartial && patterns.contains(number)) {
      if let value = table(key.text.lowercased()) { return AliasRow(Array(value.utf8), in: name) }
    }
    return nil
  }

  func contains(_ domain: [UInt8], in parameter: Parameter, until deadline: Deadline) -> Bool {
    parameter == .mydestination && destinations.contains(domain.text.lowercased())
  }
}

/// A recipient becomes what cleanup(8) makes of it.
struct AliasExpanderTests {
  private static let lines = """
    virtual_alias_maps = static:unused
    canonical_maps = static:unused
    recipient_canonical_maps =
    recipient_delimiter = +
    myorigin = mx.example

    """

  private static func settings(_ more: String = "") throws -> AliasSettings {
    try AliasSettings(ConfigurationFile(parsing: Array((lines + more).utf8)))
  }

  /// The addresses separated by blanks, or the failure.
  private static func expand(_ recipient: String, _ tables: MadeUpTables, _ more: String = "") throws -> String {
    let expansion = AliasExpander.expand(Array(recipient.utf8), try settings(more), tables, until: .never)
    return switch expansion.result {
    case .success(let addresses): addresses.map(\.text).joined(separator: " ")
    case .failure(let failure): "\(failure)".prefix { $0 != "(" } + ""
    }
  }

  private static func file(_ rows: [String: String]) -> MadeUpTables { MadeUpTables(tables: [{ rows[$0] }]) }

  /// PostfixAdmin's alias, alias_domain and alias_domain_catchall.
  private static func postfixAdmin(_ rows: [String: String], aliasDomain: [String: String] = [:]) -> MadeUpTables {
    @Sendable func parts(_ key: String) -> (user: String, domain: String)? {
      guard let at = key.lastIndex(of: "@") else { return nil }
      return (String(key[..<at]), String(key[key.index(after: at)...]))
    }
    return MadeUpTables(tables: [
      { rows[$0] },
      { key in
        guard let (user, domain) = parts(key), !user.isEmpty else { return nil }
        return aliasDomain[domain].flatMap { rows["\(user)@\($0)"] }
      },
      { key in parts(key).flatMap { aliasDomain[$0.domain] }.flatMap { rows["@\($0)"] } },
    ])
  }

  private static let own = ["full@d": "full@d", "room@d": "room@d", "full2@d": "full2@d"]

  @Test(
    "Rows of one table, by cleanup(8)'s keys",
    arguments: [
      ("full@d", [:], "full@d"), ("FULL@D", [:], "full@d"), ("full+x@d", [:], "full+x@d"),
      ("a@d", ["a@d": "full@d"], "full@d"), ("a+x@d", ["a@d": "full@d"], "full+x@d"),
      ("a@d", ["a@d": "full@d,x@gmail.com"], "full@d x@gmail.com"),
      ("a@d", ["a@d": "b@d", "b@d": "c@d", "c@d": "full@d"], "full@d"),
      ("a@d", ["a@d": "b@d", "b@d": "a@d"], "loop"), ("a@d", ["a@d": "a@d,full2@d"], "a@d full2@d"),
      ("a@d", ["a@d": "b@d,c@d", "b@d": "full@d", "c@d": "full@d"], "full@d full@d"),
      // The catch-all leads back to a, but d has been finished meanwhile.
      ("b@d", ["@d": "a@d", "a@d": "d@d", "d@d": "e@d,d@d"], "d@d d@d"),
      ("nobody@d", ["@d": "full@d"], "full@d"), ("nobody@d", [:], "nobody@d"),
      ("full@d2", ["@d2": "@d"], "full@d"), ("full+x@d2", ["@d2": "@d"], "full+x@d"),
      ("u+x@d2", ["u@d2": "@d"], "u+x@d"), ("u+x@d2", ["u@d2": "@e,y@e"], "u@e,y+x@e"),
      ("a@d", ["a@d": " <full@d> ,\tfull2@d"], "full@d full2@d"), ("a@d", ["a@d": "full@d full2@d"], "full@d full2@d"),
      ("a@d", ["a@d": "@other.example,full@d"], "a@other.example,full@d"),
      ("a@d", ["a@d": "full@d,root"], "full@d root@mx.example"),
      ("a@d", ["a@d": ""], "emptyValue"), ("a@d", ["a@d": ", ,"], "emptyValue"),
      ("a b@d", ["\"a b\"@d": "full@d"], "full@d"), ("a b+x@d", ["\"a b\"@d": "full@d"], "full+x@d"),
      ("postmaster+x@d", ["postmaster@d": "full@d"], "full+x@d"),
      ("full", [:], "full@mx.example"), ("full%d", [:], "full@d"), ("d!full", [:], "full@d"),
      ("full@d.", [:], "full@d"), ("full@[192.0.2.1]", [:], "notUnderstood"),
      ("@x:full@d", [:], "notUnderstood"), ("a@d", ["a@d": "Fritz <full@d>"], "notUnderstood"),
      ("a@d", ["a@d": "(x) full@d"], "notUnderstood"), ("a@d", ["a@d": "x:full@d;"], "notUnderstood"),
      ("a@d", ["a@d": "\"full@d"], "notUnderstood"), ("a@d", ["a@d": "<full@d"], "notUnderstood"),
      ("a@d", ["a@d": "<full@d>full2@d"], "full@d full2@d"), ("a@d", ["a@d": "<>"], "notUnderstood"),
      ("a@d", ["a@d": "<full@d,full2@d>"], "notUnderstood"), ("a@d", ["a@d": "<x full@d>"], "notUnderstood"),
      ("a@d", ["a@d": "<<full@d>"], "notUnderstood"), ("a@d", ["a@d": "<full@d>>"], "notUnderstood"),
      ("a@d", ["a@d": "full@d>"], "notUnderstood"), ("a@d", ["a@d": "> full@d"], "notUnderstood"),
      ("a@d", ["a@d": "full@d > full2@d"], "notUnderstood"),
      ("a@d", ["a@d": "\"full\"@d"], "full@d"), ("a@d", ["a@d": "\"x\\\"y\"@d"], "x\"y@d"),
      ("a@d", ["a@d": "full@d."], "full@d"), ("a@d", ["a@d": "full . x @ d"], "full.x@d"),
      ("a@d", ["a@d": "@"], "a@"), ("ä@d", ["ä@d": "full@d"], "full@d"),
      ("a", ["a@mx.example": "full@d"], "full@d"),
    ] as [(String, [String: String], String)])
  func keys(recipient: String, rows: [String: String], result: String) throws {
    #expect(try Self.expand(recipient, Self.file(Self.own.merging(rows) { $1 })) == result)
  }

  @Test(
    "An alias domain by PostfixAdmin's queries: the catch-all's sees the whole address first",
    arguments: [
      ([:], "full@ad", "full@d"), ([:], "full+x@ad", "full+x@d"), (["@d": "room@d"], "full+x@ad", "room@d"),
      (["@d": "full2@d"], "room+x@ad", "full2@d"), (["@d": "room@d"], "full@ad", "full@d"),
    ] as [([String: String], String, String)])
  func aliasDomain(rows: [String: String], recipient: String, result: String) throws {
    let tables = Self.postfixAdmin(Self.own.merging(rows) { $1 }, aliasDomain: ["ad": "d"])
    #expect(try Self.expand(recipient, tables) == result)
  }

  @Test("A table of patterns sees whole addresses only, and each key goes to all tables before the next")
  func patterns() throws {
    var tables = MadeUpTables(tables: [{ $0 == "full@d" ? "room@d" : nil }, { Self.own[$0] }])
    tables.patterns = [0]
    #expect(try Self.expand("full+x@d", tables) == "full+x@d")
    #expect(try Self.expand("full@d", tables) == "room@d")
    let both = MadeUpTables(tables: [{ ["a@d": "one@d"][$0] }, { ["a+x@d": "two@d"][$0] }])
    #expect(try Self.expand("a+x@d", both) == "two@d")
  }

  @Test("owner-list and list-request are not split at a hyphen, unless owner_request_special says so")
  func ownerRequest() throws {
    let tables = Self.file([
      "owner@d": "room@d", "list@d": "room@d", "@d": "full@d", "room@d": "room@d", "full@d": "full@d",
    ])
    #expect(try Self.expand("owner-l@d", tables, "recipient_delimiter = -") == "full@d")
    #expect(try Self.expand("List-Request@d", tables, "recipient_delimiter = -") == "full@d")
    #expect(
      try Self.expand("owner-l@d", tables, "recipient_delimiter = -\nowner_request_special = no") == "room-l@d")
  }

  @Test("The user name alone is a key in myorigin and mydestination only")
  func localPart() throws {
    var tables = Self.file(["root": "full@d"])
    tables.destinations = ["here.example"]
    #expect(try Self.expand("root", tables) == "full@d")
    #expect(try Self.expand("root+x@MX.example", tables) == "full+x@d")
    #expect(try Self.expand("root@here.example", tables, "mydestination = here.example") == "full@d")
    #expect(try Self.expand("root@d", tables, "mydestination = here.example") == "root@d")
  }

  @Test("Canonical addresses come first, at most ten in a row, with their extension unless it is not propagated")
  func canonical() throws {
    var tables = Self.file(Self.own)
    tables.canonical = { ["old@d": "full@d"][$0] }
    #expect(try Self.expand("old@d", tables) == "full@d")
    #expect(try Self.expand("old+x@d", tables) == "full+x@d")
    #expect(try Self.expand("old+x@d", tables, "propagate_unmatched_extensions =") == "full@d")
    tables.canonical = { key in key.hasSuffix("@n") ? "\((Int(key.dropLast(2)) ?? 0) + 1)@n" : nil }
    #expect(try Self.expand("0@n", tables) == "10@n")
  }

  @Test("Extensions are put back as propagate_unmatched_extensions says")
  func propagation() throws {
    #expect(try Self.expand("a+x@d", Self.file(["a@d": "full@d"]), "propagate_unmatched_extensions =") == "full@d")
    #expect(
      try Self.expand("a+x@d", Self.file(["a@d": "full@d"]), "propagate_unmatched_extensions = canonical") == "full@d")
  }

  @Test("Host names are completed if append_dot_mydomain says so")
  func hostNames() throws {
    #expect(try Self.expand("u@host", MadeUpTables()) == "u@host")
    #expect(
      try Self.expand("u@host", MadeUpTables(), "append_dot_mydomain = yes\nmydomain = example") == "u@host.example")
    #expect(try Self.expand("u@host", MadeUpTables(), "append_dot_mydomain = yes") == "unknownDomain")
    #expect(try Self.expand("u", MadeUpTables(), "myorigin =") == "unknownDomain")
    // myorigin has its dots.
    #expect(
      try Self.expand("u", MadeUpTables(), "append_dot_mydomain = yes\nmydomain = example") == "u@mx.example")
    #expect(try Self.expand("full%d", MadeUpTables(), "allow_percent_hack = no") == "full%d@mx.example")
    #expect(try Self.expand("d!full", MadeUpTables(), "swap_bangpath = no") == "d!full@mx.example")
  }

  @Test("Where Postfix defers, so is the answer unknown: limits, a table that is down")
  func limits() throws {
    let many = (0..<1001).map { "u\($0)@x" }.joined(separator: ",")
    #expect(try Self.expand("a@d", Self.file(["a@d": many])) == "tooMany")
    #expect(try Self.expand("a@d", Self.file(["a@d": many]), "virtual_alias_expansion_limit = 1001") != "tooMany")
    let long = String(repeating: "x", count: 999) + "@d"
    #expect(try Self.expand("a@d", Self.file(["a@d": long])) == "tooLong")
    let chain = MadeUpTables(tables: [{ key in "\((Int(key.dropLast(2)) ?? 0) + 1)@n" }])
    #expect(try Self.expand("0@n", chain) == "tooDeep")
    #expect(try Self.expand("a@d", MadeUpTables(isDown: true)) == "table")
  }

  @Test("The steps say which key of which table led where")
  func steps() throws {
    let expansion = AliasExpander.expand(
      Array("A+x@d".utf8), try Self.settings(), Self.file(["a@d": "b@d, c"]), until: .never)
    let step = try #require(expansion.steps.first)
    #expect(step.parameter == .virtual_alias_maps && step.key.text == "A@d" && step.row?.value.text == "b@d, c")
    #expect(step.results.map(\.text) == ["b+x@d", "c+x@mx.example"])
  }

  @Test("Whatever a table or a client says, an expansion ends, and what it gives is UTF-8 with a domain")
  func noise() throws {
    let settings = try Self.settings()
    let pieces = [
      "a", "@", "d", ".", ",", " ", "<", ">", "\"", "\\", "(", ")", ":", ";", "%", "!", "+", "a@d", "ä", "[", "]",
    ]
    var understood = 0
    for text in Noise(pieces) {
      let value = String(decoding: text, as: UTF8.self)
      let expansions = [
        AliasExpander.expand(text, settings, Self.file([:]), until: .never),
        AliasExpander.expand(Array("x@x".utf8), settings, Self.file(["x@x": value]), until: .never),
      ]
      for case .success(let addresses) in expansions.map(\.result) {
        understood += 1
        #expect(addresses.allSatisfy { $0.contains(UInt8(ascii: "@")) && String(validating: $0, as: UTF8.self) != nil })
      }
    }
    #expect(understood > 1000)
  }
}
