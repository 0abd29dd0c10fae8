// SPDX-License-Identifier: Apache-2.0
import Configuration
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Posix
import Prometheus
import ServiceLifecycle
import Text

/// Shows a service's counters to Prometheus: HTTP on the socket that systemd passes as `metrics`, or on the place that
/// `metrics_socket` names.
struct MetricsListener: Service {
  private let registry: MetricsRegistry
  private let place: MetricsPlaces.Place?
  private let logger: Logger

  init(_ registry: MetricsRegistry, at place: MetricsPlaces.Place?, _ logger: Logger) {
    self.registry = registry
    self.place = place
    self.logger = logger
  }

  private static let mostConnections = 16

  /// Serves until the group shuts down. A place that cannot be used is reported, and costs nothing else.
  func run() async throws {
    let passed = ServiceManager.takeListeningSocket(named: "metrics", isExact: true)
    guard passed != nil || place != nil else { return try await gracefulShutdown() }
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let open = NIOLoopBoundBox.makeBoxSendingValue(0, eventLoop: group.next())
    let bootstrap = ServerBootstrap(group: group)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { [registry] channel in
        channel.eventLoop.makeCompletedFuture {
          // Whoever keeps connections open must not use up the descriptors of the service.
          guard open.value < Self.mostConnections else { throw ListeningSockets.Failure.tooManyClients }
          open.value += 1
          channel.closeFuture.assumeIsolated().whenComplete { _ in open.value -= 1 }
          channel.eventLoop.scheduleTask(in: .seconds(10)) { channel.close(promise: nil) }
          try channel.pipeline.syncOperations.configureHTTPServerPipeline(withPipeliningAssistance: false)
          try channel.pipeline.syncOperations.addHandler(MetricsHandler(registry))
        }
      }
    do {
      let channel = try await listen(bootstrap, passed)
      try await gracefulShutdown()
      try await channel.close()
    } catch is CancellationError {
    } catch {
      logger.error("no counters are shown: \(error)")
      try await gracefulShutdown()
    }
    try await group.shutdownGracefully()
  }

  private func listen(_ bootstrap: ServerBootstrap, _ passed: Int32?) async throws -> any Channel {
    if let passed { return try await bootstrap.withBoundSocket(passed).get() }
    switch place {
    case .socket(let socket):
      let channel = try await ListeningSockets.bind(bootstrap, to: socket)
      // The umask depends on how far the service has come.
      try Path(socket)?.setPermissions(0o660)
      return channel
    case .endpoint(let endpoint): return try await bootstrap.bind(host: endpoint.host, port: endpoint.port).get()
    case nil: throw ListeningSockets.Failure.noSocket(.metrics_socket)
    }
  }
}

/// Answers one request with the counters, and closes.
private final class MetricsHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let registry: MetricsRegistry
  private var request: HTTPRequestHead?

  init(_ registry: MetricsRegistry) {
    self.registry = registry
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head): request = head
    case .body: break
    case .end: answer(context)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  private func answer(_ context: ChannelHandlerContext) {
    let isKnown = request?.uri == "/metrics" || request?.uri == "/"
    let isRead = request?.method == .GET || request?.method == .HEAD
    let status: HTTPResponseStatus = !isRead ? .methodNotAllowed : isKnown ? .ok : .notFound
    let text = status == .ok ? registry.text : "\(status.reasonPhrase)\n"
    var headers = HTTPHeaders([
      ("Content-Type", status == .ok ? "text/plain; version=0.0.4; charset=utf-8" : "text/plain; charset=utf-8"),
      ("Content-Length", "\(text.utf8.count)"), ("Connection", "close"),
    ])
    if status == .methodNotAllowed { headers.add(name: "Allow", value: "GET, HEAD") }
    let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    if request?.method != .HEAD {
      context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
    }
    let channel = context.channel
    context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in channel.close(promise: nil) }
  }
}
