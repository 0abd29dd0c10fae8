// SPDX-License-Identifier: Apache-2.0
import Configuration
import Posix
import Quota
import Tables
import TestSupport
import Testing
import Text

@testable import Mailboxes

/// Lookups with a lookup service before, or behind, the tables themselves.
struct AddressLookupTests {
  private static func settings(_ lines: String) throws -> Settings {
    try Settings(ConfigurationFile(parsing: Array("virtual_mailbox_base = /m\n\(lines)\n".utf8)))
  }

  private static var query: AddressQuery { AddressQuery(Array("User@D".utf8), until: Deadline(secondsFromNow: 60)) }

  private static let tables = "virtual_mailbox_maps = inline:{ user@d=table/ }\n"

  @Test("The service is asked for the folded address under the parameter's name, and its answer is the value")
  func service() throws {
    let server = try MadeUpServer { _ in (netstring("OK service/"), false) }
    let lookup = AddressLookup(try Self.settings("\(Self.tables)lookup_socket = \(server.path)"))
    #expect(try lookup.value(of: .virtual_mailbox_maps, for: Self.query)?.text == "service/")
    #expect(server.requests == ["virtual_mailbox_maps user@d"] && lookup.serviceFailure == nil)
  }

  @Test("What is fetched together is asked for once, and each answer is its parameter's, also if one is a failure")
  func fetched() throws {
    let server = try MadeUpServer { request in
      (netstring(request.hasPrefix("virtual_mailbox_maps ") ? "OK service/" : "TEMP down"), false)
    }
    let lookup = AddressLookup(
      try Self.settings(
        "\(Self.tables)virtual_mailbox_limit_maps = static:5\nlookup_socket = \(server.path)"))
    let parameters: [Parameter] = [.virtual_mailbox_maps, .virtual_uid_maps, .virtual_mailbox_limit_maps]
    lookup.fetch(parameters, for: Self.query)
    #expect(server.requests == ["virtual_mailbox_maps user@d", "virtual_mailbox_limit_maps user@d"])
    #expect(try lookup.value(of: .virtual_mailbox_maps, for: Self.query)?.text == "service/")
    #expect(throws: TableError.self) { try lookup.value(of: .virtual_mailbox_limit_maps, for: Self.query) }
    #expect(server.requests.count == 2)
    // What was fetched is given once, and for its own address.
    lookup.fetch([.virtual_mailbox_maps], for: Self.query)
    let other = AddressQuery(Array("other@d".utf8), until: Deadline(secondsFromNow: 60))
    #expect(try lookup.value(of: .virtual_mailbox_maps, for: other)?.text == "service/")
    #expect(server.requests.suffix(2) == ["virtual_mailbox_maps user@d", "virtual_mailbox_maps other@d"])
  }

  @Test("A service that cannot be asked fails once for all that was fetched, and is skipped with lookup_fallback")
  func fetchFails() throws {
    let server = try MadeUpServer { _ in ("garbage", true) }
    let lookup = AddressLookup(
      try Self.settings("\(Self.tables)lookup_socket = \(server.path)\nlookup_fallback = yes"))
    lookup.fetch([.virtual_mailbox_maps], for: Self.query)
    let count = server.requests.count
    #expect(try lookup.value(of: .virtual_mailbox_maps, for: Self.query)?.text == "table/")
    #expect(server.requests.count == count && lookup.serviceFailure != nil)
  }

  @Test("What the service does not know is not found: the tables are not asked behind its back")
  func notFound() throws {
    let server = try MadeUpServer { _ in (netstring("NOTFOUND "), false) }
    let lookup = AddressLookup(
      try Self.settings("\(Self.tables)lookup_socket = \(server.path)\nlookup_fallback = yes"))
    #expect(try lookup.value(of: .virtual_mailbox_maps, for: Self.query) == nil)
  }

  @Test("With lookup_fallback a failed service is skipped from then on, and the reason is kept")
  func fallback() throws {
    let server = try MadeUpServer { _ in (netstring("TEMP database is down"), false) }
    let lookup = AddressLookup(
      try Self.settings("\(Self.tables)lookup_socket = \(server.path)\nlookup_fallback = yes"))
    for _ in 0..<3 { #expect(try lookup.value(of: .virtual_mailbox_maps, for: Self.query)?.text == "table/") }
    #expect(server.requests.count == 1)
    #expect(lookup.serviceFailure?.contains("database is down") == true)
  }

  @Test("Without lookup_fallback its failure is an error")
  func noFallback() throws {
    let server = try MadeUpServer { _ in (netstring("TEMP database is down"), false) }
    let lookup = AddressLookup(
      try Self.settings("\(Self.tables)lookup_socket = \(server.path)\nlookup_fallback = no"))
    let error = #expect(throws: TableError.self) { try lookup.value(of: .virtual_mailbox_maps, for: Self.query) }
    #expect(error?.kind == .temporary && error?.shown.contains("database is down") == true)
  }

  @Test("With prefersTables, the service is asked only if the tables fail")
  func prefersTables() throws {
    let server = try MadeUpServer { _ in (netstring("OK service/"), false) }
    let sound = AddressLookup(
      try Self.settings("\(Self.tables)lookup_socket = \(server.path)"), prefersTables: true)
    #expect(try sound.value(of: .virtual_mailbox_maps, for: Self.query)?.text == "table/")
    #expect(server.requests == [])
    let broken = AddressLookup(
      try Self.settings("virtual_mailbox_maps = texthash:/nonexistent\nlookup_socket = \(server.path)"),
      prefersTables: true)
    for _ in 0..<2 { #expect(try broken.value(of: .virtual_mailbox_maps, for: Self.query)?.text == "service/") }
    #expect(server.requests.count == 2)
  }

  @Test("A parameter without a table has no value, and nobody is asked")
  func noTable() throws {
    let server = try MadeUpServer { _ in (netstring("OK 5"), false) }
    let lookup = AddressLookup(try Self.settings("\(Self.tables)lookup_socket = \(server.path)"))
    #expect(try lookup.value(of: .virtual_mailbox_limit_maps, for: Self.query) == nil)
    #expect(server.requests == [])
  }

  @Test("A deadline is cut, never extended")
  func within() {
    let query = AddressQuery([], until: Deadline(secondsFromNow: 60))
    #expect(query.within(seconds: 10).deadline < query.deadline)
    #expect(query.within(seconds: 100).deadline == query.deadline)
  }
}
