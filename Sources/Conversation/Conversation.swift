// SPDX-License-Identifier: Apache-2.0

/// One client's conversation with a service: bytes in, requests out, one at a time, replies in, bytes out. A value
/// without input or output: the caller passes in the bytes that arrived, and does what ``next(isDraining:)`` returns.
package protocol Conversation {
  associatedtype Request
  associatedtype Reply

  /// A request has been handed out, and its reply is not there yet.
  var isAnswering: Bool { get }

  /// Nothing is lost if the connection is closed now: the client asks again on another one.
  var isIdle: Bool { get }

  mutating func receive(_ bytes: some Sequence<UInt8>)

  /// - Parameter isDraining: the service is ending. What has been asked is answered, and nothing more is read.
  mutating func next(isDraining: Bool) -> ConversationAction<Request>

  /// The bytes to send now for the reply to the request that was handed out last, if any.
  mutating func answered(_ reply: Reply) -> [UInt8]
}

/// What to do next in a conversation.
package enum ConversationAction<Request> {
  /// Find the reply to this request, and pass it to `answered`.
  case answer(Request)
  /// Send these bytes.
  case send([UInt8])
  /// Read more from the client.
  case read
  /// Do nothing: a request is being answered.
  case wait
  /// Close the connection: what the client sent is not a request, or the service is ending.
  case close
}

extension ConversationAction: Equatable where Request: Equatable {}
extension ConversationAction: Sendable where Request: Sendable {}
