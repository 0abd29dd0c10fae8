// SPDX-License-Identifier: Apache-2.0
package import Configuration
import Database
import Posix
import Postgres
package import Tables
import Text

/// Writes the usage of mailboxes to a table of the database, a thousand at a time.
///
/// Only rows whose figures have changed are written, and only those of the mailboxes that are given.
package final class UsagePublisher {
  private let statements: UsageStatements
  private let database: TableDatabase
  private let connection: RetryingConnection
  private let isDry: Bool
  private let sayRejected: ([UInt8], String) -> Void
  /// Rows that are not written yet, and since when.
  private var batch: [MailboxUsage] = []
  private var batchStart = ContinuousClock.now
  /// Rows that PostgreSQL has accepted, whether or not they differed.
  private var accepted = 0
  /// Rows that have changed, or would have in a dry run.
  package private(set) var changed = 0
  /// Mailboxes whose rows PostgreSQL refuses.
  package private(set) var rejected = 0

  private static let batchSize = 1000
  /// So many refused rows and none accepted: the rows may not be to blame.
  private static let maxRejected = 20
  /// Seconds that PostgreSQL has for a batch.
  private static let answerTimeout: Int64 = 120

  /// - Parameters:
  ///   - list: the database of the list.
  ///   - isDry: every batch is rolled back.
  ///   - waiting: called when the database does not answer, before half a minute of retries; nil not to retry.
  ///   - rejected: called with an address whose row PostgreSQL refuses, and its reason; the others are written.
  /// - Throws: `TableError`, also if the statements cannot be run at all; nothing has been written then.
  package init?(
    _ settings: UsageSettings, list: TableReference?, isDry: Bool, waiting: ((TableError) -> Void)?,
    rejected: @escaping ([UInt8], String) -> Void
  ) throws(TableError) {
    guard let statements = UsageStatements(settings.target) else { return nil }
    guard let table = settings.database ?? list else {
      throw TableError(configuration: "usage_database is not set, and the list is in no database; see ullage.cf(5)")
    }
    let database = try TableDatabase(table, until: Deadline(secondsFromNow: 20))
    self.statements = statements
    self.database = database
    self.isDry = isDry
    sayRejected = rejected
    connection = RetryingConnection(
      database.connection, writes: true,
      waiting: waiting.map { waiting in { waiting(database.failure($0, query: statements.parameter)) } })
    // A batch that fails after this is refused for one of its rows.
    do { _ = try send([]) } catch { throw failure(error) }
  }

  private func failure(_ error: PostgresError) -> TableError { database.failure(error, query: statements.parameter) }

  package func publish(_ mailbox: MailboxUsage) throws {
    if batch.isEmpty { batchStart = .now }
    batch.append(mailbox)
    if batch.count >= Self.batchSize { try flush() }
  }

  /// Writes what has been collected, if the first of it is at least so many seconds old: older figures must not
  /// overwrite what another run has read later.
  package func flush(olderThan seconds: Int = 0) throws {
    guard !batch.isEmpty, ContinuousClock.now - batchStart >= .seconds(seconds) else { return }
    let rows = batch
    batch = []
    try write(rows[...], of: rows)
  }

  /// Notes in the schema `ullage` that the usage of all mailboxes has been written, for whoever reads it.
  ///
  /// - Parameter host: whose list it is.
  /// - Returns: why the time is not kept; nil if it is.
  package func noteCompletion(mailboxes: Int, host: [UInt8]) -> String? {
    do throws(PostgresError) {
      return try connection.run { connection throws(PostgresError) in
        let deadline = Deadline(secondsFromNow: Self.answerTimeout)
        let isThere: SQLText =
          "SELECT FROM pg_catalog.pg_tables WHERE schemaname = 'ullage' AND tablename = 'publication'"
        guard try !connection.query(isThere.bytes, until: deadline).isEmpty else {
          return "ullage database install makes the table for it"
        }
        let target = try SQLText.quoted(statements.target, for: connection)
        let note: SQLText = """
          INSERT INTO ullage.publication (target, host, finished, mailboxes)
          VALUES (\(target), \(try SQLText.quoted(host, for: connection)), now(), \(SQLText(String(mailboxes))))
          ON CONFLICT (target, host) DO UPDATE SET finished = excluded.finished, mailboxes = excluded.mailboxes
          """
        _ = try connection.change(note.bytes, until: deadline)
        return nil
      }
    } catch { return failure(error).shown }
  }

  /// Halves a batch that PostgreSQL refuses until it knows which rows are to blame.
  private func write(_ rows: ArraySlice<MailboxUsage>, of batch: [MailboxUsage]) throws {
    guard let first = rows.first else { return }
    do throws(PostgresError) {
      changed += try send(Array(rows))
      accepted += rows.count
    } catch {
      switch error {
      case .query, .notEncodable:
        guard rows.count > 1 else {
          rejected += 1
          sayRejected(first.address, Self.reason(error))
          if accepted == 0, rejected == Self.maxRejected { try send(last: batch) }
          return
        }
        let middle = rows.startIndex + rows.count / 2
        try write(rows[..<middle], of: batch)
        try write(rows[middle...], of: batch)
      default: throw failure(error)
      }
    }
  }

  /// The first mailboxes of a list may have something in common; the last one most likely has not.
  private func send(last batch: [MailboxUsage]) throws {
    do throws(PostgresError) {
      changed += try send(batch.suffix(1))
      accepted += 1
    } catch { throw failure(error) }
  }

  /// What PostgreSQL says of a row, such as "value too long for type character varying(100)".
  private static func reason(_ error: PostgresError) -> String {
    if case .query(let text) = error { text } else { "it is not text in the encoding of the database" }
  }

  /// - Returns: how many rows changed.
  private func send(_ rows: [MailboxUsage]) throws(PostgresError) -> Int {
    try connection.run { connection throws(PostgresError) in
      let text = try statements.text(for: rows, on: connection)
      let whole: SQLText = isDry ? "BEGIN; \(text)ROLLBACK" : text
      return try connection.change(whole.bytes, until: Deadline(secondsFromNow: Self.answerTimeout))
    }
  }
}
