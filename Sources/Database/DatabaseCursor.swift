// SPDX-License-Identifier: Apache-2.0
import Posix
package import Postgres

/// The rows of a long query, two thousand at a time, from a cursor in a read-only transaction.
///
/// That works through pgbouncer in transaction mode. The cursor is opened again after the last row when the
/// connection is lost, and every five minutes: an old transaction keeps PostgreSQL from removing dead rows.
package struct DatabaseCursor {
  private let connection: RetryingConnection
  /// Seconds for which one transaction is kept open.
  private let lifetime: Int64
  private var rows: ArraySlice<[[UInt8]?]> = []
  private var isExhausted = false
  /// The transaction that has the cursor, nil when none is open.
  private var open: (losses: Int, end: Deadline)?

  private static let fetch: SQLText = "FETCH 2000 FROM ullage_cursor"
  /// Seconds that PostgreSQL has to sort a long list, and for each fetch.
  private static let answerTimeout: Int64 = 120

  package init(_ connection: RetryingConnection, lifetime: Int64 = 300) {
    self.connection = connection
    self.lifetime = lifetime
  }

  /// The next row, nil at the end.
  ///
  /// - Parameter query: the SELECT for the rows after those that were returned so far; called whenever the cursor is
  ///   opened.
  package mutating func next(
    _ query: (PostgresConnection) throws(PostgresError) -> SQLText
  ) throws(PostgresError) -> [[UInt8]?]? {
    if rows.isEmpty, !isExhausted {
      rows = try fetch(query)
      isExhausted = rows.isEmpty
      // Whatever is done with the last rows may take long.
      if isExhausted { endTransaction() }
    }
    guard let row = rows.popFirst() else { return nil }
    // The rows already fetched stay valid; the next cursor starts after them.
    if let open, open.end.hasPassed { endTransaction() }
    return row
  }

  private mutating func fetch(
    _ query: (PostgresConnection) throws(PostgresError) -> SQLText
  ) throws(PostgresError) -> ArraySlice<[[UInt8]?]> {
    var state = open
    let rows = try connection.run { connection throws(PostgresError) in
      if state?.losses != self.connection.losses {
        let declare: SQLText =
          "BEGIN READ ONLY; DECLARE ullage_cursor NO SCROLL CURSOR FOR \(try query(connection))"
        try connection.execute(declare.bytes, until: Deadline(secondsFromNow: Self.answerTimeout))
        state = (self.connection.losses, Deadline(secondsFromNow: lifetime))
      }
      return try connection.query(Self.fetch.bytes, until: Deadline(secondsFromNow: Self.answerTimeout))
    }
    open = state
    return rows[...]
  }

  private mutating func endTransaction() {
    open = nil
    let commit: SQLText = "COMMIT"
    connection.runOnce { connection throws(PostgresError) in
      try connection.execute(commit.bytes, until: Deadline(secondsFromNow: Self.answerTimeout))
    }
  }
}
