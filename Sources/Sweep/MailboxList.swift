// SPDX-License-Identifier: Apache-2.0
package import Configuration
import Database
import Posix
import Postgres
import Quota
package import Tables
import Text

/// All mailboxes that the configured query lists, in the order of their paths, two thousand at a time.
///
/// `TreeWalk` visits directories in the same order, so both can be walked side by side.
package final class MailboxList {
  /// The position of a row in the order.
  package struct Position: Sendable, Equatable {
    /// The path with the suffix, without superfluous slashes; nil for the rows without a path, which come last.
    package let path: [UInt8]?
    package let address: [UInt8]

    package init(path: [UInt8]?, address: [UInt8]) {
      self.path = path
      self.address = address
    }
  }

  private let settings: Settings
  private let database: TableDatabase
  private let domain: [UInt8]?
  private let connection: RetryingConnection
  private var cursor: DatabaseCursor
  /// The position of the row that `next` returned last, nil at the start.
  private(set) var position: Position?

  /// Seconds for a query about the whole list.
  private static let answerTimeout: Int64 = 120

  /// - Parameters:
  ///   - domain: list only its mailboxes; nil for all.
  ///   - position: where an earlier run stopped.
  ///   - cursorLifetime: seconds for which one transaction is kept open.
  ///   - waiting: called when the database does not answer, before half a minute of retries; nil not to retry.
  package init(
    _ settings: Settings, domain: [UInt8]? = nil, after position: Position? = nil, cursorLifetime: Int64 = 300,
    waiting: ((TableError) -> Void)?
  ) throws(TableError) {
    guard let table = settings.listDatabase else { throw TableError.noListDatabase }
    self.settings = settings
    self.domain = domain
    self.position = position
    let database = try TableDatabase(table, until: Deadline(secondsFromNow: 20))
    self.database = database
    connection = RetryingConnection(
      database.connection, waiting: waiting.map { waiting in { waiting(Self.failure($0, database)) } })
    cursor = DatabaseCursor(connection, lifetime: cursorLifetime)
  }

  private static func failure(_ error: PostgresError, _ database: TableDatabase) -> TableError {
    database.failure(error, query: "mailbox_list_query")
  }

  /// The next mailbox, nil at the end.
  package func next() throws(TableError) -> MailboxRow? {
    let columns: [[UInt8]?]?
    do {
      let position = position
      columns = try cursor.next { connection throws(PostgresError) in try query(connection, after: position) }
    } catch { throw Self.failure(error, database) }
    guard let columns else { return nil }
    // The first column is the sort key.
    let row = MailboxRow(Array(columns.dropFirst()), settings)
    position = Position(path: columns[0], address: row.address)
    return row
  }

  /// The number of mailboxes.
  package func count() throws(TableError) -> Int {
    let rows = try ask { connection throws(PostgresError) in
      statement("SELECT count(*)", where: try conditions(connection), "")
    }
    return rows.first?.first.flatMap { $0 }.flatMap { Int64(wholeNumber: $0) }.map { Int($0) } ?? 0
  }

  /// The largest number of repeated addresses that is reported.
  package static let maxRepeated = 1000

  /// The addresses that are listed more than once, at most `maxRepeated`.
  package func repeatedAddresses() throws(TableError) -> [(address: [UInt8], count: Int64)] {
    let rows = try ask { connection throws(PostgresError) in
      statement(
        "SELECT address, count(*)", where: ["address IS NOT NULL"] + (try conditions(connection)),
        "GROUP BY 1 HAVING count(*) > 1 ORDER BY 1 LIMIT \(SQLText(String(Self.maxRepeated)))")
    }
    return rows.map { ($0[0] ?? [], $0[1].flatMap { Int64(wholeNumber: $0) } ?? 0) }
  }

  /// Whether paths in the list begin with the base, to which they should be relative.
  package func repeatsBase() throws(TableError) -> Bool {
    let slash = UInt8(ascii: "/")
    let base = settings.mailboxBase.split(separator: slash).flatMap { $0 + [slash] }
    guard !base.isEmpty else { return false }
    let rows = try ask { connection throws(PostgresError) in
      let text = try SQLText.quoted(base, for: connection)
      let begins: SQLText = "left(\(try order(connection)), length(\(text))) = \(text)"
      return statement("SELECT 1", where: [begins] + (try conditions(connection)), "LIMIT 1")
    }
    return !rows.isEmpty
  }

  /// The mailbox that is switched off and has this path, or this address; nil if there is none, or that is unknown.
  ///
  /// - Parameter path: relative to the base, with the suffix and with a slash at its end.
  package func inactiveMailbox(path: [UInt8]? = nil, address: [UInt8]? = nil) throws(TableError) -> [UInt8]? {
    // No name that PostgreSQL would refuse.
    guard !settings.inactiveQuery.isEmpty, String(validating: path ?? address ?? [], as: UTF8.self) != nil else {
      return nil
    }
    let rows = try ask { connection throws(PostgresError) in
      var conditions: [SQLText] = []
      if let path { conditions.append("\(try order(connection)) = \(try SQLText.quoted(path, for: connection))") }
      if let address {
        let text = try SQLText.quoted(foldCase(address), for: connection)
        conditions.append("lower(address::text COLLATE \"C\") = \(text)")
      }
      return Self.statement(
        "SELECT address", from: settings.inactiveQuery, "(address, path)", where: conditions, "LIMIT 1")
    }
    return rows.first.map { $0.first.flatMap { $0 } ?? [] }
  }

  private func ask(
    _ statement: (PostgresConnection) throws(PostgresError) -> SQLText
  ) throws(TableError) -> PostgresConnection.Rows {
    do {
      return try connection.run { connection throws(PostgresError) in
        try connection.query(
          try statement(connection).bytes, until: Deadline(secondsFromNow: Self.answerTimeout))
      }
    } catch { throw Self.failure(error, database) }
  }

  /// The rows after `position`, in their order.
  private func query(
    _ connection: PostgresConnection, after position: Position?
  ) throws(PostgresError) -> SQLText {
    let order = try order(connection)
    var conditions = try conditions(connection)
    if let position { conditions.append(try Self.after(position, order, connection)) }
    return statement("SELECT \(order), list.*", where: conditions, "ORDER BY 1, \(Self.address)")
  }

  private static let address: SQLText = "coalesce(address::text, '') COLLATE \"C\""

  /// The condition for the rows after `position`; those without a path come last.
  private static func after(
    _ position: Position, _ order: SQLText, _ connection: PostgresConnection
  ) throws(PostgresError) -> SQLText {
    let later: SQLText = "\(address) > \(try SQLText.quoted(position.address, for: connection))"
    guard let path = position.path else { return "path IS NULL AND \(later)" }
    let here = try SQLText.quoted(path, for: connection)
    return "(\(order) > \(here) OR \(order) = \(here) AND \(later) OR path IS NULL)"
  }

  private func statement(_ select: SQLText, where conditions: [SQLText], _ rest: SQLText) -> SQLText {
    Self.statement(select, from: settings.listQuery, "(address, path, quota)", where: conditions, rest)
  }

  private static func statement(
    _ select: SQLText, from query: [UInt8], _ columns: SQLText, where conditions: [SQLText], _ rest: SQLText
  ) -> SQLText {
    let condition = conditions.reduce(SQLText("")) { $0.bytes.isEmpty ? "WHERE \($1)" : "\($0) AND \($1)" }
    return "\(select) FROM (\(SQLText(statement: query))) AS list \(columns) \(condition) \(rest)"
  }

  private func conditions(_ connection: PostgresConnection) throws(PostgresError) -> [SQLText] {
    guard let domain else { return [] }
    let end = [UInt8(ascii: "@")] + foldCase(domain)
    let length = SQLText(String(String(decoding: end, as: UTF8.self).unicodeScalars.count))
    return ["right(lower(address::text COLLATE \"C\"), \(length)) = \(try SQLText.quoted(end, for: connection))"]
  }

  /// The sort key: the path as the file system sees it, byte by byte, with the suffix, without double slashes
  /// and `./`. The slow removal of these is limited to paths that may contain them.
  private func order(_ connection: PostgresConnection) throws(PostgresError) -> SQLText {
    let whole: SQLText = "path::text || \(try SQLText.quoted(settings.maildirSuffix, for: connection))"
    return """
      (CASE WHEN left(path::text, 1) <> '/' AND strpos(path::text, './') = 0 AND strpos(path::text, '//') = 0 \
      THEN \(whole) ELSE ltrim(regexp_replace('/' || \(whole), '/([.]?/)+', '/', 'g'), '/') END) COLLATE "C"
      """
  }

}

extension TableError {
  fileprivate static let noListDatabase = TableError(
    configuration: "mailbox_list_database is not set, and virtual_mailbox_maps has no pgsql: table; see ullage.cf(5)")
}
