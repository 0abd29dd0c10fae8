// SPDX-License-Identifier: Apache-2.0
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

/// Answers socketmap requests from the tables of ullage.cf and from the cache. Each map is a parameter that
/// takes tables, each key an address.
package final class LookupService: Sendable {
  private struct State {
    var settings: Settings
    var tables: AddressTables
    var cache = LookupCache()
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
    _ settings: Settings, report: @escaping @Sendable (LookupEvent) -> Void
  ) throws(SettingsError) {
    pool = ConnectionPool(limit: settings.lookupService.connections, spreadsHosts: true)
    self.report = report
    state = Mutex(State(settings: settings, tables: try Self.open(settings, pool)))
  }

  /// Switches to other settings and forgets all answers. `lookup_connections` does not change.
  ///
  /// - Throws: as the initializer does; then nothing changes.
  package func reload(_ settings: Settings) throws(SettingsError) {
    let tables = try Self.open(settings, pool)
    state.withLock {
      $0 = State(settings: settings, tables: tables, outages: $0.outages, generation: $0.generation + 1)
    }
    pool.closeIdle()
  }

  private static func open(_ settings: Settings, _ pool: ConnectionPool) throws(SettingsError) -> AddressTables {
    let tables = TableSet(pool: pool)
    for parameter in Parameter.tables {
      do { try tables.open(settings.tables(parameter), until: .never) } catch { throw SettingsError(error.sentence) }
    }
    return AddressTables(delimiters: settings.recipientDelimiter, tables)
  }

  /// The cached answer to `request`, nil if the tables must be queried. It never waits.
  package func cachedReply(to request: SocketmapRequest) -> SocketmapReply? {
    let now = ContinuousClock.now
    return state.withLock {
      $0.cache.reply(to: request, within: .seconds($0.settings.lookupService.cacheTime), of: now)
    }
  }

  /// Forgets what the maps gave for an address, with or without an extension, or for all if it is empty: limits were
  /// changed, and must apply at once (`ullage recompute`).
  private func forget(_ address: [UInt8]) -> SocketmapReply {
    let address = foldCase(address)
    state.withLock { state in
      let tables = state.tables
      state.cache.forget { address.isEmpty || tables.looksUp(address, for: $0) }
      // An answer that is on its way may be older than the change.
      state.generation += 1
    }
    return .notFound
  }

  /// Queries the tables until `deadline` at most. Up to `lookup_connections` threads may call it at once.
  package func reply(to request: SocketmapRequest, until deadline: Deadline) -> SocketmapReply {
    if request.map.elementsEqual(TableReference.forgetMap.utf8) { return forget(request.key) }
    guard let parameter = Parameter(rawValue: String(decoding: request.map, as: UTF8.self)),
      Parameter.tables.contains(parameter)
    else { return .permanent(Array("there is no such map; maps are named after the parameters of ullage.cf(5)".utf8)) }
    let (settings, tables, generation) = state.withLock { ($0.settings, $0.tables, $0.generation) }
    let references = settings.tables(parameter)
    guard !references.isEmpty else {
      return .permanent(Array("\(parameter.rawValue) is not set in the ullage.cf of the lookup service".utf8))
    }
    let asked = ContinuousClock.now
    do {
      let value = try tables.value(
        of: parameter, in: references, for: AddressQuery(request.key, until: deadline))
      let reply = value.map { SocketmapReply.found($0) } ?? .notFound
      keep(reply, to: request, parameter, at: asked, generation)
      return reply
    } catch {
      return reply(to: request, parameter, after: error, settings)
    }
  }

  /// Caches the answer. Its age counts from the start of the query: the row may have changed since.
  private func keep(
    _ reply: SocketmapReply, to request: SocketmapRequest, _ parameter: Parameter, at asked: ContinuousClock.Instant,
    _ generation: Int
  ) {
    let outage = state.withLock { state in
      // The one answer that refuses mail is never cached: the mailbox may have been created since.
      if reply == .notFound, parameter == .virtual_mailbox_maps {
        state.cache.forget(request)
      } else if generation == state.generation {
        state.cache.keep(reply, to: request, at: asked)
      }
      return state.outages.removeValue(forKey: parameter)
    }
    if let outage { report(.recovered(parameter, unanswered: outage.unanswered, stale: outage.stale)) }
  }

  private func reply(
    to request: SocketmapRequest, _ parameter: Parameter, after error: TableError, _ settings: Settings
  ) -> SocketmapReply {
    let now = ContinuousClock.now
    let (events, old) = state.withLock { state -> ([LookupEvent], SocketmapReply?) in
      var events: [LookupEvent] = []
      let old =
        error.kind == .temporary
        ? state.cache.reply(to: request, within: .seconds(settings.lookupService.staleTime), of: now) : nil
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
