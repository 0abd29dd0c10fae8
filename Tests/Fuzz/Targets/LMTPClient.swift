// SPDX-License-Identifier: Apache-2.0
import Conversation
import LMTP
import Text

/// A client of the LMTP service that sends any bytes.
struct LMTPClient {
  private var session = LMTPSession(host: Array("mx".utf8), takesQueueID: true)
  private var sent: [UInt8] = []
  private var messages: [[UInt8]] = []
  private var message: [UInt8] = []
  private var recipients = 0
  /// Replies to the recipients of messages.
  private var verdicts = 0
  private var expected = 0

  /// However the bytes arrive, the replies and the messages are the same. Each accepted recipient of a message that has
  /// ended gets one reply, and of the replies for good there are those that Postfix needs.
  static func check(_ bytes: [UInt8]) {
    let whole = run([bytes[...]])
    let pieces = run(bytes.indices.map { bytes[$0...$0] })
    precondition(whole.sent == pieces.sent, "the replies depend on how the bytes arrive")
    precondition(whole.messages == pieces.messages, "the messages depend on how the bytes arrive")
    precondition(whole.verdicts == whole.expected, "a reply too few or too many")
    for line in whole.sent.split(separator: 10) where line.first == UInt8(ascii: "5") {
      precondition(["500", "503", "550"].contains(line.prefix(3).text), "refused for good: \(line.text)")
    }
    // Only this ends a message, or a message that is empty.
    let ends = bytes.indices.count { bytes[$0...].starts(with: ".\r\n".utf8) }
    precondition(whole.messages.count <= ends, "a message that has not ended")
  }

  private static func run(_ pieces: [ArraySlice<UInt8>]) -> LMTPClient {
    var client = LMTPClient()
    _ = client.proceed()
    for piece in pieces {
      client.session.receive(piece)
      guard client.proceed() else { break }
    }
    return client
  }

  /// - Returns: whether the connection is still open.
  private mutating func proceed() -> Bool {
    while true {
      switch session.next(isDraining: false) {
      case .read, .wait: return true
      case .close: return false
      case .send(let bytes): sent += bytes
      case .answer(let request): sent += session.answered(reply(request))
      }
    }
  }

  private mutating func reply(_ request: LMTPSession.Request) -> LMTPSession.Reply {
    switch request {
    case .recipient(let address, _, let isFirst):
      if isFirst { recipients = 0 }
      if address.count % 3 == 0 { return .verdict(LMTPReply(550, "5.1.1", Array("no".utf8))) }
      recipients += 1
      return .accepted
    case .store(let bytes, _):
      message += bytes
      return .stored
    case .deliver(let recipient, let bytes, _):
      if recipient == 0 {
        messages.append(message + bytes)
        message = []
        expected += recipients
      }
      verdicts += 1
      return .verdict(LMTPReply(250, "2.0.0", Array("Ok".utf8)))
    }
  }
}
