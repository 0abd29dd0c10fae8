// SPDX-License-Identifier: Apache-2.0
import Configuration
import Logging
import NIOCore
import NIOPosix
import Posix
import ServiceLifecycle
import Text

/// A service's sockets: one event loop moves bytes and gives the replies that are known, and a few threads find the
/// others.
struct ServiceListener<R: Responder>: Service {
  private let responder: R
  private let sockets: ListeningSockets
  private let threadCount: Int
  private let logger: Logger

  init(_ responder: R, on sockets: ListeningSockets, threads: Int, _ logger: Logger) {
    self.responder = responder
    self.sockets = sockets
    threadCount = threads
    self.logger = logger
  }

  /// Serves until the group shuts down, then answers the pending requests and ends.
  func run() async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let threads = NIOThreadPool(numberOfThreads: threadCount)
    threads.start()
    let limit = min(R.clientLimit, CurrentProcess.descriptorLimit / R.descriptorsPerClient)
    let clients = NIOLoopBoundBox.makeBoxSendingValue(
      ServiceClients(limit: limit, responder.metrics), eventLoop: group.next())
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
    _ group: MultiThreadedEventLoopGroup, _ threads: NIOThreadPool, _ clients: NIOLoopBoundBox<ServiceClients>
  ) async throws {
    let bootstrap = ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: ListeningSockets.backlog)
      // Nobody is served before everything is ready.
      .serverChannelOption(.autoRead, value: false)
      // After each connection there may be enough.
      .serverChannelOption(.maxMessagesPerRead, value: UInt(R.letsClientsWait ? 1 : 16))
      // On TCP the port of a service that was just restarted is free at once.
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      // Between two reads a client that sends too much can be stopped.
      .childChannelOption(.maxMessagesPerRead, value: 1)
      // What a client sent before it closed its side is answered.
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelInitializer { [responder, sockets] channel in
        channel.eventLoop.makeCompletedFuture {
          guard sockets.admits(channel) else {
            responder.metrics.noteStranger()
            throw ListeningSockets.Failure.stranger
          }
          let own = responder.connected(isLocal: ListeningSockets.isLocal(channel))
          try channel.pipeline.syncOperations.addHandler(ServiceHandler(own, threads, clients.value))
        }
      }
    let listening = try await sockets.bind(bootstrap)
    ProcessStart.keepOthersOutOfDirectories()
    let channels = listening.map(\.channel)
    if R.letsClientsWait {
      group.next().execute { clients.value.hold(at: channels) }
    } else {
      for channel in channels { try await channel.setOption(.autoRead, value: true).get() }
    }
    ServiceManager.notify(.ready)
    logger.notice("listening on \(listening.map(\.place).joined(separator: " and "))")
    try await withGracefulShutdownHandler {
      for (channel, _) in listening { try await channel.closeFuture.get() }
      try await group.next().flatSubmit { clients.value.allGone(group.next()) }.get()
    } onGracefulShutdown: {
      ServiceManager.notify(.stopping)
      group.next().execute { clients.value.drain() }
      for (channel, _) in listening { channel.close(promise: nil) }
    }
  }
}
