// SPDX-License-Identifier: Apache-2.0
package import Conversation
import Text

/// One connection of Postfix's lmtp(8): commands and messages in, replies out (RFC 2033). It does no input or output.
///
/// Postfix takes any 2xx for a recipient's delivery, and QUIT follows the message at once, so the number of replies
/// must be right: one for each recipient that was accepted, in that order.
package struct LMTPSession: Conversation {
  /// What others have to do.
  package enum Request: Equatable, Sendable {
    /// Find a recipient's mailbox. The first one begins a new message.
    case recipient([UInt8], Message, isFirst: Bool)
    /// Store these bytes of the message; more follow.
    case store([UInt8], Message)
    /// Deliver the message, whose last bytes these are, to the accepted recipient of this number, from 0 on.
    case deliver(Int, [UInt8], Message)
  }

  /// What the client has said about a message.
  package struct Message: Equatable, Sendable {
    /// Postfix's queue ID; empty if the client has not told.
    package let queueID: [UInt8]
  }

  /// What others have found out or done.
  package enum Reply: Equatable, Sendable {
    /// The recipient has a mailbox.
    case accepted
    case stored
    /// A recipient that is not accepted, or how a delivery has ended.
    case verdict(LMTPReply)
  }

  /// Bytes of a command line. Postfix's addresses have up to 1,000 (`virtual_alias_address_length_limit`).
  static let longestLine = 4096
  static let mostRecipients = 1000
  /// Bytes of a message that are stored together.
  static let chunk = 32 << 10
  private static let mostErrors = 20

  private enum State: Equatable {
    case commands
    case body
    /// The recipient whose delivery comes next.
    case delivering(Int)
    case ended
  }

  private let greeting: [UInt8]
  private let takesQueueID: Bool
  private var received = ReceivedBytes()
  private var state = State.commands
  /// Replies that are sent together: a client that sends several commands at once waits for all of them.
  private var replies: [UInt8]
  private var hasSender = false
  private var recipients = 0
  private var queueID: [UInt8] = []
  private var decoder = BodyDecoder()
  /// What is decoded of the message and not stored yet.
  private var body: [UInt8] = []
  private var errors = 0
  /// The beginning of the current line has been discarded.
  private var isInsideLine = false
  /// The last thing that happened was the end of a message.
  private var isBetweenMessages = false
  package private(set) var isAnswering = false

  /// - Parameters:
  ///   - host: our name.
  ///   - takesQueueID: whether XFORWARD is offered.
  package init(host: [UInt8], takesQueueID: Bool) {
    self.takesQueueID = takesQueueID
    let host = singleLine(host)
    replies = LMTPGreeting.line(host)
    // SIZE without a number: with one, Postfix would refuse larger messages by itself.
    let offers =
      ["PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8"] + (takesQueueID ? ["XFORWARD IDENT"] : [])
    greeting =
      Array("250-".utf8) + host + offers.flatMap { Array("\r\n250-\($0)".utf8) } + Array("\r\n250 SIZE\r\n".utf8)
  }

  /// Postfix tries a cached connection before it uses that again, so one between messages may be closed. One that is
  /// about to bring a message may not: Postfix would defer that message, and then others.
  package var isIdle: Bool { isBetweenMessages && !isAnswering && received.rest.isEmpty }

  package mutating func receive(_ bytes: some Sequence<UInt8>) { received.append(bytes) }

  package mutating func next(isDraining: Bool) -> ConversationAction<Request> {
    guard !isAnswering else { return .wait }
    while replies.count <= Self.longestLine {
      switch step() {
      case .done: continue
      case .ask(let request):
        isAnswering = true
        return .answer(request)
      case .needsMore:
        guard replies.isEmpty else { return .send(takeReplies()) }
        return state == .ended || isDraining && isIdle ? .close : .read
      }
    }
    return .send(takeReplies())
  }

  package mutating func answered(_ reply: Reply) -> [UInt8] {
    isAnswering = false
    switch reply {
    case .stored: break
    case .accepted:
      recipients += 1
      send(.recipientOk)
    case .verdict(let verdict):
      guard case .delivering(let recipient) = state else {
        send(verdict)
        break
      }
      state = .delivering(recipient + 1)
      if recipient + 1 == recipients {
        reset()
        isBetweenMessages = true
      }
      // At once: after a crash, what has been answered is not sent again.
      return verdict.bytes
    }
    return []
  }

  private enum Step {
    case done
    case ask(Request)
    case needsMore
  }

  private mutating func step() -> Step {
    switch state {
    case .commands: takeLine().map { perform($0) } ?? .needsMore
    case .body: takeBody()
    case .delivering(let recipient): .ask(.deliver(recipient, takeChunk(), Message(queueID: queueID)))
    case .ended: .needsMore
    }
  }

  /// Takes a line up to CR LF. An LF by itself does not end one: behind it might be what somebody has smuggled into an
  /// address.
  private mutating func takeLine() -> LMTPCommand? {
    var length = 0
    while let end = received.rest.dropFirst(length).firstIndex(of: UInt8(ascii: "\n")) {
      let line = received.rest[..<end]
      length = line.count + 1
      guard line.last == UInt8(ascii: "\r") else { continue }
      received.drop(length)
      return command(line.dropLast())
    }
    if received.rest.count > Self.longestLine {
      isInsideLine = true
      // The last byte may be the CR of the line's end.
      received.drop(received.rest.count - 1)
    }
    return nil
  }

  private mutating func command(_ line: ArraySlice<UInt8>) -> LMTPCommand {
    defer { isInsideLine = false }
    let isWhole = !isInsideLine && line.count <= Self.longestLine
    let isText = line.allSatisfy { $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: "\n") && $0 != 0 }
    return isWhole && isText ? LMTPCommand(line) : .invalid(.badLine)
  }

  private mutating func perform(_ command: LMTPCommand) -> Step {
    isBetweenMessages = false
    switch command {
    case .lhlo:
      reset()
      replies += greeting
    case .mail:
      guard !hasSender else { return complain(.nestedMail) }
      hasSender = true
      send(.senderOk)
    case .rcpt(let address):
      guard hasSender else { return complain(.noSender) }
      guard recipients < Self.mostRecipients else {
        send(.tooManyRecipients)
        return .done
      }
      return .ask(.recipient(address, Message(queueID: queueID), isFirst: recipients == 0))
    case .data:
      // Postfix may have sent it before it knew that no recipient is accepted.
      guard recipients > 0 else { send(.noRecipients); return .done }
      replies += LMTPReply.goAhead
      decoder = BodyDecoder()
      state = .body
    case .rset:
      reset()
      send(.ok)
    case .noop: send(.ok)
    case .vrfy: send(.notVerified)
    case .xforward(let id):
      guard takesQueueID else { return complain(.unknownCommand) }
      queueID = id
      send(.ok)
    case .quit:
      send(.bye)
      state = .ended
    case .invalid(let reason): return complain(reason)
    }
    return .done
  }

  private mutating func takeBody() -> Step {
    // The client waits for the 354 before it sends the message.
    guard !received.rest.isEmpty, replies.isEmpty else { return .needsMore }
    let part = received.rest.prefix(Self.chunk)
    if body.isEmpty { body.reserveCapacity(part.count) }
    let (isEnd, length) = decoder.decode(part, into: &body)
    received.drop(length)
    if isEnd { state = .delivering(0) }
    if isEnd || body.count < Self.chunk { return .done }
    return .ask(.store(takeChunk(), Message(queueID: queueID)))
  }

  private mutating func takeChunk() -> [UInt8] {
    defer { body = [] }
    return body
  }

  private mutating func takeReplies() -> [UInt8] {
    defer { replies = [] }
    return replies
  }

  private mutating func send(_ reply: LMTPReply) { replies += reply.bytes }

  private mutating func complain(_ reply: LMTPReply) -> Step {
    errors += 1
    send(errors > Self.mostErrors ? .tooManyErrors : reply)
    if errors > Self.mostErrors { state = .ended }
    return .done
  }

  /// Forgets the current message.
  private mutating func reset() {
    (hasSender, recipients, queueID) = (false, 0, [])
    state = .commands
  }
}
