// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Posix

/// The tables that parameters name, each opened when it is first asked and only once.
package final class TableSet {
  private var tables: [TableReference: any LookupTable] = [:]
  private let pool = ConnectionPool()

  package init() {}

  /// The first answer that one of `references` has for `key`, or nil when none has.
  package func lookup(
    _ key: [UInt8], in references: [TableReference], until deadline: Deadline
  ) throws(TableError) -> [UInt8]? {
    for reference in references {
      if let value = try table(reference, until: deadline).lookup(key, until: deadline) { return value }
    }
    return nil
  }

  private func table(_ reference: TableReference, until deadline: Deadline) throws(TableError) -> any LookupTable {
    if let table = tables[reference] { return table }
    let table = try open(reference, until: deadline)
    tables[reference] = table
    return table
  }

  private func open(_ reference: TableReference, until deadline: Deadline) throws(TableError) -> any LookupTable {
    switch reference.type {
    case "static": return StaticTable(reference)
    case "inline": return try EmbeddedTable(inline: reference)
    case "texthash": return try EmbeddedTable(file: reference, until: deadline)
    case "pgsql": return try PgsqlTable(reference, pool: pool, until: deadline)
    case "proxy":
      // proxymap(8) serves Postfix only; here the table itself is asked.
      guard let inner = TableReference(reference.name), inner.type != "proxy" else {
        throw TableError(.configuration, reference.text, "expected proxy: and a table, such as proxy:pgsql:/file")
      }
      return try table(inner, until: deadline)
    default:
      throw TableError(
        .configuration, reference.text,
        "tables of type \(reference.type) are not known; use pgsql, proxy:pgsql, texthash, inline or static")
    }
  }
}

/// Reads a table's own file, telling who could not and how to let him.
func readTableFile(
  _ reference: TableReference, limit: Int, until deadline: Deadline
) throws(TableError) -> [UInt8] {
  guard reference.name.first == UInt8(ascii: "/"), let path = Path(reference.name) else {
    throw TableError(.configuration, reference.text, "the name must be a path that begins with /")
  }
  let text: [UInt8]
  do { text = try File.contents(of: path, limit: limit, until: deadline) } catch {
    throw TableError(.configuration, reference.text, error.text.text + cure(for: error, reference.name.text))
  }
  guard !text.hasByteOrderMark else {
    throw TableError(.configuration, reference.text, "the file begins with a byte order mark; remove it")
  }
  return text
}

private func cure(for error: SystemError, _ file: String) -> String {
  if error.number == Errno.EBUSY { return "; it was changed again and again while it was read" }
  guard error.number == Errno.EACCES else { return "; it must be a file; make it, or correct its name in ullage.cf" }
  let user = CurrentProcess.effectiveUser
  return " (as uid \(user)); let that user read it, for instance: setfacl -m u:\(user):r \(file)"
    + " (and u:\(user):x on a directory above that is closed to others)"
}
