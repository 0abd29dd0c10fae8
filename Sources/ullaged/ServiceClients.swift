// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// A connection, as far as all services treat it alike.
protocol ServiceClient: AnyObject {
  /// Nothing is lost if it is closed now.
  var isIdle: Bool { get }
  var lastRequest: NIODeadline { get }
  /// Its program has not hung up. If it has, a thread may still be working for it.
  var isConnected: Bool { get }
  func close()
  /// Ends what it has begun, and closes.
  func drain()
}

/// The clients of a service that are connected or wait for an answer. Used on the event loop only.
final class ServiceClients {
  let turns = Turns()
  private var clients: [ObjectIdentifier: any ServiceClient] = [:]
  private var whenAllGone: EventLoopPromise<Void>?
  private(set) var isDraining = false
  private let limit: Int
  private let metrics: ServiceMetrics
  /// The listening sockets if connections wait there while there are too many.
  private var sockets: [any Channel] = []

  /// - Parameter limit: the most connections.
  init(limit: Int, _ metrics: ServiceMetrics) {
    self.limit = limit
    self.metrics = metrics
  }

  /// From now on, further connections wait at `sockets` while there are as many as may be.
  func hold(at sockets: [any Channel]) {
    self.sockets = sockets
    accept()
  }

  /// There is no room for a connection that waits.
  var isFull: Bool { !sockets.isEmpty && clients.count >= limit }

  /// Adds a client; if there are too many, closes the one that has been idle longest. Its program reconnects for its
  /// next request (`SocketmapTable`, Postfix's dict_sockmap, policy client and lmtp(8)).
  func add(_ client: some ServiceClient) {
    // Before a close, which removes it at once.
    clients[ObjectIdentifier(client)] = client
    metrics.noteConnections(clients.count, isNew: true)
    guard !isDraining else { return end(client) }
    accept()
    guard clients.count > limit || isFull else { return }
    let idle = clients.values.filter { $0.isConnected && $0.isIdle && $0 !== client }.min {
      $0.lastRequest < $1.lastRequest
    }
    if let idle { idle.close() } else if !isFull { client.close() }
  }

  func remove(_ client: some ServiceClient) {
    guard clients.removeValue(forKey: ObjectIdentifier(client)) != nil else { return }
    metrics.noteConnections(clients.count, isNew: false)
    accept()
    if clients.isEmpty { whenAllGone?.succeed() }
  }

  private func accept() {
    for socket in sockets where socket.isActive { _ = socket.setOption(.autoRead, value: !isFull) }
  }

  private func end(_ client: any ServiceClient) { if client.isIdle { client.close() } else { client.drain() } }

  /// Closes idle clients now, and the others when they have ended what they have begun.
  func drain() {
    isDraining = true
    for client in clients.values { end(client) }
  }

  /// Succeeds when the last client is gone. Call it only once.
  func allGone(_ eventLoop: any EventLoop) -> EventLoopFuture<Void> {
    guard !clients.isEmpty else { return eventLoop.makeSucceededVoidFuture() }
    let promise = eventLoop.makePromise(of: Void.self)
    whenAllGone = promise
    return promise.futureResult
  }
}
