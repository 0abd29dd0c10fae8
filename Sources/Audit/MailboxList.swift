// SPDX-License-Identifier: Apache-2.0
package import Configuration
import Posix
import Postgres
import Quota
package import Tables

/// All mailboxes that the configured query lists, in the order of their paths, a thousand at a time.
///
/// The order is that of the directories in the file system, so that both can be walked side by side. The rows come from a
/// cursor in a read-only transaction, which works through pgbouncer. It is opened anew behind the last row when the
/// connection is lost, and every five minutes: an old transaction keeps PostgreSQL from removing dead rows.
package final class MailboxList {
  /// Where a row stands in the order.
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
  private var connection: PostgresConnection?
  private var hasCursor = false
  private var cursorEnd = Deadline.never
  private var rows: ArraySlice<[[UInt8]?]> = []
  private var isExhausted = false
  /// Of the row that `next` gave last, nil at the start.
  package private(set) var position: Position?

  private static let fetch = Array("FETCH 2000 FROM ullage_list".utf8)
  /// Seconds that PostgreSQL has to sort a long list, and for each piece of it.
  private static let patience: Int64 = 120
  /// Seconds before each new try.
  private static let pauses: [Int64] = [1, 2, 4, 8, 15]

  /// - Parameters:
  ///   - domain: only its mailboxes; nil for all.
  ///   - position: where an earlier run has stopped.
  package init(_ settings: Settings, domain: [UInt8]? = nil, after position: Position? = nil) throws(TableError) {
    guard let table = settings.listDatabase else { throw TableError.noListDatabase }
    self.settings = settings
    self.domain = domain
    self.position = position
    database = try TableDatabase(table, until: Deadline(secondsFromNow: 20))
  }

  /// The next mailbox, nil at the end.
  package func next() throws(TableError) -> MailboxRow? {
    if rows.isEmpty, !isExhausted {
      rows = try retrying { connection throws(PostgresError) in
        try self.openCursor(on: connection)
        return try connection.query(Self.fetch, until: Deadline(secondsFromNow: Self.patience))[...]
      }
      isExhausted = rows.isEmpty
    }
    guard let columns = rows.popFirst() else { return nil }
    // The first column is the order's.
    let row = MailboxRow(Array(columns.dropFirst()), settings)
    position = Position(path: columns[0], address: row.address)
    return row
  }

  /// How many there are.
  package func count() throws(TableError) -> Int {
    let rows = try retrying { connection throws(PostgresError) in
      try self.ask("SELECT count(*)", where: self.conditions(connection), on: connection)
    }
    return rows.first?.first.flatMap { $0 }.flatMap { Int64(wholeNumber: $0) }.map { Int($0) } ?? 0
  }

  /// Addresses that are listed more than once, at most a thousand of them.
  package func repeatedAddresses() throws(TableError) -> [(address: [UInt8], count: Int64)] {
    let rows = try retrying { connection throws(PostgresError) in
      let conditions = try self.conditions(connection)
      return try self.ask(
        "SELECT address, count(*)", where: ["address IS NOT NULL"] + conditions,
        "GROUP BY 1 HAVING count(*) > 1 ORDER BY 1 LIMIT 1000", on: connection)
    }
    return rows.map { ($0[0] ?? [], $0[1].flatMap { Int64(wholeNumber: $0) } ?? 0) }
  }

  /// Asks again, on a new connection and after a pause, while the database is away.
  private func retrying<R>(_ body: (PostgresConnection) throws(PostgresError) -> R) throws(TableError) -> R {
    for pause in Self.pauses.map(Optional.some) + [nil] {
      do throws(PostgresError) {
        if let connection { return try body(connection) }
        let opened = try database.connect(until: Deadline(secondsFromNow: 20))
        connection = opened
        return try body(opened)
      } catch {
        connection = nil
        hasCursor = false
        guard let pause, error.mayPass, Interruption.received == 0 else {
          throw database.failure(error, query: "mailbox_list_query")
        }
        Interruption.wait(seconds: pause)
      }
    }
    preconditionFailure("the last try neither ended nor failed")
  }

  private func openCursor(on connection: PostgresConnection) throws(PostgresError) {
    if hasCursor, !cursorEnd.hasPassed { return }
    let end = hasCursor ? "COMMIT; " : ""
    hasCursor = false
    let order = try order(connection)
    var conditions = try conditions(connection)
    if let position {
      let address = "coalesce(address::text, '') COLLATE \"C\" > \(try quoted(position.address, connection))"
      if let path = position.path {
        let path = try quoted(path, connection)
        conditions.append("(\(order) > \(path) OR \(order) = \(path) AND \(address) OR path IS NULL)")
      } else {
        conditions.append("path IS NULL AND \(address)")
      }
    }
    let sql = statement(
      "\(end)BEGIN READ ONLY; DECLARE ullage_list NO SCROLL CURSOR FOR SELECT \(order), list.*", where: conditions,
      "ORDER BY 1, coalesce(address::text, '') COLLATE \"C\"")
    try connection.execute(sql, until: Deadline(secondsFromNow: Self.patience))
    hasCursor = true
    cursorEnd = Deadline(secondsFromNow: 300)
  }

  private func ask(
    _ select: String, where conditions: [String], _ rest: String = "", on connection: PostgresConnection
  ) throws(PostgresError) -> PostgresConnection.Rows {
    try connection.query(statement(select, where: conditions, rest), until: Deadline(secondsFromNow: Self.patience))
  }

  private func statement(_ select: String, where conditions: [String], _ rest: String) -> [UInt8] {
    var query = settings.listQuery
    while let last = query.last, last == UInt8(ascii: ";") || last == UInt8(ascii: " ") { query.removeLast() }
    let condition = conditions.isEmpty ? "" : "WHERE \(conditions.joined(separator: " AND "))"
    return Array("\(select) FROM (".utf8) + query + Array(") AS list (address, path, quota) \(condition) \(rest)".utf8)
  }

  private func conditions(_ connection: PostgresConnection) throws(PostgresError) -> [String] {
    guard let domain else { return [] }
    let end = [UInt8(ascii: "@")] + foldCase(domain)
    let length = String(decoding: end, as: UTF8.self).unicodeScalars.count
    return ["right(lower(address::text), \(length)) = \(try quoted(end, connection))"]
  }

  /// The path as the file system sees it, byte by byte: with the suffix, without doubled slashes and `./`. Only a path
  /// that looks as if it had any pays for their removal.
  private func order(_ connection: PostgresConnection) throws(PostgresError) -> String {
    let whole = "path::text || \(try quoted(settings.maildirSuffix, connection))"
    return """
      (CASE WHEN left(path::text, 1) <> '/' AND strpos(path::text, './') = 0 AND strpos(path::text, '//') = 0 \
      THEN \(whole) ELSE ltrim(regexp_replace('/' || \(whole), '/([.]?/)+', '/', 'g'), '/') END) COLLATE "C"
      """
  }

  private func quoted(_ text: [UInt8], _ connection: PostgresConnection) throws(PostgresError) -> String {
    "'\(String(decoding: try connection.escape(text), as: UTF8.self))'"
  }
}

extension TableError {
  fileprivate static let noListDatabase = TableError(
    configuration: "mailbox_list_database is not set, and virtual_mailbox_maps has no pgsql: table; see ullage.cf(5)")
}

extension PostgresError {
  /// Whether asking again later may help.
  fileprivate var mayPass: Bool {
    switch self {
    case .notConnected, .lost, .timedOut: true
    case .libraryMissing, .query, .notEncodable: false
    }
  }
}
