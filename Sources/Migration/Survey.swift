// SPDX-License-Identifier: Apache-2.0
import Configuration
import Posix
import Postgres
import Tables

/// What the configuration's text does not tell: asked from Postfix's programs, the password database and PostgreSQL.
package struct Survey: Sendable {
  private let directory: String

  /// - Parameter directory: of main.cf.
  package init(_ directory: String) {
    self.directory = directory
  }

  /// The value that Postfix has for a parameter which main.cf does not set, nil when it knows none of that name.
  func standard(_ name: String) -> [UInt8]? {
    guard let directory = Path(directory.utf8), let name = Path(name.utf8) else { return nil }
    for program in [Path("/usr/sbin/postconf"), "/usr/local/sbin/postconf"] {
      let ending = try? ChildProcess.run(
        program, ["-c", directory, "-xh", name], limit: 65536, until: Deadline(secondsFromNow: 10))
      // An unknown name is a warning only.
      if let ending, ending.status == 0, ending.errors.isEmpty { return Array(ending.output.trimmed) }
    }
    return nil
  }

  /// Files among `names` that `user` may not read, and directories above them that he may not pass.
  func closed(_ names: [String], to user: CurrentProcess.User) -> (files: [String], directories: [String]) {
    guard CurrentProcess.effectiveUser == 0 else { return (names, []) }
    return CurrentProcess.acting(as: user.id, group: user.group) {
      var directories: [String] = []
      for name in names {
        let parts = name.split(separator: "/").dropLast()
        for count in parts.indices.map({ $0 + 1 }) {
          let directory = "/" + parts.prefix(count).joined(separator: "/")
          // Below a closed directory there is no telling.
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

  /// What a question to the database of `table` gives, as text, or why there is no answer.
  func ask(_ table: TableReference, _ sql: String) -> Result<[[String]], Failure> {
    let deadline = Deadline(secondsFromNow: 10)
    do throws(TableError) {
      let database = try TableDatabase(table, until: deadline)
      do throws(PostgresError) {
        let rows = try database.connect(until: deadline).query(Array(sql.utf8), until: deadline)
        return .success(rows.map { $0.map { ($0 ?? []).text } })
      } catch {
        // libpq goes on with advice and further hosts.
        return .failure(Failure(text: error.text.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""))
      }
    } catch { return .failure(Failure(text: error.text)) }
  }

  struct Failure: Error {
    let text: String
  }

  /// What is wrong with a table's file or settings, nil when nothing is.
  func mistake(_ table: TableReference) -> String? {
    do {
      try TableSet().open([table], until: Deadline(secondsFromNow: 10))
      return nil
    } catch { return error.text }
  }

  /// The text of a file, nil when it cannot be read.
  func contents(_ name: String) -> [UInt8]? {
    guard let path = Path(name.utf8) else { return nil }
    return try? File.contents(of: path, limit: 64 << 20, until: Deadline(secondsFromNow: 10))
  }
}
