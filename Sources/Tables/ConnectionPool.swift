// SPDX-License-Identifier: Apache-2.0
import Posix
import Postgres

/// The connections of this process, at most one for each settings.
final class ConnectionPool {
  private var open: [ConnectionSettings: PostgresConnection] = [:]

  /// Runs `body` on the connection that is open, or else on one host after the other until one answers.
  ///
  /// - Parameter body: nil when this host cannot know, so that the next one is asked.
  /// - Throws: what the last host said.
  func ask<R>(
    _ settings: ConnectionSettings, until deadline: Deadline,
    _ body: (PostgresConnection) throws(PostgresError) -> R?
  ) throws(PostgresError) -> R {
    var failure = PostgresError.notConnected("no host")
    if let kept = open[settings] {
      do {
        if let answer = try body(kept) { return answer }
      } catch { failure = error }
      open[settings] = nil
    }
    for host in settings.hosts where !deadline.hasPassed {
      do {
        let connection = try PostgresConnection(
          host.map { ($0.name, $0.value) }, until: deadline.share(seconds: 5))
        guard let answer = try body(connection) else {
          failure = .query("no such row on this standby, and no primary can be reached")
          continue
        }
        open[settings] = connection
        return answer
      } catch { failure = error }
    }
    throw failure
  }
}
