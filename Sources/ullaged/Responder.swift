// SPDX-License-Identifier: Apache-2.0
import Conversation
import Posix

/// What a service answers its clients with.
protocol Responder: Sendable {
  associatedtype Session: Conversation where Session.Request: Sendable, Session.Reply: Sendable

  /// Seconds from a request to its answer, including the wait for a thread.
  static var answerTimeout: Int64 { get }

  /// The most connections, so that a hostile client cannot use up our descriptors.
  static var clientLimit: Int { get }

  /// Whatever all services count.
  var metrics: ServiceMetrics { get }

  /// The reply if it is known without waiting, nil if a thread must find it. Called on the event loop.
  func immediateReply(to request: Session.Request) -> Session.Reply?

  /// The reply, found by `deadline`. Called in any thread.
  func reply(to request: Session.Request, until deadline: Deadline) -> Session.Reply

  /// The reply if there is none by a second after that, nil to wait for it: a thread may hang in a file system.
  func lateReply(to request: Session.Request) -> Session.Reply?

  /// Notes that a late reply was given.
  func noteLateReply()
}
