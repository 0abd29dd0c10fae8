// SPDX-License-Identifier: Apache-2.0

/// One client's conversation with a service: bytes in, requests out, one at a time, replies in, bytes out. A value
/// without input or output: the caller passes in the bytes that arrived, and does what ``next(isDraining:)`` returns.
package protocol Conversation {
  associatedtype Request
  associatedtype Reply

  init()

  /// A request has been handed out, and its reply is not there yet.
  var isAnswering: Bool { get }

  mutating func receive(_ bytes: some Sequence<UInt8>)

  /// - Parameter isDraining: the service is ending. What has been asked is answered, and nothing more is read.
  mutating func next(isDraining: Bool) -> ConversationAction<Request>

  /// The bytes to send for the reply to the request that was handed out last.
  mutating func answered(_ reply: Reply) -> [UInt8]
}

/// What to do next in a conversation.
package enum ConversationAction<Request> {
  /// Find the reply to this request, and pass it to `answered`.
  case answer(Request)
  /// Read more from the client.
  case read
  /// Do nothing: a request is being answered.
  case wait
  /// Close the connection: what the client sent is not a request, or the service is ending.
  case close
}

extension ConversationAction: Equatable where Request: Equatable {}
extension ConversationAction: Sendable where Request: Sendable {}
