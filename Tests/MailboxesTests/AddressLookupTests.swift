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

  private static let query = AddressQuery(Array("User@D".utf8), until: Deadline(secondsFromNow: 60))

  private static let tables = "virtual_mailbox_maps = inline:{ user@d=table/ }\n"

  @Test("The service is asked for the folded address under the parameter's name, and its answer is the value")
  func service() throws {
    let server = try MadeUpServer { _ in (netstring("OK service/"), false) }
    let lookup = AddressLookup(try Self.settings("\(Self.tables)lookup_socket = \(server.path)"))
    #expect(try lookup.value(of: .virtual_mailbox_maps, for: Self.query)?.text == "service/")
    #expect(server.requests == ["virtual_mailbox_maps user@d"] && lookup.serviceFailure == nil)
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

  @Test("Whoever prefers the tables asks the service only when they fail")
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
        "virtual_mailbox_maps = static:d/\nvirtual_gid_maps = static:5000",
        "virtual_gid_maps gives 5000, but deliveries run as gid 1001", .virtual_gid_maps
      ),
    ])
  func sentences(lines: String, sentence: String, parameter: Parameter) throws {
    let error = #expect(throws: MailboxError.self) { try Self.lookUp(lines) }
    #expect(error?.shown == sentence && error?.parameter == parameter && error?.isTemporary == false)
  }

  @Test("A table that cannot be opened is an error of that table")
  func table() throws {
    let error = #expect(throws: MailboxError.self) { try Self.lookUp("virtual_mailbox_maps = texthash:/nonexistent") }
    #expect(error?.shown.contains("/nonexistent") == true && error?.parameter == .virtual_mailbox_maps)
  }

  @Test(
    "Limits of a table, as numbers of any notation that is one",
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

/// ullage.cf as a file.
struct SettingsFileTests {
  private func read(_ text: String) throws -> SettingsFile {
    let sandbox = try Sandbox()
    try sandbox.write("ullage.cf", text)
    return SettingsFile(sandbox("ullage.cf"))
  }

  @Test("The settings of a sound file, and where it logs")
  func sound() throws {
    let file = try read("virtual_mailbox_base = /m\nvirtual_mailbox_maps = static:x/\nlog_socket = /run/log\n")
    #expect(try file.settings.get().mailboxBase.text == "/m" && file.logSocket.text == "/run/log")
  }

  @Test("An error names the file and the line; the log socket of a broken file is used all the same")
  func broken() throws {
    let sandbox = try Sandbox()
    try sandbox.write("ullage.cf", "log_socket = /run/log\nvirtual_mailbox_base = /m\nvirtual_mailbox_limit = ten\n")
    let file = SettingsFile(sandbox("ullage.cf"))
    let error = #expect(throws: SettingsError.self) { try file.settings.get() }
    #expect(error?.shown.hasPrefix("\(sandbox("ullage.cf")), line 3: ") == true, "\(error?.shown ?? "")")
    #expect(file.logSocket.text == "/run/log")
  }

  @Test("A missing file is an error that says which option names another; its log goes where it goes by default")
  func missing() {
    let file = SettingsFile("/nonexistent/ullage.cf")
    let error = #expect(throws: SettingsError.self) { try file.settings.get() }
    #expect(error?.shown == "open /nonexistent/ullage.cf: No such file or directory; see --config")
    #expect(file.logSocket.text == "/dev/log")
  }

  @Test("A file that is closed to us is an error that says who must be able to read it")
  func unreadable() throws {
    let sandbox = try Sandbox()
    try sandbox.write("ullage.cf", "", mode: 0)
    let mailUser = Credentials(user: UInt32(MailUser.id), group: UInt32(MailUser.group))
    let file = mailUser.acting { SettingsFile(sandbox("ullage.cf")) }
    let error = #expect(throws: SettingsError.self) { try file.settings.get() }
    #expect(error?.shown.hasSuffix("Permission denied; let uid \(MailUser.id) read it") == true)
  }

  @Test("A name with NUL is no file")
  func nul() {
    let error = #expect(throws: SettingsError.self) { try SettingsFile("a\u{0}b").settings.get() }
    #expect(error?.shown == "a\\000b: the name contains NUL")
  }
}
