// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Posix
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
  func standard(_ name: String) -> [UInt8]? {
    guard let directory = Path(directory.utf8), let name = Path(name.utf8) else { return nil }
    for program in [Path("/usr/sbin/postconf"), "/usr/local/sbin/postconf"] {
      let ending = try? ChildProcess.run(
        program, ["-c", directory, "-xh", name], limit: 65536, until: Deadline(secondsFromNow: 10))
      // Without the patch, VDA's lines in main.cf cause warnings as well.
      guard let ending, ending.status == 0 else { continue }
      return ending.errors.text.contains("\(name.text): unknown parameter") ? nil : Array(ending.output.trimmed)
    }
    return nil
  }

  /// The files among `names` that `user` may not read, and the directories above them that it may not enter.
  package static func closed(_ names: [String], to user: User) -> (
    files: [String], directories: [String]
  ) {
    guard CurrentProcess.effectiveUser == 0, user.credentials.canAct else {
      return ([], [])
    }
    return user.credentials.acting {
      var directories: [String] = []
      for name in names {
        let parts = name.split(separator: "/").dropLast()
        for count in parts.indices.map({ $0 + 1 }) {
          let directory = "/" + parts.prefix(count).joined(separator: "/")
          // Below a closed directory, permissions are unknown.
          if let path = Path(directory.utf8), !isAllowed(.execution, to: path) {
            if !directories.contains(directory) { directories.append(directory) }
            break
          }
        }
      }
      let files = names.filter { name in Path(name.utf8).map { !isAllowed(.reading, to: $0) } ?? true }
      return (files, directories)
    }
  }

  /// The rows that the database of `table` returns for a query, as text, or why there are none.
  func ask(_ table: TableReference, _ sql: String) -> Result<[[String]], Failure> {
    let deadline = Deadline(secondsFromNow: 10)
    do throws(TableError) {
      let database = try TableDatabase(table, until: deadline)
      do throws(PostgresError) {
        let rows = try database.connect(until: deadline).query(Array(sql.utf8), until: deadline)
        return .success(rows.map { $0.map { ($0 ?? []).text } })
      } catch { return .failure(Failure(text: error.shown)) }
    } catch { return .failure(Failure(text: error.shown)) }
  }

  struct Failure: Error {
    let text: String
  }

  /// What is wrong with a table's file or settings, nil if nothing is.
  func mistake(_ table: TableReference) -> String? {
    do {
      try TableSet().open([table], until: Deadline(secondsFromNow: 10))
      return nil
    } catch { return error.shown }
  }

  /// The keys and values in a table's text, nil if it cannot be read. (For hash: and the like, that is
  /// postmap(1)'s source file.)
  func entries(_ table: TableReference) -> [(key: String, value: String)]? {
    if table.type == "inline" {
      return splitList(table.name.dropFirst().dropLast()).compactMap { entry in
        splitAssignment(entry.first == UInt8(ascii: "{") ? Array(entry.dropFirst().dropLast()) : entry)
          .map { ($0.name.text, $0.value.text) }
      }
    }
    guard let path = Path(table.name),
      let text = try? File.contents(of: path, limit: 64 << 20, until: Deadline(secondsFromNow: 10))
    else { return nil }
    return LogicalLine.split(text).compactMap { line in
      let parts = line.text.text.split(maxSplits: 1, whereSeparator: \.isWhitespace)
      return parts.count == 2 ? (String(parts[0]), Array(parts[1].utf8).trimmed.text) : nil
    }
  }

  /// A table's values for `keys`, without those that it does not answer.
  func values(_ keys: [String], in table: TableReference) -> [String] {
    let tables = TableSet()
    let deadline = Deadline(secondsFromNow: 20)
    return keys.compactMap { key in
      let value = try? tables.lookup(Array(key.utf8), in: [table], until: deadline)
      return value.flatMap { $0 }?.text
    }
  }

  package static func exists(_ name: String) -> Bool { Path(name.utf8).map { (try? stat($0)) != nil } ?? false }

  /// The files that are read when a table is queried.
  package static func files(of table: TableReference) -> [String] {
    let plain = table.behindProxy
    guard plain.name.first == UInt8(ascii: "/"), plain.type != "static" else { return [] }
    // What postmap(1) makes from the text.
    let endings = ["hash": ".db", "btree": ".db", "lmdb": ".lmdb", "cdb": ".cdb"]
    return [plain.name.text + (endings[plain.type] ?? "")]
  }
}
