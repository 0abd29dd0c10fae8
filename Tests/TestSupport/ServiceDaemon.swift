// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A running service of `ullaged`. It is killed when the test ends.
package final class ServiceDaemon {
  package let command: Command
  private let socket: String

  /// The service has ended instead of listening.
  package struct Ended: Error {}

  /// - Parameters:
  ///   - configuration: the path of an ullage.cf.
  ///   - service: the command of `ullaged`.
  ///   - socket: where it listens, `lookup_socket` or another.
  ///   - launcher: a command that starts it.
  ///   - other: one that is stopped first, because it has the same sockets.
  package init(
    _ configuration: String, service: String = "lookup", socket: String, launcher: [String] = MailUser.drop,
    environment: [String: String] = [:],
    stopping other: ServiceDaemon? = nil
  ) throws {
    if let other {
      other.command.kill(SIGTERM)
      _ = other.command.wait()
    }
    self.socket = socket
    command = try Command(
      launcher + [Programs.path("ullaged"), service, "--config=\(configuration)"], input: .file("/dev/null"),
      environment: environment)
    let command = command
    _ = try waitUntil("a connection to \(socket)") {
      guard !command.hasEnded else { throw Ended() }
      return try? UnixSocket(connectingTo: socket)
    }
  }

  deinit {
    command.kill(SIGKILL)
    _ = command.wait()
  }

  package func connect() throws -> UnixSocket { try UnixSocket(connectingTo: socket) }

  /// The number of open descriptors.
  package var descriptors: Int {
    ((try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(command.process)/fd")) ?? []).count
  }

  /// The resident set in KiB.
  package var memory: Int {
    let status = String(
      decoding: FileManager.default.contents(atPath: "/proc/\(command.process)/status") ?? Data(), as: UTF8.self)
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
    return line.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }.first ?? 0
  }
}
