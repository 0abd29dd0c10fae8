// SPDX-License-Identifier: Apache-2.0
package import Conversation
package import Socketmap

/// One client's conversation with the lookup service: netstrings in, netstrings out, one request at a time
/// (socketmap_table(5)). It does no input or output: the caller passes in the bytes that arrived, and does what
/// ``next(isDraining:)`` returns.
package struct LookupSession: Conversation {
  private var received = ReceivedBytes()
  /// A request has been handed out, and its reply is not there yet.
  package private(set) var isAnswering = false

  package init() {}

  package var isIdle: Bool { !isAnswering }

  package mutating func receive(_ bytes: some Sequence<UInt8>) { received.append(bytes) }

  /// - Parameter isDraining: the service is ending. Only the request that was handed out is answered.
  package mutating func next(isDraining: Bool) -> ConversationAction<SocketmapRequest> {
    guard !isAnswering else { return .wait }
    guard !isDraining else { return .close }
    switch Netstring.parse(received.rest, limit: SocketmapRequest.longest) {
    case .incomplete: return .read
    case .invalid: return .close
    case .complete(let payload, let length):
      guard let request = SocketmapRequest(payload) else { return .close }
      received.drop(length)
      isAnswering = true
      return .answer(request)
    }
  }

  /// The bytes to send for the reply to the request that was handed out last.
  package mutating func answered(_ reply: SocketmapReply) -> [UInt8] {
    isAnswering = false
    return Netstring.frame(reply.payload)
  }
}
