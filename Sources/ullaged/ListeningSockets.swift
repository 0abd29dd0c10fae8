// SPDX-License-Identifier: Apache-2.0
import Configuration
import NIOCore
import NIOPosix
import Posix
import Text

/// Where a service listens: the socket that systemd passes, else a Unix socket of its own, and perhaps TCP.
struct ListeningSockets: Sendable {
  enum Failure: Error, CustomStringConvertible {
    case noSocket(Parameter)
    case isServed(String)
    case cannotListen(String, String)
    /// A client that may not ask.
    case stranger
    case tooManyClients

    var description: String {
      switch self {
      case .noSocket(let parameter):
        "there is nothing to listen on; set \(parameter.rawValue) in ullage.cf, such as \(Self.example(parameter))"
      case .isServed(let path): "\(path) is served by another process; stop that one first"
      case .cannotListen(let place, let error):
        place.hasPrefix("/")
          ? "cannot listen on \(place): \(error); its directory must exist and be writable by this user"
          : "cannot listen on \(place): \(error)"
      case .stranger: "a client that is not listed"
      case .tooManyClients: "too many connections"
      }
    }

    private static func example(_ parameter: Parameter) -> String {
      "/run/ullage/\(parameter.rawValue.prefix { $0 != "_" })"
    }
  }

  /// Connections that wait until they are accepted.
  static let backlog: Int32 = 1024

  /// The name of the socket in systemd's unit (`FileDescriptorName=`).
  let name: String
  /// The one that names the Unix socket.
  let parameter: Parameter
  let socket: [UInt8]?
  var network: NetworkAccess?

  /// Whether a client may ask: on a Unix socket whoever its mode lets in, on TCP those that are listed.
  func admits(_ channel: any Channel) -> Bool {
    if Self.isLocal(channel) { return true }
    return network?.clients.contains(Array((channel.remoteAddress?.ipAddress ?? "").utf8)) ?? false
  }

  static func isLocal(_ channel: any Channel) -> Bool {
    if case .unixDomainSocket? = channel.localAddress { true } else { false }
  }

  /// Listens everywhere.
  func bind(_ bootstrap: ServerBootstrap) async throws -> [(channel: any Channel, place: String)] {
    var listening: [(channel: any Channel, place: String)] = []
    if let descriptor = ServiceManager.takeListeningSocket(named: name) {
      listening.append((try await bootstrap.withBoundSocket(descriptor).get(), "the service manager's socket"))
      // SwiftNIO has called listen(2) again, with a backlog of its own.
      try ServiceManager.setBacklog(Self.backlog, of: descriptor)
    } else if let socket {
      listening.append((try await Self.bind(bootstrap, to: socket), socket.text))
    }
    if let endpoint = network?.endpoint {
      let place = "\(endpoint.host):\(endpoint.port)"
      do {
        listening.append((try await bootstrap.bind(host: endpoint.host, port: endpoint.port).get(), place))
      } catch { throw Failure.cannotListen(place, Self.text(error)) }
    }
    guard !listening.isEmpty else { throw Failure.noSocket(parameter) }
    return listening
  }

  static func bind(_ bootstrap: ServerBootstrap, to socket: [UInt8]) async throws -> any Channel {
    guard let path = Path(socket) else { throw Failure.cannotListen(socket.text, "its name contains NUL") }
    do {
      _ = try StreamSocket(unix: path, until: Deadline(secondsFromNow: 5))
      throw Failure.isServed(socket.text)
    } catch let error as SystemError {
      // Replace the socket of a killed process, but not that of a process that merely does not answer.
      guard [Errno.ECONNREFUSED, Errno.ENOENT].contains(error.number) else {
        throw Failure.cannotListen(socket.text, error.shown)
      }
    }
    do {
      return try await bootstrap.bind(unixDomainSocketPath: socket.text, cleanupExistingSocketFile: true).get()
    } catch { throw Failure.cannotListen(socket.text, text(error)) }
  }

  private static func text(_ error: any Error) -> String {
    (error as? IOError).map { SystemError(.bind, [], $0.errnoCode).shown } ?? "\(error)"
  }
}
