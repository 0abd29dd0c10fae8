// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Database
package import Posix
import Text

#if !hasFeature(Embedded)
  import Synchronization
#endif

/// The tables that parameters name, each opened once, when it is first used. A service opens those again whose file has
/// changed: a new mailbox must not be unknown to it.
package final class TableSet: Sendable {
  /// Receives each step of a lookup, in the thread of the lookup.
  package typealias Observer = @Sendable (LookupStep) -> Void

  private let tables = Mutex<[TableReference: any LookupTable]>([:])
  /// They are few.
  private let socketmapTables = Mutex<[SocketmapTable]>([])
  private let pool: ConnectionPool
  private let observer: Observer?
  private let isForService: Bool

  /// - Parameter isForService: it is used for so long that files change meanwhile.
  package init(pool: ConnectionPool = ConnectionPool(), observer: Observer? = nil, isForService: Bool = false) {
    self.isForService = isForService
    self.pool = pool
    self.observer = observer
  }

  /// The first answer that one of `references` has for the key, or nil if none has.
  package func lookup(_ query: TableQuery, in references: [TableReference]) throws(TableError) -> [UInt8]? {
    for reference in references {
      let table = try table(reference, until: query.deadline)
      if query.isPartial, table.takesWholeAddressesOnly { continue }
      observer?(.asked(reference, key: query.key))
      let result = Result { () throws(TableError) in try table.lookup(query, among: self) }
      observer?(.answered(result))
      if let value = try result.get() { return value }
    }
    return nil
  }

  /// What each of several `socketmap:` tables of one server has for the key. They are asked together.
  package func lookup(
    _ query: TableQuery, inEachOf references: [TableReference]
  ) throws(TableError) -> [Result<[UInt8]?, TableError>] {
    var tables: [SocketmapTable] = []
    var requests: [[UInt8]] = []
    for reference in references {
      let table = try socketmapTable(reference)
      tables.append(table)
      if let request = table.request(for: query) { requests.append(request) }
    }
    guard let client = tables.first?.client, requests.count == tables.count else {
      return references.map { _ in .success(nil) }
    }
    let replies = try client.ask(requests, until: query.deadline, for: references[0].text)
    return references.indices.map { index in
      observer?(.asked(references[index], key: query.key))
      let result = tables[index].value(replies[index])
      observer?(.answered(result))
      return result
    }
  }

  private func socketmapTable(_ reference: TableReference) throws(TableError) -> SocketmapTable {
    let known = socketmapTables.withLock { $0 }
    for table in known where table.name == reference.name { return table }
    let new = try SocketmapTable(reference, beside: known)
    return socketmapTables.withLock { tables in
      // Another thread may have been faster.
      for table in tables where table.name == reference.name { return table }
      tables.append(new)
      return new
    }
  }

  /// Queries one table as `postmap -q` does: with the key in lower case, unless the table matches patterns.
  package func query(_ query: TableQuery, in reference: TableReference) throws(TableError) -> [UInt8]? {
    let foldsItself = try table(reference, until: query.deadline).takesWholeAddressesOnly
    return try lookup(foldsItself ? query : query.with(key: foldCase(query.key)), in: [reference])
  }

  /// Opens `references` now, for many lookups: errors show before the first one.
  package func open(_ references: [TableReference], until deadline: Deadline) throws(TableError) {
    for reference in references { try table(reference, until: deadline).prepare() }
  }

  private func table(_ reference: TableReference, until deadline: Deadline) throws(TableError) -> any LookupTable {
    if let table = tables.withLock({ $0[reference] }), !table.isOutdated, !(isForService && table.hasChanged) {
      return table
    }
    let table = try open(reference, until: deadline)
    tables.withLock { $0[reference] = table }
    return table
  }

  private func open(_ reference: TableReference, until deadline: Deadline) throws(TableError) -> any LookupTable {
    switch reference.type {
    case "static": return StaticTable(reference)
    case "inline": return try InMemoryTable(inline: reference)
    case "texthash": return try TexthashTable(reference, until: deadline)
    case "pgsql": return try PgsqlTable(reference, pool: pool, observer: observer, until: deadline)
    case "socketmap": return try socketmapTable(reference)
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
