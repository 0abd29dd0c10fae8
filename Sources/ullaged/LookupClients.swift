// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// The clients of the lookup service that are connected now, or wait for an answer. All of it happens on the event loop.
final class LookupClients {
  private var clients: [ObjectIdentifier: LookupHandler] = [:]
  private var whenAllGone: EventLoopPromise<Void>?
  private(set) var isDraining = false
  /// Connections, so that a thousand of a hostile client need no thousand descriptors: more than the 300 processes that
  /// a busy Postfix has, less than the 1024 descriptors that a process may have.
  private static let most = 512

  /// Makes room for one more: the client goes that has asked nothing for the longest time. Its program connects again
  /// when it has a question (`SocketmapTable`, Postfix's dict_sockmap).
  func add(_ client: LookupHandler) {
    // Before it is closed: that removes it at once.
    clients[ObjectIdentifier(client)] = client
    guard !isDraining else { return client.close() }
    guard clients.count > Self.most else { return }
    let silent = clients.values.filter { !$0.isAnswering && $0 !== client }.min { $0.lastUse < $1.lastUse }
    (silent ?? client).close()
  }

  func remove(_ client: LookupHandler) {
    clients[ObjectIdentifier(client)] = nil
    if clients.isEmpty { whenAllGone?.succeed() }
  }

  /// Lets those go who wait for nothing; the others go when they have their answer.
  func drain() {
    isDraining = true
    for client in clients.values where !client.isAnswering { client.close() }
  }

  /// Succeeds when the last client is gone. Asked once.
  func allGone(_ eventLoop: any EventLoop) -> EventLoopFuture<Void> {
    guard !clients.isEmpty else { return eventLoop.makeSucceededVoidFuture() }
    let promise = eventLoop.makePromise(of: Void.self)
    whenAllGone = promise
    return promise.futureResult
  }
}
