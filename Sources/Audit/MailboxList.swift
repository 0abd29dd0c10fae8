// SPDX-License-Identifier: Apache-2.0
package import Configuration
import Posix
import Postgres
import Quota
package import Tables
import Text

/// All mailboxes that the configured query lists, in the order of their paths, two thousand at a time.
///
/// `TreeWalk` visits directories in the same order, so both can be walked side by side. The rows come from
/// a cursor in a read-only transaction, which works through pgbouncer. It is reopened after the last row
/// when the connection is lost, and every five minutes: an old transaction keeps PostgreSQL from removing
/// dead rows.
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
  private let waiting: ((TableError) -> Void)?
  private var connection: PostgresConnection?
  private var hasCursor = false
  private var cursorEnd = Deadline.never
  private var rows: ArraySlice<[[UInt8]?]> = []
  private var isExhausted = false
  /// The position of the row that `next` returned last, nil at the start.
  package private(set) var position: Position?

  private static let fetch = Array("FETCH 2000 FROM ullage_list".utf8)
  /// Seconds that PostgreSQL has to sort a long list, and for each fetch.
  private static let patience: Int64 = 120
  /// Seconds before each new attempt.
  private static let pauses: [Int64] = [1, 2, 4, 8, 15]

  /// - Parameters:
  ///   - domain: list only its mailboxes; nil for all.
  ///   - position: where an earlier run stopped.
  ///   - waiting: called when the database does not answer, before half a minute of retries; nil not to
  ///     retry.
  package init(
    _ settings: Settings, domain: [UInt8]? = nil, after position: Position? = nil, waiting: ((TableError) -> Void)?
  ) throws(TableError) {
    self.waiting = waiting
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
    if hasCursor, cursorEnd.hasPassed { endTransaction() }
    // The first column is the sort key.
    let row = MailboxRow(Array(columns.dropFirst()), settings)
    position = Position(path: columns[0], address: row.address)
    return row
  }

  /// The number of mailboxes.
  package func count() throws(TableError) -> Int {
    let rows = try retrying { connection throws(PostgresError) in
      try self.ask("SELECT count(*)", where: self.conditions(connection), on: connection)
    }
    return rows.first?.first.flatMap { $0 }.flatMap { Int64(wholeNumber: $0) }.map { Int($0) } ?? 0
  }

  /// The addresses that are listed more than once, at most a thousand.
  package func repeatedAddresses() throws(TableError) -> [(address: [UInt8], count: Int64)] {
    let rows = try retrying { connection throws(PostgresError) in
      let conditions = try self.conditions(connection)
      return try self.ask(
        "SELECT address, count(*)", where: ["address IS NOT NULL"] + conditions,
        "GROUP BY 1 HAVING count(*) > 1 ORDER BY 1 LIMIT 1000", on: connection)
    }
    return rows.map { ($0[0] ?? [], $0[1].flatMap { Int64(wholeNumber: $0) } ?? 0) }
  }

  /// Retries after a pause, on a new connection, while the database is unavailable.
  private func retrying<R>(_ body: (PostgresConnection) throws(PostgresError) -> R) throws(TableError) -> R {
    for seconds in Self.pauses.map(Optional.some) + [nil] {
      do throws(PostgresError) {
        if let connection { return try body(connection) }
        let opened = try database.connect(until: Deadline(secondsFromNow: 20))
        connection = opened
        return try body(opened)
      } catch {
        connection = nil
        hasCursor = false
        let failure = database.failure(error, query: "mailbox_list_query")
        guard let waiting, let seconds, error.mayPass, Interruption.received == 0 else { throw failure }
        if seconds == Self.pauses.first { waiting(failure) }
        pause(milliseconds: 1000 * Double(seconds))
      }
    }
    preconditionFailure("the last try neither ended nor failed")
  }

  /// The rows already fetched stay valid; the next cursor starts after them.
  private func endTransaction() {
    hasCursor = false
    do throws(PostgresError) {
      try connection?.execute(Array("COMMIT".utf8), until: Deadline(secondsFromNow: Self.patience))
    } catch {
      connection = nil
    }
  }

  private func openCursor(on connection: PostgresConnection) throws(PostgresError) {
    if hasCursor { return }
    let order = try order(connection)
    var conditions = try conditions(connection)
    if let position { conditions.append(try Self.behind(position, order, connection)) }
    let sql = statement(
      "BEGIN READ ONLY; DECLARE ullage_list NO SCROLL CURSOR FOR SELECT \(order), list.*", where: conditions,
      "ORDER BY 1, \(Self.address)")
    try connection.execute(sql.bytes, until: Deadline(secondsFromNow: Self.patience))
    hasCursor = true
    cursorEnd = Deadline(secondsFromNow: 300)
  }

  private static let address: SQLText = "coalesce(address::text, '') COLLATE \"C\""

  /// The condition for the rows after `position`; those without a path come last.
  private static func behind(
    _ position: Position, _ order: SQLText, _ connection: PostgresConnection
  ) throws(PostgresError) -> SQLText {
    let later: SQLText = "\(address) > \(try quoted(position.address, connection))"
    guard let path = position.path else { return "path IS NULL AND \(later)" }
    let here = try quoted(path, connection)
    return "(\(order) > \(here) OR \(order) = \(here) AND \(later) OR path IS NULL)"
  }

  private func ask(
    _ select: SQLText, where conditions: [SQLText], _ rest: SQLText = "", on connection: PostgresConnection
  ) throws(PostgresError) -> PostgresConnection.Rows {
    let sql = statement(select, where: conditions, rest)
    return try connection.query(sql.bytes, until: Deadline(secondsFromNow: Self.patience))
  }

  private func statement(_ select: SQLText, where conditions: [SQLText], _ rest: SQLText) -> SQLText {
    var query = settings.listQuery
    while let last = query.last, last == UInt8(ascii: ";") || last == UInt8(ascii: " ") { query.removeLast() }
    let condition = conditions.reduce(SQLText("")) { $0.bytes.isEmpty ? "WHERE \($1)" : "\($0) AND \($1)" }
    return "\(select) FROM (\(SQLText(query))) AS list (address, path, quota) \(condition) \(rest)"
  }

  private func conditions(_ connection: PostgresConnection) throws(PostgresError) -> [SQLText] {
    guard let domain else { return [] }
    let end = [UInt8(ascii: "@")] + foldCase(domain)
    let length = SQLText(String(String(decoding: end, as: UTF8.self).unicodeScalars.count))
    return ["right(lower(address::text), \(length)) = \(try Self.quoted(end, connection))"]
  }

  /// The sort key: the path as the file system sees it, byte by byte, with the suffix, without double slashes
  /// and `./`. The slow removal of these is limited to paths that may contain them.
  private func order(_ connection: PostgresConnection) throws(PostgresError) -> SQLText {
    let whole: SQLText = "path::text || \(try Self.quoted(settings.maildirSuffix, connection))"
    return """
      (CASE WHEN left(path::text, 1) <> '/' AND strpos(path::text, './') = 0 AND strpos(path::text, '//') = 0 \
      THEN \(whole) ELSE ltrim(regexp_replace('/' || \(whole), '/([.]?/)+', '/', 'g'), '/') END) COLLATE "C"
      """
  }

  private static func quoted(_ text: [UInt8], _ connection: PostgresConnection) throws(PostgresError) -> SQLText {
    "'\(SQLText(try connection.escape(text)))'"
  }
}

/// A part of a statement, as bytes in the connection's encoding, which may not be UTF-8.
private struct SQLText: ExpressibleByStringInterpolation {
  let bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }
  init(_ text: String) { bytes = Array(text.utf8) }
  init(stringLiteral text: String) { bytes = Array(text.utf8) }
  init(stringInterpolation parts: Parts) { bytes = parts.bytes }

  struct Parts: StringInterpolationProtocol {
    var bytes: [UInt8] = []
    init(literalCapacity: Int, interpolationCount: Int) {}
    mutating func appendLiteral(_ text: String) { bytes += text.utf8 }
    mutating func appendInterpolation(_ part: SQLText) { bytes += part.bytes }
  }
}

extension TableError {
  fileprivate static let noListDatabase = TableError(
    configuration: "mailbox_list_database is not set, and virtual_mailbox_maps has no pgsql: table; see ullage.cf(5)")
}

extension PostgresError {
  /// Whether a later retry may help.
  fileprivate var mayPass: Bool {
    switch self {
    case .notConnected, .lost, .timedOut, .cancelled: true
    case .libraryMissing, .query, .notEncodable: false
    }
  }
}
