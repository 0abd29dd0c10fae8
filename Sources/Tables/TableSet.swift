// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Posix
import Synchronization
import Text

/// A step of a lookup, for display.
package enum LookupStep: Sendable {
  case asked(TableReference, key: [UInt8])
  /// The SQL that was sent, with the key in it.
  case statement([UInt8])
  case answered(Result<[UInt8]?, TableError>)
}

/// The tables that parameters name, each opened once, when it is first used.
package final class TableSet: Sendable {
  package typealias Observer = @Sendable (LookupStep) -> Void

  private let tables = Mutex<[TableReference: any LookupTable]>([:])
  private let pool: ConnectionPool
  private let observer: Observer?

  package init(pool: ConnectionPool = ConnectionPool(), observer: Observer? = nil) {
    self.pool = pool
    self.observer = observer
  }

  /// The first answer that one of `references` has for `key`, or nil if none has.
  ///
  /// - Parameter isPartial: `key` is a part of an address, which is not looked up in some types of table.
  package func lookup(
    _ key: [UInt8], isPartial: Bool = false, in references: [TableReference], until deadline: Deadline
  ) throws(TableError) -> [UInt8]? {
    for reference in references {
      let table = try table(reference, until: deadline)
      if isPartial, table.takesWholeAddressesOnly { continue }
      observer?(.asked(reference, key: key))
      let result = Result { () throws(TableError) in try table.lookup(key, until: deadline) }
      observer?(.answered(result))
      if let value = try result.get() { return value }
    }
    return nil
  }

  /// Queries one table as `postmap -q` does: with the key in lower case, unless the table matches patterns.
  package func query(
    _ key: [UInt8], in reference: TableReference, until deadline: Deadline
  ) throws(TableError) -> [UInt8]? {
    let foldsItself = try table(reference, until: deadline).takesWholeAddressesOnly
    return try lookup(foldsItself ? key : foldCase(key), in: [reference], until: deadline)
  }

  /// Opens `references` now, so that errors show before the first lookup.
  package func open(_ references: [TableReference], until deadline: Deadline) throws(TableError) {
    for reference in references { _ = try table(reference, until: deadline) }
  }

  private func table(_ reference: TableReference, until deadline: Deadline) throws(TableError) -> any LookupTable {
    if let table = tables.withLock({ $0[reference] }) { return table }
    let table = try open(reference, until: deadline)
    tables.withLock { $0[reference] = table }
    return table
  }

  private func open(_ reference: TableReference, until deadline: Deadline) throws(TableError) -> any LookupTable {
    switch reference.type {
    case "static": return StaticTable(reference)
    case "inline": return try EmbeddedTable(inline: reference)
    case "texthash": return try EmbeddedTable(file: reference, until: deadline)
    case "pgsql": return try PgsqlTable(reference, pool: pool, tables: self, observer: observer, until: deadline)
    case "socketmap": return try SocketmapTable(reference)
    case "proxy":
      // proxymap(8) serves Postfix only; here the table itself is queried.
      guard let inner = TableReference(reference.name), inner.type != "proxy" else {
        throw TableError(.configuration, reference.text, "expected proxy: and a table, such as proxy:pgsql:/file")
      }
      return try table(inner, until: deadline)
    default: return try PostmapTable(reference)
    }
  }
}

/// Reads a table's file. If permission is denied, the error names our user and a command that lets it in.
func readTableFile(
  _ reference: TableReference, limit: Int, until deadline: Deadline
) throws(TableError) -> [UInt8] {
  guard reference.name.first == UInt8(ascii: "/"), let path = Path(reference.name) else {
    throw TableError(.configuration, reference.text, "the name must be a path that begins with /")
  }
  let text: [UInt8]
  do { text = try File.contents(of: path, limit: limit, until: deadline) } catch {
    throw TableError(.configuration, reference.text, error.shown + cure(for: error, reference.name.text))
  }
  guard !text.hasByteOrderMark else {
    throw TableError(.configuration, reference.text, "the file begins with a byte order mark; remove it")
  }
  return text
}

private func cure(for error: SystemError, _ file: String) -> String {
  if error.number == Errno.EBUSY { return "; it kept changing while it was read" }
  guard error.number == Errno.EACCES else { return "; it must be a file: create it, or correct its name in ullage.cf" }
  let user = CurrentProcess.effectiveUser
  return " (as uid \(user)); let that user read it, for instance: setfacl -m u:\(user):r \(file)"
    + " (and u:\(user):x on parent directories that are closed to that user)"
}
