// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Database
package import Posix
package import Postgres
import Text

/// The database of a `pgsql:` table, for queries other than the table's.
package struct TableDatabase: Sendable {
  private let name: String
  private let file: PgsqlFile

  /// Reads the table's file, which need not contain a query.
  package init(_ reference: TableReference, until deadline: Deadline) throws(TableError) {
    name = reference.text
    let text = try TableFile.read(reference, limit: 1 << 20, until: deadline)
    do { file = try PgsqlFile(parsing: text, needsQuery: false) } catch {
      throw PgsqlTable.mistake(error, in: reference)
    }
  }

  /// The table's SQL for `key`, escaped for `connection`; nil if the key lacks a part that the query needs.
  package func statement(
    for key: [UInt8], on connection: PostgresConnection
  ) throws(PostgresError) -> [UInt8]? {
    try file.query.sql(for: key) { text throws(PostgresError) in try connection.escape(text) }
  }

  /// Whether the table's query contains a part of the key: if not, its answer is the same for every address.
  package var dependsOnKey: Bool { file.query.dependsOnKey }

  package var connection: ConnectionSettings { file.connection }

  /// The error of a query other than the table's; `query` is the name of the parameter that sets it.
  package func failure(_ error: PostgresError, query: String) -> TableError {
    if case .query(let text) = error { return TableError(.configuration, query, "\(text); see ullage.cf(5)") }
    return TableError(.temporary, name, error.shown)
  }
}
