// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Posix
import Site
import Tables
import Text

/// How a table that cannot be queried is mended.
enum TableRemedy {
  /// - Parameter user: who must be able to read its files, nil if that is unknown or does not matter.
  static func remedy(for error: TableError, of table: TableReference, for user: User?) -> Remedy {
    let missing = TableFiles.files(of: table).filter { !TableFiles.exists($0) }
    if error.isUnsupportedType {
      return packagedTypes.contains(table.type)
        ? .run(Command("apt-get", "install", "postfix-\(table.type)"))
        : .advice("Postfix has no tables of the type \(table.type); postconf -m lists those that it has")
    }
    if let name = missing.first {
      return TableFiles.exists(table.name.text)
        ? .run(Command("postmap", table.text))
        : .advice("create the file \(name == table.name.text ? name : table.name.text)")
    }
    return access(to: table, for: user) ?? .advice("correct the table, or start its server, as the message says")
  }

  /// The commands that let `user` read the files of a table, nil where they would not help.
  static func access(to table: TableReference, for user: User?) -> Remedy? {
    guard let user else { return nil }
    let commands = TableFiles.commands(toLet: user, read: TableFiles.files(of: table))
    return commands.isEmpty ? nil : .run(commands)
  }

  /// Types of table that Debian packages by themselves.
  private static let packagedTypes: Set<String> = [
    "cdb", "ldap", "lmdb", "mongodb", "mysql", "pcre", "pgsql", "sqlite",
  ]
}
