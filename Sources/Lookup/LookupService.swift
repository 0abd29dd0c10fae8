// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Mailboxes
package import Posix
package import Socketmap
import Synchronization
import Tables
import Text

/// What an administrator wants to know of the service.
package enum LookupEvent: Equatable, Sendable {
  /// A map has no answers any more, and why; whether old ones are given meanwhile is for the settings to say.
  case outage(Parameter, String)
  /// The first time in an outage that an old answer is given.
  case stale(Parameter)
  /// It has answers again: how many questions went without one, and how many got an old one.
  case recovered(Parameter, unanswered: Int, stale: Int)
}

/// Answers socketmap requests from the tables of ullage.cf and from memory. Each map is a parameter that takes tables,
/// each key an address.
package final class LookupService: Sendable {
  private struct State {
    var settings: Settings
    var tables: AddressTables
    var cache = LookupCache()
    var outages: [Parameter: (unanswered: Int, stale: Int)] = [:]
    /// Counts the reloads: an answer of the tables before one is not held after it.
    var generation = 0
  }

  private let pool: ConnectionPool
  private let state: Mutex<State>
  private let report: @Sendable (LookupEvent) -> Void

  /// - Parameter report: called from any thread.
  /// - Throws: for a table that cannot be used as it is configured. No database is asked yet.
  package init(
    _ settings: Settings, report: @escaping @Sendable (LookupEvent) -> Void
  ) throws(SettingsError) {
    pool = ConnectionPool(limit: settings.lookupService.connections, spreadsHosts: true)
    self.report = report
    state = Mutex(State(settings: settings, tables: try Self.open(settings, pool)))
  }

  /// Takes over other settings, and forgets all answers. `lookup_connections` stays as it was.
  ///
  /// - Throws: as the initializer does; then everything stays as it was.
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

  /// The answer that is held for `request`, nil when the tables must be asked. It never waits.
  package func heldReply(to request: SocketmapRequest) -> SocketmapReply? {
    let now = ContinuousClock.now
    return state.withLock {
      $0.cache.reply(to: request, within: .seconds($0.settings.lookupService.cacheTime), of: now)
    }
  }

  /// Asks the tables. It may wait until `deadline`, and at most `lookup_connections` threads may ask at once.
  package func reply(to request: SocketmapRequest, until deadline: Deadline) -> SocketmapReply {
    guard let parameter = Parameter(rawValue: String(decoding: request.map, as: UTF8.self)),
      Parameter.tables.contains(parameter)
    else { return .permanent(Array("there is no such map; maps are called like the parameters of ullage.cf(5)".utf8)) }
    let (settings, tables, generation) = state.withLock { ($0.settings, $0.tables, $0.generation) }
    let references = settings.tables(parameter)
    guard !references.isEmpty else {
      return .permanent(Array("\(parameter.rawValue) is not set in the ullage.cf of the lookup service".utf8))
    }
    let asked = ContinuousClock.now
    do {
      let value = try tables.value(in: references, for: request.key, until: deadline)
      let reply = value.map { SocketmapReply.found($0) } ?? .notFound
      keep(reply, to: request, parameter, at: asked, generation)
      return reply
    } catch {
      return reply(to: request, parameter, after: error, settings)
    }
  }

  /// Holds the answer from the moment of the question on: the row may have changed since.
  private func keep(
    _ reply: SocketmapReply, to request: SocketmapRequest, _ parameter: Parameter, at asked: ContinuousClock.Instant,
    _ generation: Int
  ) {
    let outage = state.withLock { state in
      // The one answer that refuses mail is never given from memory: the mailbox may have been made since.
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
