// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// A connection, as far as all services treat it alike.
protocol ServiceClient: AnyObject {
  /// A thread is working for this client.
  var isAnswering: Bool { get }
  var lastRequest: NIODeadline { get }
  /// Its program has not hung up. If it has, a thread may still be working for it.
  var isConnected: Bool { get }
  func close()
}

/// The clients of a service that are connected or wait for an answer. Used on the event loop only.
final class ServiceClients {
  private var clients: [ObjectIdentifier: any ServiceClient] = [:]
  private var whenAllGone: EventLoopPromise<Void>?
  private(set) var isDraining = false
  private let limit: Int
  private let metrics: ServiceMetrics

  /// - Parameter limit: the most connections.
  init(limit: Int, _ metrics: ServiceMetrics) {
    self.limit = limit
    self.metrics = metrics
  }

  /// Adds a client; if there are too many, closes the one that has been idle longest. Its program reconnects for its
  /// next request (`SocketmapTable`, Postfix's dict_sockmap and policy client).
  func add(_ client: some ServiceClient) {
    // Before a close, which removes it at once.
    clients[ObjectIdentifier(client)] = client
    metrics.noteConnections(clients.count, isNew: true)
    guard !isDraining else { return client.close() }
    guard clients.count > limit else { return }
    let idle = clients.values.filter { $0.isConnected && !$0.isAnswering && $0 !== client }.min {
      $0.lastRequest < $1.lastRequest
    }
    (idle ?? client).close()
  }

  func remove(_ client: some ServiceClient) {
    clients[ObjectIdentifier(client)] = nil
    metrics.noteConnections(clients.count, isNew: false)
    if clients.isEmpty { whenAllGone?.succeed() }
  }

  /// Closes idle clients now, and the others after their answer.
  func drain() {
    isDraining = true
    for client in clients.values where !client.isAnswering { client.close() }
  }

  /// Succeeds when the last client is gone. Call it only once.
  func allGone(_ eventLoop: any EventLoop) -> EventLoopFuture<Void> {
    guard !clients.isEmpty else { return eventLoop.makeSucceededVoidFuture() }
    let promise = eventLoop.makePromise(of: Void.self)
    whenAllGone = promise
    return promise.futureResult
  }
}
