// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// The clients of the lookup service that are connected or wait for an answer. Used on the event loop only.
final class LookupClients {
  private var clients: [ObjectIdentifier: LookupHandler] = [:]
  private var whenAllGone: EventLoopPromise<Void>?
  private(set) var isDraining = false
  /// The most connections, so that a hostile client cannot use up our descriptors: more than the 300
  /// processes of a busy Postfix, fewer than the 1024 descriptors that a process may have.
  private static let limit = 512

  /// Adds a client; if there are too many, closes the one that has been idle longest. Its program reconnects
  /// for its next request (`SocketmapTable`, Postfix's dict_sockmap).
  func add(_ client: LookupHandler) {
    // Before a close, which removes it at once.
    clients[ObjectIdentifier(client)] = client
    guard !isDraining else { return client.close() }
    guard clients.count > Self.limit else { return }
    let idle = clients.values.filter { !$0.isAnswering && $0 !== client }.min { $0.lastRequest < $1.lastRequest }
    (idle ?? client).close()
  }

  func remove(_ client: LookupHandler) {
    clients[ObjectIdentifier(client)] = nil
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
