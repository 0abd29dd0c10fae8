// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Mailboxes
package import Posix
package import Tables
import Text

/// The tables and lists of the policy service, queried through the lookup service or directly.
package struct PolicyTables: AliasSource, Sendable {
  /// Who queries the tables.
  package enum Way: Equatable, Sendable {
    /// The process itself.
    case directly
    /// The lookup service at this socket.
    case service([UInt8])
    /// The service, and the process itself while the service does not answer (`lookup_fallback`).
    case serviceThenDirectly([UInt8])
    /// The process itself, and the service for what that may not read.
    case directlyThenService([UInt8])
  }

  private let settings: AliasSettings
  private let usageMaps: [TableReference]
  private let tables: TableSet
  private let way: Way
  private let lists: [Parameter: Result<DomainList, TableError>]
  private var takesFreshOnly = false

  package init(_ policy: PolicySettings, _ tables: TableSet, _ way: Way) {
    settings = policy.aliases
    usageMaps = policy.usageMaps
    self.tables = tables
    self.way = way
    var lists: [Parameter: Result<DomainList, TableError>] = [:]
    for parameter in [Parameter.mydestination, .virtual_mailbox_domains] {
      lists[parameter] = Self.list(policy.aliases.domains(parameter), parameter)
    }
    self.lists = lists
  }

  /// The same, but the lookup service must not answer from its memory.
  package var fresh: PolicyTables {
    var tables = self
    tables.takesFreshOnly = true
    return tables
  }

  /// Whether ullage.cf sets the tables or the list of `parameter`.
  package func isSet(_ parameter: Parameter) -> Bool {
    switch parameter {
    case .policy_usage_maps: !usageMaps.isEmpty
    case .mydestination, .virtual_mailbox_domains: !settings.domains(parameter).isEmpty
    default: !settings.tables(parameter).isEmpty
    }
  }

  /// Opens now what this process queries itself: errors show before the first request.
  package func open() throws(TableError) {
    guard way == .directly else { return }
    try tables.open(
      settings.virtualAliasMaps + settings.recipientCanonicalMaps + settings.canonicalMaps + usageMaps, until: .never)
    for list in lists.values { _ = try list.get() }
  }

  private static func list(_ text: [UInt8], _ parameter: Parameter) -> Result<DomainList, TableError> {
    do {
      return .success(
        try DomainList(text) { name throws(TableError) in
          try TableFile.read(TableReference(type: "file", name: name), limit: 1 << 20, until: .never)
        })
    } catch {
      switch error {
      case .list(let error): return .failure(TableError(configuration: "\(parameter.rawValue): \(error.message)"))
      case .file(let error): return .failure(error)
      }
    }
  }

  package func row(
    of parameter: Parameter, for key: [UInt8], isPartial: Bool, until deadline: Deadline
  ) throws(TableError) -> AliasRow? {
    let references = settings.tables(parameter)
    guard !references.isEmpty, !key.isEmpty else { return nil }
    return try ask { () throws(TableError) in
      for reference in references {
        let query = TableQuery(key, isPartial: isPartial, skipsEmptyRows: true, until: deadline)
        if let value = try tables.query(query, in: reference) { return AliasRow(value, in: reference) }
      }
      return nil
    } service: { socket throws(TableError) in
      let map = TableReference(lookupService: socket, parameter, isPartial: isPartial, isFresh: takesFreshOnly)
      return try tables.lookup(TableQuery(key, until: deadline), in: [map]).map { AliasRow($0, in: nil) }
    }
  }

  package func contains(
    _ domain: [UInt8], in parameter: Parameter, until deadline: Deadline
  ) throws(TableError) -> Bool {
    guard let list = lists[parameter] else { return false }
    let text = settings.domains(parameter)
    func contains() throws(TableError) -> Bool {
      try list.get().contains(domain) { table throws(TableError) in
        try tables.query(TableQuery(domain, until: deadline), in: table) != nil
      }
    }
    // Names alone need neither tables nor files.
    guard text.contains(UInt8(ascii: ":")) || text.contains(UInt8(ascii: "/")) else { return try contains() }
    return try ask(directly: contains) { socket throws(TableError) in
      let map = TableReference(lookupService: socket, parameter, isFresh: takesFreshOnly)
      return try tables.lookup(TableQuery(domain, until: deadline), in: [map]) != nil
    }
  }

  /// What `policy_usage_maps` have for an address: the bytes in its mailbox and, if the query gives them, the number of
  /// messages and when both were true, separated by commas.
  package func usage(of query: AddressQuery) throws(TableError) -> [UInt8]? {
    guard !usageMaps.isEmpty else { return nil }
    return try ask { () throws(TableError) in
      try AddressTables(delimiters: settings.delimiters, tables).value(of: nil, in: usageMaps, for: query)
    } service: { socket throws(TableError) in
      let map = TableReference(lookupService: socket, .policy_usage_maps, isFresh: takesFreshOnly)
      return try tables.lookup(TableQuery(foldCase(query.address), until: query.deadline), in: [map])
    }
  }

  private func ask<Answer>(
    directly: () throws(TableError) -> Answer, service: ([UInt8]) throws(TableError) -> Answer
  ) throws(TableError) -> Answer {
    switch way {
    case .directly: return try directly()
    case .service(let socket): return try service(socket)
    case .serviceThenDirectly(let socket): do { return try service(socket) } catch { return try directly() }
    case .directlyThenService(let socket): do { return try directly() } catch { return try service(socket) }
    }
  }
}
