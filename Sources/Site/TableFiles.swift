// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Findings
import Foundation
package import Posix
import Tables
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

  /// The files that the policy service reads: those of its tables, and of its lists of domains. A list that cannot be
  /// read, or is wrong, leads to no others.
  package static func files(of policy: PolicySettings) -> [String] {
    let aliases = policy.aliases
    var tables = aliases.virtualAliasMaps + aliases.recipientCanonicalMaps + aliases.canonicalMaps + policy.usageMaps
    var files: [String] = []
    for list in [aliases.destinations, aliases.mailboxDomains] {
      do {
        tables += try DomainList(list) { name throws(TableError) in
          files.append(name.text)
          return try TableFile.read(TableReference(type: "file", name: name), limit: 1 << 20, until: .never)
        }.tables
      } catch { continue }
    }
    return (files + tables.flatMap { Self.files(of: $0) }).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }

  /// Whether a file is there, and can be seen by us.
  package static func exists(_ name: String) -> Bool {
    guard let path = Path(name.utf8) else { return false }
    do { _ = try stat(path) } catch { return false }
    return true
  }

  /// Whether we may not read a file, or not even see whether it is there.
  package static func isClosed(_ name: String) -> Bool {
    guard let path = Path(name.utf8) else { return false }
    do { _ = try stat(path) } catch { return error.number == Errno.EACCES }
    return !isAllowed(.reading, to: path)
  }

  /// The commands that let `user` read the files among `names` that are there and closed to it; none where there is
  /// nothing to do, or where we cannot act as that user.
  package static func commands(toLet user: User, read names: [String]) -> [Command] {
    let closed = closed(names.filter { exists($0) }, to: user)
    return Command.grant(user.name, files: closed.files, directories: closed.directories)
  }

  /// The files among `names` that `user` may not read, and the directories above them that it may not enter.
  private static func closed(_ names: [String], to user: User) -> (
    files: [String], directories: [String]
  ) {
    guard CurrentProcess.effectiveUser == 0, user.credentials.canAct else {
      return ([], [])
    }
    let directories = names.flatMap { closedDirectories(above: $0, to: user) }
    let files = user.credentials.acting {
      names.filter { name in Path(name.utf8).map { !isAllowed(.reading, to: $0) } ?? true }
    }
    return (files, directories.reduce(into: []) { if !$0.contains($1) { $0.append($1) } })
  }

  /// Whether systemd manages this machine (sd_booted(3)).
  package static var runsSystemd: Bool { exists("/run/systemd/system") }

  /// The directories above `name` that `user` may not enter. What is below the first one cannot be tried; there, each
  /// directory that not everybody may enter is included.
  package static func closedDirectories(above name: String, to user: User) -> [String] {
    guard CurrentProcess.effectiveUser == 0, user.credentials.canAct else { return [] }
    // A symlink on the way leads below other directories.
    let target = URL(fileURLWithPath: name).resolvingSymlinksInPath().path
    let own = closed(above: name, to: user)
    return own + (target == name ? [] : closed(above: target, to: user)).filter { !own.contains($0) }
  }

  private static func closed(above name: String, to user: User) -> [String] {
    let parts = name.split(separator: "/").dropLast()
    let all = parts.indices.map { "/" + parts.prefix($0 + 1).joined(separator: "/") }
    let closed = user.credentials.acting {
      all.firstIndex { name in Path(name.utf8).map { !isAllowed(.execution, to: $0) } ?? false }
    }
    guard let closed else { return [] }
    return [all[closed]]
      + all[(closed + 1)...].filter { name in
        guard let path = Path(name.utf8) else { return false }
        do { return try stat(path).permissions & 0o001 == 0 } catch { return false }
      }
  }
}
