// SPDX-License-Identifier: Apache-2.0
import Conversation
import Posix

/// What a service answers its clients with.
protocol Responder: Sendable {
  associatedtype Session: Conversation where Session.Request: Sendable, Session.Reply: Sendable

  /// The most connections, so that a hostile client cannot use up our descriptors.
  static var clientLimit: Int { get }

  /// The descriptors that a connection may use.
  static var descriptorsPerClient: Int { get }

  /// Whether connections beyond the limit wait until they are accepted. Otherwise an idle one is closed for each.
  static var letsClientsWait: Bool { get }

  /// Seconds after which a connection is closed on which nothing happens; nil if it may stay.
  static var silenceLimit: Int64? { get }

  /// How many requests with the same turn (`turn(of:)`) are worked on at once.
  var turnLimit: Int { get }

  /// Seconds from a request to its answer, including the wait for a thread.
  var answerTimeout: Int64 { get }

  /// Whether `lateReply` may have a reply.
  static var hasLateReplies: Bool { get }

  /// Whatever all services count.
  var metrics: ServiceMetrics { get }

  /// What answers one connection.
  ///
  /// - Parameter isLocal: it came through a Unix socket.
  func connected(isLocal: Bool) -> Self

  /// The conversation with one client.
  func makeSession() -> Session

  /// What a request waits for its turn at, nil for one that need not wait.
  func turn(of request: Session.Request) -> [UInt8]?

  /// The reply if it is known without waiting, nil if a thread must find it. Called on the event loop.
  func immediateReply(to request: Session.Request) -> Session.Reply?

  /// What finds the reply, by a deadline. Called on the event loop; what it returns is called in any thread, perhaps
  /// after the request has been answered late.
  func work(on request: Session.Request) -> @Sendable (Deadline) -> Session.Reply

  /// A reply was found, and is being sent. Called on the event loop.
  func take(_ reply: Session.Reply, to request: Session.Request)

  /// The reply if `work` has found none by a second after its deadline, nil to wait for it: a thread may hang in a file
  /// system. Called on the event loop.
  func lateReply(to request: Session.Request) -> Session.Reply?

  /// The client has hung up, and gets no more replies.
  func clientIsGone()

  /// What a thread still has to do after a late reply, or when the client is gone; nil if that is nothing.
  func leftover() -> (@Sendable () -> Void)?

  /// Notes that a late reply was given.
  func noteLateReply(to request: Session.Request)
}

/// For a service that treats all connections alike, and each of whose threads answers in time.
extension Responder {
  static var descriptorsPerClient: Int { 2 }
  static var letsClientsWait: Bool { false }
  static var silenceLimit: Int64? { nil }
  static var hasLateReplies: Bool { false }
  var turnLimit: Int { .max }

  func connected(isLocal: Bool) -> Self { self }
  func turn(of request: Session.Request) -> [UInt8]? { nil }
  func clientIsGone() {}
  func leftover() -> (@Sendable () -> Void)? { nil }
  func lateReply(to request: Session.Request) -> Session.Reply? { nil }
  func noteLateReply(to request: Session.Request) {}
  func take(_ reply: Session.Reply, to request: Session.Request) {}
}
