// SPDX-License-Identifier: Apache-2.0
package import Configuration
import Database
import Posix
import Postgres
package import Tables

/// Writes the usage of mailboxes to a table of the database, a thousand at a time.
///
/// Only rows whose figures have changed are written, and only those of the mailboxes that are given.
package final class UsagePublisher {
  private let statements: UsageStatements
  private let database: TableDatabase
  private let connection: RetryingConnection
  private let isDry: Bool
  private let sayRejected: ([UInt8], String) -> Void
  private var waiting: [MailboxUsage] = []
  /// Rows that have changed, or would have in a dry run.
  package private(set) var changed = 0
  /// Mailboxes whose rows PostgreSQL refuses.
  package private(set) var rejected = 0

  private static let batchSize = 1000
  private static let rollback: SQLText = "ROLLBACK"
  /// Seconds that PostgreSQL has for a batch.
  private static let answerTimeout: Int64 = 120

  /// - Parameters:
  ///   - list: the database of the list.
  ///   - isDry: every batch is rolled back.
  ///   - waiting: called when the database does not answer, before half a minute of retries.
  ///   - rejected: called with an address whose row PostgreSQL refuses, and its reason; the others are written.
  /// - Throws: `TableError`, also if the statements cannot be run at all; nothing has been written then.
  package init?(
    _ settings: UsageSettings, list: TableReference?, isDry: Bool, waiting: @escaping (TableError) -> Void,
    rejected: @escaping ([UInt8], String) -> Void
  ) throws {
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
      database.connection, writes: true, waiting: { waiting(database.failure($0, query: statements.parameter)) })
    // A batch that fails after this is refused for one of its rows.
    do { _ = try write([]) } catch { throw failure(error) }
  }

  private func failure(_ error: PostgresError) -> TableError { database.failure(error, query: statements.parameter) }

  package func publish(_ mailbox: MailboxUsage) throws {
    waiting.append(mailbox)
    if waiting.count >= Self.batchSize { try flush() }
  }

  /// Writes what has been collected.
  package func flush() throws {
    let batch = waiting
    waiting = []
    try write(batch[...])
  }

  /// Notes in the schema `ullage` that the usage of all mailboxes has been written, for whoever reads it.
  ///
  /// - Returns: why the time is not kept, most likely because the schema is not installed; nil if it is.
  package func noteCompletion(mailboxes: Int) throws -> String? {
    do throws(PostgresError) {
      try connection.run { connection throws(PostgresError) in
        let target = try SQLText.quoted(statements.target, for: connection)
        let note: SQLText = """
          INSERT INTO ullage.publication (target, finished, mailboxes)
          VALUES (\(target), now(), \(SQLText(String(mailboxes))))
          ON CONFLICT (target) DO UPDATE SET finished = excluded.finished, mailboxes = excluded.mailboxes
          """
        _ = try connection.change(note.bytes, until: Deadline(secondsFromNow: Self.answerTimeout))
      }
      return nil
    } catch {
      guard case .query(let text) = error else { throw failure(error) }
      return text
    }
  }

  /// Halves a batch that PostgreSQL refuses until it knows which rows are to blame.
  private func write(_ batch: ArraySlice<MailboxUsage>) throws {
    guard let first = batch.first else { return }
    do throws(PostgresError) { changed += try write(Array(batch)) } catch {
      switch error {
      case .query, .notEncodable:
        guard batch.count > 1 else {
          rejected += 1
          return sayRejected(first.address, Self.reason(error))
        }
        let middle = batch.startIndex + batch.count / 2
        try write(batch[..<middle])
        try write(batch[middle...])
      default: throw failure(error)
      }
    }
  }

  /// What PostgreSQL says of a row, such as "value too long for type character varying(100)".
  private static func reason(_ error: PostgresError) -> String {
    if case .query(let text) = error { text } else { "it is not text in the encoding of the database" }
  }

  /// - Returns: how many rows changed.
  private func write(_ batch: [MailboxUsage]) throws(PostgresError) -> Int {
    try connection.run { connection throws(PostgresError) in
      let text = try statements.text(for: batch, on: connection)
      let deadline = Deadline(secondsFromNow: Self.answerTimeout)
      guard isDry else { return try connection.change(text.bytes, until: deadline) }
      let whole: SQLText = "BEGIN; \(text)ROLLBACK"
      do throws(PostgresError) { return try connection.change(whole.bytes, until: deadline) } catch {
        // Otherwise the transaction would stay open.
        if case .query = error { _ = try connection.change(Self.rollback.bytes, until: deadline) }
        throw error
      }
    }
  }
}
