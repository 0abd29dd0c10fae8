// SPDX-License-Identifier: Apache-2.0
import Configuration
import Logging
import LookupServer
import NIOCore
import NIOPosix
import Posix
import ServiceLifecycle
import Text

/// The lookup service's socket: one event loop moves bytes and answers from the cache; the threads that
/// query databases and wait are as many as there may be connections.
struct LookupListener: Service {
  enum Failure: Error, CustomStringConvertible {
    case noSocket
    case isServed(String)
    case cannotListen(String, String)

    var description: String {
      switch self {
      case .noSocket: "there is nothing to listen on; set lookup_socket in ullage.cf, such as /run/ullage/lookup"
      case .isServed(let path): "\(path) is served by another process; stop that one first"
      case .cannotListen(let path, let error):
        "cannot listen on \(path): \(error); its directory must exist and be writable by this user"
      }
    }
  }

  private let service: LookupService
  private let settings: Settings
  private let logger: Logger

  init(_ service: LookupService, _ settings: Settings, _ logger: Logger) {
    self.service = service
    self.settings = settings
    self.logger = logger
  }

  /// Serves until the group shuts down, then answers the pending requests and ends.
  func run() async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let threads = NIOThreadPool(numberOfThreads: settings.lookupService.connections)
    threads.start()
    let clients = NIOLoopBoundBox.makeBoxSendingValue(LookupClients(), eventLoop: group.next())
    do {
      try await serve(group, threads, clients)
    } catch {
      try await threads.shutdownGracefully()
      try await group.shutdownGracefully()
      throw error
    }
    try await threads.shutdownGracefully()
    try await group.shutdownGracefully()
  }

  private func serve(
    _ group: MultiThreadedEventLoopGroup, _ threads: NIOThreadPool, _ clients: NIOLoopBoundBox<LookupClients>
  ) async throws {
    let bootstrap = ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: 1024)
      // Read from a client only after its last request has been answered.
      .childChannelOption(.autoRead, value: false)
      .childChannelInitializer { [service] channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(LookupHandler(service, threads, clients.value))
        }
      }
    let (listening, place) = try await listen(bootstrap)
    ServiceManager.notify(.ready)
    logger.notice("listening on \(place)")
    try await withGracefulShutdownHandler {
      try await listening.closeFuture.get()
      try await group.next().flatSubmit { clients.value.allGone(group.next()) }.get()
    } onGracefulShutdown: {
      ServiceManager.notify(.stopping)
      group.next().execute { clients.value.drain() }
      listening.close(promise: nil)
    }
  }

  private func listen(_ bootstrap: ServerBootstrap) async throws -> (any Channel, String) {
    if let descriptor = ServiceManager.takeListeningSocket(named: "lookup") {
      return (try await bootstrap.withBoundSocket(descriptor).get(), "the service manager's socket")
    }
    guard let socket = settings.lookupService.socket, let path = Path(socket) else { throw Failure.noSocket }
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
      let channel = try await bootstrap.bind(unixDomainSocketPath: socket.text, cleanupExistingSocketFile: true).get()
      return (channel, socket.text)
    } catch { throw Failure.cannotListen(socket.text, "\(error)") }
  }
}
