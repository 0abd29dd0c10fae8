// SPDX-License-Identifier: Apache-2.0
import Posix
package import Postgres

/// One connection that is opened again, after a pause, while the database is unavailable.
package final class RetryingConnection {
  private let settings: ConnectionSettings
  private let writes: Bool
  private let waiting: ((PostgresError) -> Void)?
  private var connection: PostgresConnection?
  /// How many connections have been lost: whatever was open on them is gone.
  package private(set) var losses = 0

  /// Seconds before each new attempt, half a minute in all.
  private static let pauses: [Int64] = [1, 2, 4, 8, 15]

  /// - Parameters:
  ///   - writes: whether the connection must accept writes, as one to a standby does not.
  ///   - waiting: called when the database does not answer, before the retries; nil not to retry.
  package init(_ settings: ConnectionSettings, writes: Bool = false, waiting: ((PostgresError) -> Void)?) {
    self.settings = settings
    self.writes = writes
    self.waiting = waiting
  }

  /// Runs `body` on the connection, and once more on a new one if it is lost.
  package func run<R>(
    _ body: (PostgresConnection) throws(PostgresError) -> R
  ) throws(PostgresError) -> R {
    var pauses = Self.pauses[...]
    while true {
      do throws(PostgresError) {
        if let connection { return try body(connection) }
        let opened = try settings.connect(until: Deadline(secondsFromNow: 20), writes: writes)
        connection = opened
        return try body(opened)
      } catch {
        close()
        guard let waiting, error.mayPass, Interruption.received == 0, let seconds = pauses.popFirst() else {
          throw error
        }
        if seconds == Self.pauses.first { waiting(error) }
        pause(milliseconds: 1000 * Double(seconds))
      }
    }
  }

  /// Runs `body` on the connection if it is open, and closes it when that fails.
  package func runOnce(_ body: (PostgresConnection) throws(PostgresError) -> Void) {
    do { if let connection { try body(connection) } } catch { close() }
  }

  private func close() {
    connection = nil
    losses += 1
  }
}

extension PostgresError {
  /// Whether a later attempt may succeed.
  fileprivate var mayPass: Bool {
    switch self {
    case .notConnected, .lost, .timedOut, .cancelled: true
    case .libraryMissing, .query, .notEncodable: false
    }
  }
}
