// SPDX-License-Identifier: Apache-2.0
import Aliases
import Cache
package import Configuration
import Database
package import Mailboxes
package import Posix
package import Socketmap
import Synchronization
import Tables
import Text

/// What the service reports to the administrator.
package enum LookupEvent: Equatable, Sendable {
  /// A map has failed, and why. Old answers may still be given meanwhile (`lookup_stale_time`).
  case outage(Parameter, String)
  /// The first old answer given during an outage.
  case stale(Parameter)
  /// A map answers again: how many requests had no answer, and how many got an old one.
  case recovered(Parameter, unanswered: Int, stale: Int)
}

/// Answers socketmap requests from the tables of ullage.cf and from the cache. Each map is a parameter that takes
/// tables, each key an address. For the policy service there are also the maps of `AliasSettings`: there a key is
/// looked up as it is, and the key of a list is a domain.
package final class LookupService: Sendable {
  private struct State {
    var settings: Settings
    var tables: AddressTables
    /// Why there are none: a mistake in them must not keep mail from being delivered.
    var policy: Result<PolicyTables, SettingsError>
    var cache = RecentCache<SocketmapRequest, SocketmapReply>()
    var outages: [Parameter: (unanswered: Int, stale: Int)] = [:]
    /// The number of reloads: an answer from the tables before a reload is not cached after it.
    var generation = 0
  }

  private let pool: ConnectionPool
  private let state: Mutex<State>
  private let report: @Sendable (LookupEvent) -> Void

  /// - Parameter report: called from any thread.
  /// - Throws: if a table is unusable as configured. No database is queried yet.
  package init(
    _ settings: Settings, _ policy: Result<PolicySettings, SettingsError>,
    report: @escaping @Sendable (LookupEvent) -> Void
  ) throws(SettingsError) {
    pool = ConnectionPool(limit: settings.lookupService.connections, spreadsHosts: true)
    self.report = report
    state = Mutex(try Self.state(settings, policy, pool))
  }

  /// Switches to other settings and forgets all answers. `lookup_connections` does not change.
  ///
  /// - Throws: as the initializer does; then nothing changes.
  package func reload(
    _ settings: Settings, _ policy: Result<PolicySettings, SettingsError>
  ) throws(SettingsError) {
    let new = try Self.state(settings, policy, pool)
    state.withLock { old in
      let (outages, generation) = (old.outages, old.generation)
      old = new
      (old.outages, old.generation) = (outages, generation + 1)
    }
    pool.closeIdle()
  }

  private static func state(
    _ settings: Settings, _ policy: Result<PolicySettings, SettingsError>, _ pool: ConnectionPool
  ) throws(SettingsError) -> State {
    let tables = TableSet(pool: pool, isForService: true)
    try tables.open(for: settings)
    return State(
      settings: settings, tables: AddressTables(delimiters: settings.recipientDelimiter, tables),
      policy: policy.map { PolicyTables($0, tables, .directly) })
  }

  /// The cached answer to `request`, nil if the tables must be queried. It never waits.
  package func cachedReply(to request: SocketmapRequest) -> SocketmapReply? {
    let now = ContinuousClock.now
    return state.withLock {
      $0.cache.value(of: request, within: .seconds($0.settings.lookupService.cacheTime), of: now)
    }
  }

  /// Forgets what the maps gave for an address, with or without an extension, or for all if it is empty: limits were
  /// changed, and must apply at once (`ullage recompute`).
  private func forget(_ address: [UInt8]) -> SocketmapReply {
    let address = foldCase(address)
    state.withLock { state in
      let tables = state.tables
      state.cache.forget { address.isEmpty || tables.looksUp(address, for: $0.key) }
      // An answer that is on its way may be older than the change.
      state.generation += 1
    }
    return .notFound
  }

  /// Queries the tables until `deadline` at most. Up to `lookup_connections` threads may call it at once.
  package func reply(to request: SocketmapRequest, until deadline: Deadline) -> SocketmapReply {
    if request.map.elementsEqual(TableReference.forgetMap.utf8) { return forget(request.key) }
    guard let map = ServedMap(request.map) else {
      return .permanent(Array("there is no such map; maps are named after the parameters of ullage.cf(5)".utf8))
    }
    let (settings, tables, policy, generation) = state.withLock { ($0.settings, $0.tables, $0.policy, $0.generation) }
    let asked = ContinuousClock.now
    let query = AddressQuery(request.key, until: deadline)
    do {
      let value: [UInt8]?
      if map.parameter.isForPolicy {
        switch policy {
        case .failure(let error): return .permanent(error.sentence)
        case .success(let policy):
          guard policy.isSet(map.parameter) else { return Self.isNotSet(map.parameter) }
          value = try map.value(for: query, in: policy)
        }
      } else {
        let references = settings.tables(map.parameter)
        guard !references.isEmpty else { return Self.isNotSet(map.parameter) }
        value = try tables.value(of: map.parameter, in: references, for: query)
      }
      let reply = value.map { SocketmapReply.found($0) } ?? .notFound
      keep(reply, to: request, map, at: asked, generation)
      return reply
    } catch {
      return reply(to: request, map, after: error, settings)
    }
  }

  /// Not "no value": whoever asks has an ullage.cf in which it is set, so this service has an older one.
  private static func isNotSet(_ parameter: Parameter) -> SocketmapReply {
    .permanent(Array("\(parameter.rawValue) is not set in the ullage.cf of the lookup service".utf8))
  }

  /// Bytes. An address has at most 320 (RFC 5321 §4.5.3.1); longer ones from a client must not fill memory.
  private static let longestCachedKey = 512

  /// Caches the answer. Its age counts from the start of the query: the row may have changed since.
  private func keep(
    _ reply: SocketmapReply, to request: SocketmapRequest, _ map: ServedMap, at asked: ContinuousClock.Instant,
    _ generation: Int
  ) {
    let outage = state.withLock { state in
      // The one answer that refuses mail is never cached: the mailbox may have been created since.
      if reply == .notFound, map.parameter == .virtual_mailbox_maps {
        state.cache.forget(request)
      } else if generation == state.generation, !map.isFresh, request.key.count <= Self.longestCachedKey {
        state.cache.keep(reply, of: request, at: asked)
      }
      return state.outages.removeValue(forKey: map.parameter)
    }
    if let outage { report(.recovered(map.parameter, unanswered: outage.unanswered, stale: outage.stale)) }
  }

  private func reply(
    to request: SocketmapRequest, _ map: ServedMap, after error: TableError, _ settings: Settings
  ) -> SocketmapReply {
    let parameter = map.parameter
    let now = ContinuousClock.now
    let (events, old) = state.withLock { state -> ([LookupEvent], SocketmapReply?) in
      var events: [LookupEvent] = []
      let old =
        error.kind == .temporary && !parameter.isForPolicy && !map.isFresh
        ? state.cache.value(of: request, within: .seconds(settings.lookupService.staleTime), of: now) : nil
      var outage = state.outages[parameter] ?? (0, 0)
      if outage == (0, 0) { events.append(.outage(parameter, error.shown)) }
      if old != nil, outage.stale == 0 { events.append(.stale(parameter)) }
      if old == nil { outage.unanswered += 1 } else { outage.stale += 1 }
      state.outages[parameter] = outage
      return (events, old)
    }
    events.forEach(report)
    if let old { return old }
    let reason = error.sentence
    return error.kind == .configuration ? .permanent(reason) : .temporary(reason)
  }
}
