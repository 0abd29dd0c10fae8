// SPDX-License-Identifier: Apache-2.0
import Foundation
import Posix
import Postgres
import Synchronization
import TestSupport
import Testing
import Text

@testable import Database

/// Hosts that do not answer. What connections do on a real server is tested in EndToEndTests.
struct ConnectionPoolTests {
  /// A server that accepts connections on a Unix socket, and hangs up or stays silent. It ends with the test.
  private final class BadServer: Sendable {
    /// The directory of the socket, which is what libpq calls its host.
    let host: String
    private let sandbox: Sandbox
    private let listening: UnixSocket
    private let count = Mutex(0)
    private let silent = Mutex<[UnixSocket]>([])

    /// How many connections it has accepted.
    var connections: Int { count.withLock { $0 } }

    init(isSilent: Bool = false) throws {
      sandbox = try Sandbox()
      host = sandbox.path
      let listening = UnixSocket(socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
      try UnixSocket.bind(listening.descriptor, to: sandbox(".s.PGSQL.5432"))
      self.listening = listening
      Thread.detachNewThread { [weak self] in
        while case let client = accept(listening.descriptor, nil, nil), client >= 0 {
          let socket = UnixSocket(client)
          self?.count.withLock { $0 += 1 }
          if isSilent { self?.silent.withLock { $0.append(socket) } }
        }
      }
    }

    deinit { shutdown(listening.descriptor, Int32(SHUT_RDWR)) }
  }

  private static func settings(_ hosts: String...) throws -> ConnectionSettings {
    try ConnectionSettings(
      hosts: Array(hosts.joined(separator: " ").utf8), user: Array("u".utf8), password: Array("s3cret".utf8),
      database: Array("d".utf8), encoding: Array("UTF8".utf8))
  }

  /// The error of a query that never gets a connection.
  private static func ask(
    _ pool: ConnectionPool, _ settings: ConnectionSettings, seconds: Int64 = 30
  ) -> PostgresError? {
    #expect(throws: PostgresError.self) {
      try pool.ask(settings, until: Deadline(secondsFromNow: seconds)) { _ throws(PostgresError) in 1 }
    }
  }

  @Test("A server that hangs up is an error in libpq's words, without the password")
  func hangsUp() throws {
    let server = try BadServer()
    let error = Self.ask(ConnectionPool(), try Self.settings(server.host))
    guard case .notConnected(let text)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(text.contains("server closed the connection unexpectedly") && !text.contains("s3cret"), "\(text)")
    #expect(server.connections == 1)
  }

  @Test("A host that could not be reached is left alone for a second: its error is given again at once")
  func leftAlone() throws {
    let server = try BadServer()
    let pool = ConnectionPool()
    let settings = try Self.settings(server.host)
    let errors = (0..<5).map { _ in Self.ask(pool, settings) }
    #expect(Set(errors.map { $0?.shown }).count == 1)
    // A slow machine may need more than a second for the five.
    #expect(server.connections < 5)
  }

  @Test("The hosts are tried in their order, each once, and the last one's error is given")
  func order() throws {
    let (first, second) = (try BadServer(), try BadServer())
    let error = Self.ask(ConnectionPool(limit: 4), try Self.settings(first.host, "/nonexistent", second.host))
    #expect(first.connections == 1 && second.connections == 1)
    #expect(error?.shown.contains(second.host) == true, "\(error?.shown ?? "")")
  }

  @Test("A query of a silent server ends at its deadline, and the next one tries the server again")
  func silent() throws {
    let server = try BadServer(isSilent: true)
    let pool = ConnectionPool()
    #expect(Self.ask(pool, try Self.settings(server.host), seconds: 1) == .timedOut)
    // The query's time was over, not the host's: the next one tries it again.
    #expect(Self.ask(pool, try Self.settings(server.host), seconds: 1) == .timedOut)
    // The last one may still be in the queue of the socket.
    try waitUntil("the second connection") { server.connections == 2 ? () : nil }
  }

  @Test("After the deadline no host is tried")
  func passed() throws {
    let server = try BadServer()
    #expect(Self.ask(ConnectionPool(), try Self.settings(server.host), seconds: 0) == .timedOut)
    #expect(server.connections == 0)
  }

  @Test("Failed connections do not use up the pool")
  func limit() throws {
    let server = try BadServer()
    let pool = ConnectionPool(limit: 1)
    let errors = try (0..<20).map { number in
      // Other settings for the same server, as another table file would have them.
      let settings = try ConnectionSettings(
        hosts: Array(server.host.utf8), user: Array("u\(number)".utf8), password: [], database: Array("d".utf8),
        encoding: [])
      return Self.ask(pool, settings)?.shown ?? ""
    }
    #expect(errors.allSatisfy { $0.contains("server closed the connection") }, "\(errors)")
    #expect(server.connections == 20)
  }

  @Test("A connection outside the pool tries the hosts in their order, too")
  func connect() throws {
    let (first, second) = (try BadServer(), try BadServer())
    let settings = try Self.settings(first.host, second.host)
    #expect(throws: PostgresError.self) { try settings.connect(until: Deadline(secondsFromNow: 30)) }
    #expect(first.connections == 1 && second.connections == 1)
  }

  @Test("If no listener waits, a lost connection is not opened again")
  func noRetry() throws {
    let server = try BadServer()
    let connection = RetryingConnection(try Self.settings(server.host), waiting: nil)
    #expect(throws: PostgresError.self) { try connection.run { _ throws(PostgresError) in 1 } }
    #expect(server.connections == 1 && connection.losses == 1)
    // There is no connection to use.
    connection.runOnce { _ in Issue.record("was run") }
  }
}
