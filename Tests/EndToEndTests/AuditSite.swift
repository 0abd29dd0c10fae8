// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

/// A host whose mailboxes are rows of its own table in the shared cluster.
final class AuditSite {
  let host: MailHost
  let cluster: PostgresCluster
  let table = "list_\(UUID().uuidString.prefix(8).lowercased())"

  init(_ settings: String = "", cluster: PostgresCluster? = nil, below parent: String? = nil) throws {
    host = try MailHost(below: parent)
    self.cluster = try cluster ?? Shared.cluster()
    try self.cluster.sql("CREATE TABLE \(table) (address text, path text, bytes numeric, messages int)")
    try self.cluster.sql("GRANT SELECT ON \(table) TO PUBLIC")
    try host.sandbox.write("list.cf", self.cluster.tableFile("SELECT path FROM \(table) WHERE address = '%s'"))
    try configure(settings)
  }

  func configure(_ settings: String) throws {
    try host.configure(
      """
      virtual_mailbox_limit_maps = pgsql:\(host.sandbox("limits.cf"))
      mailbox_list_query = SELECT * FROM \(table)
      \(settings)
      """, maps: "pgsql:\(host.sandbox("list.cf"))")
    try host.sandbox.write("limits.cf", cluster.tableFile("SELECT bytes FROM \(table) WHERE address = '%s'"))
  }

  /// The index that a table with many rows needs.
  func makeIndex() throws { try cluster.sql("CREATE INDEX ON \(table) (address)") }

  /// Adds a mailbox to the list; nil becomes NULL.
  func list(_ address: String?, _ path: String?, bytes: String? = "1000000", messages: Int = 0) throws {
    func value(_ text: String?) -> String { text.map { "'\($0)'" } ?? "NULL" }
    try cluster.sql("INSERT INTO \(table) VALUES (\(value(address)), \(value(path)), \(value(bytes)), \(messages))")
  }

  /// Makes a Maildir with one message of 500 bytes and a ledger.
  func make(_ name: String, ledger: String? = "1000000S\n 500 1\n") throws {
    try host.sandbox.makeMaildir("base/\(name)")
    try host.sandbox.write("base/\(name)/cur/a,S=500:2,S", MailHost.message(500))
    if let ledger { try host.sandbox.write("base/\(name)/maildirsize", ledger) }
  }

  /// Lists a mailbox and makes its Maildir.
  func add(_ name: String, ledger: String? = "1000000S\n 500 1\n", bytes: String? = "1000000") throws {
    try list("\(name)@example.org", "example.org/\(name)/", bytes: bytes)
    try make("example.org/\(name)", ledger: ledger)
  }

  func ledger(_ name: String) -> String? { host.sandbox.text("base/example.org/\(name)/maildirsize") }

  /// Runs the tool with a clock that is ahead; the times of files stay real, so that files look older.
  func ullage(_ arguments: [String], clockAhead: String) throws -> Command.Ending {
    return try Command.run(MailUser.drop + FakeClock.words(ahead: clockAhead) + host.toolArguments(arguments))
  }

  func audit(_ options: String..., asMailUser: Bool = true) throws -> Command.Ending {
    try host.ullage(["audit"] + options, asMailUser: asMailUser)
  }

  /// The findings as `kind mailbox`, sorted.
  func findings(_ options: String...) throws -> [String] {
    let ending = try host.ullage(["audit", "--format=jsonl"] + options)
    #expect([0, 1].contains(ending.status), "\(ending)")
    return try ending.records.map { "\($0["kind"] ?? "") \($0["mailbox"] ?? "")" }.sorted()
  }
}
