// SPDX-License-Identifier: Apache-2.0
import Configuration
import Database
import Posix
import Postgres
import Text

/// `pgsql:/file`: a table in PostgreSQL, described by a Postfix table file (pgsql_table(5)).
final class PgsqlTable: LookupTable {
  private let file: PgsqlFile
  private let domains: DomainList?
  private let name: String
  private let pool: ConnectionPool
  private let observer: TableSet.Observer?

  init(
    _ reference: TableReference, pool: ConnectionPool, observer: TableSet.Observer?,
    until deadline: Deadline
  ) throws(TableError) {
    name = reference.text
    self.pool = pool
    self.observer = observer
    let text = try TableFile.read(reference, limit: 1 << 20, until: deadline)
    do { file = try PgsqlFile(parsing: text) } catch { throw Self.mistake(error, in: reference) }
    do {
      domains = try file.domains.map { domains throws(DomainListError) in
        try DomainList(domains.text, line: domains.line) { path throws(TableError) in
          try TableFile.read(TableReference(type: "file", name: path), limit: 1 << 20, until: deadline)
        }
      }
    } catch {
      switch error {
      case .list(let error): throw Self.mistake(error, in: reference)
      case .file(let error): throw TableError(error.kind, name, "domain: \(error.shown)")
      }
    }
  }

  static func mistake(_ error: ConfigurationError, in reference: TableReference) -> TableError {
    TableError(.configuration, reference.text, (error.line.map { "line \($0): " } ?? "") + error.message)
  }

  func lookup(_ query: TableQuery, among tables: TableSet) throws(TableError) -> [UInt8]? {
    guard try concerns(query, tables) else { return nil }
    let key = query.key
    let result: Result<[UInt8]?, TableError>
    do {
      result = try pool.ask(file.connection, until: query.deadline) { connection throws(PostgresError) in
        let sql = try file.query.sql(for: key) { text throws(PostgresError) in try connection.escape(text) } ?? []
        observer?(.statement(sql))
        let share = query.deadline.slice(seconds: ConnectionSettings.answerTimeout)
        let rows = try connection.query(sql, until: share)
        let result = Result { () throws(TableError) in try value(of: rows, for: query) }
        // A row missing here may exist on the primary: a standby must not answer "unknown user".
        if case .success(nil) = result, try connection.isStandby(until: share) { return nil }
        return result
      }
    } catch { throw TableError(.temporary, name, error.shown) }
    return try result.get()
  }

  /// Whether the key has the parts that the query and `domain` require; if not, nothing is queried or found.
  private func concerns(_ query: TableQuery, _ tables: TableSet) throws(TableError) -> Bool {
    let key = query.key
    guard !key.isEmpty, file.query.applies(to: key), file.resultFormat.applies(to: key) else { return false }
    guard let domains else { return true }
    let parts = KeyParts(key)
    guard let domain = parts.domain, !parts.user.isEmpty else { return false }
    return try domains.contains(domain) { table throws(TableError) in
      try tables.lookup(TableQuery(domain, isPartial: query.isPartial, until: query.deadline), in: [table]) != nil
    }
  }

  /// All columns of all rows, joined by commas. NULL is no result. If all texts are empty, that is an error
  /// in the data and not "not found", which would mean "no such mailbox" or "the default limit".
  private func value(of rows: PostgresConnection.Rows, for query: TableQuery) throws(TableError) -> [UInt8]? {
    let key = query.key
    let columns = rows.flatMap { $0.compactMap { $0 } }
    let values = columns.filter { !$0.isEmpty }.compactMap { file.resultFormat.text(for: $0, key: key) }
    guard !values.isEmpty else {
      guard query.skipsEmptyRows || columns.allSatisfy({ !$0.isEmpty }) else {
        throw TableError(.configuration, name, "the result for \"\(key.text)\" is empty")
      }
      return nil
    }
    guard file.expansionLimit == 0 || values.count <= file.expansionLimit else {
      throw TableError(.configuration, name, "more than expansion_limit results for \"\(key.text)\"")
    }
    // Joined, two paths are one that nobody meant.
    guard !query.takesOneResult || values.count == 1 else {
      let found = rows.count > 1 ? "\(rows.count) rows" : "a row of \(values.count) columns"
      throw TableError(
        .configuration, name, "\(found) for \"\(key.text)\", where one value is expected; correct the query or the rows"
      )
    }
    return Array(values.joined(separator: [UInt8(ascii: ",")]))
  }
}
