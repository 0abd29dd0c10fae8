// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Findings
package import Posix
import Text

/// The files of tables, and who may read them.
package enum TableFiles {
  /// The files that are read when a table is queried.
  package static func files(of table: TableReference) -> [String] {
    let plain = table.behindProxy
    guard plain.name.first == UInt8(ascii: "/"), plain.type != "static" else { return [] }
    // What postmap(1) makes from the text.
    let endings = ["hash": ".db", "btree": ".db", "lmdb": ".lmdb", "cdb": ".cdb"]
    return [plain.name.text + (endings[plain.type] ?? "")]
  }

  /// Whether a file is there, and can be seen by us.
  package static func exists(_ name: String) -> Bool {
    guard let path = Path(name.utf8) else { return false }
    do { _ = try stat(path) } catch { return false }
    return true
  }

  /// The commands that let `user` read the files among `names` that are closed to it; none where there is nothing to
  /// do, or where we cannot act as that user.
  package static func commands(toLet user: User, read names: [String]) -> [Command] {
    let closed = closed(names, to: user)
    return Command.grant(user.name, files: closed.files, directories: closed.directories)
  }

  /// The files among `names` that `user` may not read, and the directories above them that it may not enter.
  private static func closed(_ names: [String], to user: User) -> (
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
}
