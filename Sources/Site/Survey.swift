// SPDX-License-Identifier: Apache-2.0
package import Configuration
import Database
import Posix
import Postgres
import Tables
import Text

/// What the files do not say: read from Postfix's programs, the password database and PostgreSQL.
package struct Survey: Sendable {
  private let directory: String

  /// - Parameter directory: the one that contains main.cf.
  package init(_ directory: String) {
    self.directory = directory
  }

  /// Postfix's value of a parameter that main.cf does not set, nil if Postfix does not know the name.
  package func defaultValue(_ name: String) -> [UInt8]? {
    guard let directory = Path(directory.utf8), let name = Path(name.utf8) else { return nil }
    for program in [Path("/usr/sbin/postconf"), "/usr/local/sbin/postconf"] {
      let ending: ChildProcess.Ending
      do {
        ending = try ChildProcess.run(
          program, ["-c", directory, "-xh", name], limit: 65536, until: Deadline(secondsFromNow: 10))
      } catch { continue }
      // Without the patch, VDA's lines in main.cf cause warnings as well.
      guard ending.status == 0 else { continue }
      return ending.errors.text.contains("\(name.text): unknown parameter") ? nil : Array(ending.output.trimmed)
    }
    return nil
  }

  /// The path of a Unix socket that Postfix calls `unix:PATH`, nil for another endpoint. A relative one is below
  /// `queue_directory`.
  package func socket(of endpoint: String) -> String? {
    guard endpoint.hasPrefix("unix:") else { return nil }
    let path = String(endpoint.dropFirst("unix:".count))
    return path.hasPrefix("/") ? path : "\(defaultValue("queue_directory")?.text ?? "/var/spool/postfix")/\(path)"
  }

  /// Whether Postfix itself has a parameter of this name; true where its programs do not say.
  package func isPostfixParameter(_ name: String) -> Bool {
    guard let directory = Path(directory.utf8), let path = Path(name.utf8) else { return true }
    for program in [Path("/usr/sbin/postconf"), "/usr/local/sbin/postconf"] {
      do {
        let ending = try ChildProcess.run(
          program, ["-c", directory, "-d", path], limit: 65536, until: Deadline(secondsFromNow: 10))
        return !ending.errors.text.contains("\(name): unknown parameter")
      } catch { continue }
    }
    return true
  }

  /// The rows that the database of `table` returns for a query, as text, or why there are none.
  package func ask(_ table: TableReference, _ sql: String) -> Result<[[String]], Failure> {
    let deadline = Deadline(secondsFromNow: 10)
    do throws(TableError) {
      let database = try TableDatabase(table, until: deadline)
      do throws(PostgresError) {
        let rows = try database.connection.connect(until: deadline).query(Array(sql.utf8), until: deadline)
        return .success(rows.map { $0.map { ($0 ?? []).text } })
      } catch { return .failure(Failure(error.shown)) }
    } catch { return .failure(Failure(error.shown)) }
  }

  /// Why there is no answer; a sentence.
  package struct Failure: Error {
    package let text: String

    package init(_ text: String) { self.text = text }
  }

  /// What is wrong with a table's file or settings, nil if nothing is.
  package func mistake(_ table: TableReference) -> String? {
    do {
      try TableSet().open([table], until: Deadline(secondsFromNow: 10))
      return nil
    } catch { return error.shown }
  }

  /// Whether the query of a `pgsql:` table contains no part of the key. False for other tables, and if unreadable.
  package func answersAllAlike(_ table: TableReference) -> Bool {
    guard table.type == "pgsql" else { return false }
    do { return try !TableDatabase(table, until: Deadline(secondsFromNow: 10)).dependsOnKey } catch { return false }
  }

  /// The keys and values in a table's text, nil if it cannot be read. (For hash: and the like, that is
  /// postmap(1)'s source file.)
  package func entries(_ table: TableReference) -> [(key: String, value: String)]? {
    if table.type == "inline" {
      return splitList(table.name.dropFirst().dropLast()).compactMap { entry in
        splitAssignment(entry.first == UInt8(ascii: "{") ? Array(entry.dropFirst().dropLast()) : entry)
          .map { ($0.name.text, $0.value.text) }
      }
    }
    guard let path = Path(table.name) else { return nil }
    let text: [UInt8]
    do { text = try File.contents(of: path, limit: 64 << 20, until: Deadline(secondsFromNow: 10)) } catch { return nil }
    return LogicalLine.split(text).compactMap { line in
      let parts = line.text.text.split(maxSplits: 1, whereSeparator: \.isWhitespace)
      return parts.count == 2 ? (String(parts[0]), Array(parts[1].utf8).trimmed.text) : nil
    }
  }

  /// A table's values for `keys`, without those that it does not answer.
  package func values(_ keys: [String], in table: TableReference) -> [String] {
    let tables = TableSet()
    let deadline = Deadline(secondsFromNow: 20)
    return keys.compactMap { key in
      do { return try tables.lookup(TableQuery(Array(key.utf8), until: deadline), in: [table])?.text } catch {
        return nil
      }
    }
  }
}
