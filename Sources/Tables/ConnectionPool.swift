// SPDX-License-Identifier: Apache-2.0
import Posix
import Postgres
import Synchronization

/// The connections to databases, kept from one question to the next, at most `limit` of them whatever they are to (and
/// for a moment those that are being closed).
package final class ConnectionPool: Sendable {
  private struct Kept {
    let settings: ConnectionSettings
    /// Index in the settings' list of hosts.
    let host: Int
    let connection: PostgresConnection
  }

  private struct State {
    var idle: [Kept] = []
    /// Those that are idle and those that are in use.
    var count = 0
    /// The host to begin with at the next connection.
    var next = 0
    /// What a host said that could not be connected to, and until when that holds.
    var absent: [[ConnectionSettings.Keyword]: (until: Deadline, error: PostgresError)] = [:]

    /// - Parameter deadline: the question's; when it has passed, the host may not have had its time.
    mutating func leaveAlone(
      _ host: [ConnectionSettings.Keyword], after error: PostgresError, _ deadline: Deadline
    ) {
      if error == .timedOut, deadline.hasPassed { return }
      absent[host] = (Deadline(secondsFromNow: ConnectionPool.pause(after: error)), error)
    }
  }

  /// Seconds for which a host that could not be connected to is left alone: longer if it was silent, since each try
  /// costs the asker seconds, and a server that is stuck keeps what we have given up.
  private static func pause(after error: PostgresError) -> Int64 { error == .timedOut ? 10 : 1 }
  /// Seconds that one host has for a connection, and for a question.
  static let patience: Int64 = 5

  private let limit: Int
  private let spreadsHosts: Bool
  private let state = Mutex(State())

  /// - Parameters:
  ///   - limit: not more threads than that may ask.
  ///   - spreadsHosts: begin with another host at each connection, not always with the first.
  package init(limit: Int = 1, spreadsHosts: Bool = false) {
    self.limit = limit
    self.spreadsHosts = spreadsHosts
  }

  /// Closes the connections that nobody uses now.
  package func closeIdle() {
    let closed = state.withLock { state in
      let idle = state.idle
      state.count -= idle.count
      state.idle = []
      return idle
    }
    // They go here and not under the lock: that writes to the network.
    _ = closed
  }

  /// Runs `body` on a connection that is open, or else on one host after the other until one answers.
  ///
  /// - Parameter body: nil when this host cannot know, so that another one is asked.
  /// - Throws: what the last host said.
  func ask<R>(
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
        // A connection that broke since it was last used says nothing about its host.
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
    _ kept: Kept, until deadline: Deadline, _ body: (PostgresConnection) throws(PostgresError) -> R?
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

  /// The connection that was used last, so that the others are free to be closed.
  private func take(_ settings: ConnectionSettings, besides asked: Set<Int>) -> Kept? {
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
  ) throws(PostgresError) -> Kept {
    let keywords = settings.hosts[host]
    try reserve(keywords)
    do {
      let connection = try PostgresConnection(
        keywords.map { ($0.name, $0.value) }, until: deadline.share(seconds: Self.patience))
      state.withLock {
        $0.absent[keywords] = nil
        $0.next = host + 1
      }
      return Kept(settings: settings, host: host, connection: connection)
    } catch {
      state.withLock {
        $0.count -= 1
        $0.leaveAlone(keywords, after: error, deadline)
      }
      throw error
    }
  }

  /// Makes room for a connection to `host`: the idle one that was not used for the longest time goes.
  private func reserve(_ host: [ConnectionSettings.Keyword]) throws(PostgresError) {
    let result = state.withLock { state -> Result<Kept?, PostgresError> in
      if let absent = state.absent[host] {
        guard absent.until.hasPassed else { return .failure(absent.error) }
        // One asker tries; the others need not wait with it.
        state.absent[host]?.until = Deadline(secondsFromNow: Self.patience)
      }
      if state.count < limit {
        state.count += 1
        return .success(nil)
      }
      guard !state.idle.isEmpty else { return .failure(.notConnected("lookup_connections are in use")) }
      return .success(state.idle.removeFirst())
    }
    // Closed here, when it goes, and not under the lock: that writes to the network.
    _ = try result.get()
  }
}
