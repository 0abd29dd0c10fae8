// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Posix
package import Postgres

/// The database behind a `pgsql:` table, for questions that are not the table's own.
package struct TableDatabase: Sendable {
  private let name: String
  private let settings: ConnectionSettings

  /// Reads the table's file.
  package init(_ reference: TableReference, until deadline: Deadline) throws(TableError) {
    name = reference.text
    let text = try readTableFile(reference, limit: 1 << 20, until: deadline)
    do { settings = try PgsqlFile(parsing: text).connection } catch {
      throw PgsqlTable.mistake(error, in: reference)
    }
  }

  /// A connection to the first of the table's hosts that answers.
  package func connect(until deadline: Deadline) throws(PostgresError) -> PostgresConnection {
    var failure = PostgresError.timedOut
    for host in settings.hosts {
      let share = deadline.share(seconds: ConnectionPool.patience)
      do { return try PostgresConnection(host.map { ($0.name, $0.value) }, until: share) } catch { failure = error }
    }
    throw failure
  }

  /// The error of a question of one's own, `query` being the name of the parameter that has it.
  package func failure(_ error: PostgresError, query: String) -> TableError {
    if case .query(let text) = error { return TableError(.configuration, query, "\(text); see ullage.cf(5)") }
    return TableError(.temporary, name, error.text)
  }
}
