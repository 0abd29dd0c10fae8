// SPDX-License-Identifier: Apache-2.0
package import Posix
package import Postgres

#if !hasFeature(Embedded)
  import Synchronization
#endif

/// The connections to databases, kept from one query to the next: at most `limit` in all (not counting
/// those that are being closed).
package final class ConnectionPool: Sendable {
  private struct IdleConnection {
    let settings: ConnectionSettings
    /// Index in `settings.hosts`.
    let host: Int
    let connection: PostgresConnection
  }

  private struct State {
    var idle: [IdleConnection] = []
    /// Idle connections and those in use.
    var count = 0
    /// The host to try first for the next connection.
    var next = 0
    /// The error of each host that could not be reached, and how long the host is left alone.
    var absent: [[ConnectionSettings.Keyword]: (until: Deadline, error: PostgresError)] = [:]

    /// - Parameter deadline: the query's; if it has passed, the host may not have had its full time.
    mutating func leaveAlone(
      _ host: [ConnectionSettings.Keyword], after error: PostgresError, _ deadline: Deadline
    ) {
      if error == .timedOut, deadline.hasPassed { return }
      absent[host] = (Deadline(secondsFromNow: ConnectionPool.pause(after: error)), error)
    }
  }

  /// Seconds for which an unreachable host is left alone: longer if it timed out, since each attempt costs
  /// the caller seconds, and a server that hangs keeps the connections that we have given up.
  private static func pause(after error: PostgresError) -> Int64 { error == .timedOut ? 10 : 1 }

  private let limit: Int
  private let spreadsHosts: Bool
  private let state = Mutex(State())

  /// - Parameters:
  ///   - limit: the largest number of connections; no more threads than that may use the pool.
  ///   - spreadsHosts: start with a different host for each connection, not always with the first.
  package init(limit: Int = 1, spreadsHosts: Bool = false) {
    self.limit = limit
    self.spreadsHosts = spreadsHosts
  }

  /// Closes the connections that are not in use.
  package func closeIdle() {
    let closed = state.withLock { state in
      let idle = state.idle
      state.count -= idle.count
      state.idle = []
      return idle
    }
    // Closed here and not under the lock, because closing writes to the network.
    _ = closed
  }

  /// Runs `body` on an open connection, or else on one host after another until one answers.
  ///
  /// - Parameter body: returns nil if this host cannot know the answer, so that the next one is tried.
  /// - Throws: the error of the last host.
  package func ask<R>(
    _ settings: ConnectionSettings, until deadline: Deadline,
    _ body: (PostgresConnection) throws(PostgresError) -> R?
  ) throws(PostgresError) -> R {
    var failure = PostgresError.timedOut
    var asked: Set<Int> = []
    while !deadline.hasPassed, let kept = take(settings, besides: asked) {
      do {
        if let answer = try use(kept, until: deadline, body) { return answer }
        failure = Self.standbyOnly
      } catch {
        failure = error
        // That a connection broke since its last use says nothing about its host.
        if case .lost = error { continue }
      }
      asked.insert(kept.host)
    }
    for host in order(settings) where !asked.contains(host) && !deadline.hasPassed {
      do {
        if let answer = try use(try connect(settings, host, until: deadline), until: deadline, body) { return answer }
        failure = Self.standbyOnly
      } catch { failure = error }
    }
    throw failure
  }

  private static let standbyOnly = PostgresError.query("no such row on this standby, and no primary can be reached")

  /// Keeps the connection afterwards, unless it is lost.
  private func use<R>(
    _ kept: IdleConnection, until deadline: Deadline, _ body: (PostgresConnection) throws(PostgresError) -> R?
  ) throws(PostgresError) -> R? {
    do {
      let answer = try body(kept.connection)
      state.withLock { $0.idle.append(kept) }
      return answer
    } catch {
      state.withLock { state in
        switch error {
        case .lost: state.count -= 1
        case .timedOut:
          state.count -= 1
          state.leaveAlone(kept.settings.hosts[kept.host], after: error, deadline)
        default: state.idle.append(kept)
        }
      }
      throw error
    }
  }

  /// The idle connection that was used last, so that the others age and can be closed.
  private func take(_ settings: ConnectionSettings, besides asked: Set<Int>) -> IdleConnection? {
    state.withLock { state in
      let index = state.idle.lastIndex { $0.settings == settings && !asked.contains($0.host) }
      return index.map { state.idle.remove(at: $0) }
    }
  }

  private func order(_ settings: ConnectionSettings) -> [Int] {
    let first = spreadsHosts ? state.withLock { $0.next } % settings.hosts.count : 0
    return settings.hosts.indices.map { (first + $0) % settings.hosts.count }
  }

  private func connect(
    _ settings: ConnectionSettings, _ host: Int, until deadline: Deadline
  ) throws(PostgresError) -> IdleConnection {
    let keywords = settings.hosts[host]
    try reserve(keywords)
    do {
      let connection = try PostgresConnection(
        keywords.map { ($0.name, $0.value) }, until: deadline.slice(seconds: ConnectionSettings.answerTimeout))
      state.withLock {
        $0.absent[keywords] = nil
        $0.next = host + 1
      }
      return IdleConnection(settings: settings, host: host, connection: connection)
    } catch {
      state.withLock {
        $0.count -= 1
        $0.leaveAlone(keywords, after: error, deadline)
      }
      throw error
    }
  }

  /// Makes room for a connection to `host` by closing the one that has been idle longest.
  private func reserve(_ host: [ConnectionSettings.Keyword]) throws(PostgresError) {
    let result = state.withLock { state -> Result<IdleConnection?, PostgresError> in
      if let absent = state.absent[host] {
        guard absent.until.hasPassed else { return .failure(absent.error) }
        // One caller retries; the others fail at once.
        state.absent[host]?.until = Deadline(secondsFromNow: ConnectionSettings.answerTimeout)
      }
      if state.count < limit {
        state.count += 1
        return .success(nil)
      }
      guard !state.idle.isEmpty else { return .failure(.notConnected("all lookup_connections are in use")) }
      return .success(state.idle.removeFirst())
    }
    // Closed here and not under the lock, because closing writes to the network.
    _ = try result.get()
  }
}
