// SPDX-License-Identifier: Apache-2.0
package import Conversation
import Text

/// One connection of smtpd(8): bytes in, requests out, and what it has asked about the current message. It does no
/// input or output.
package struct PolicySession: Conversation {
  /// What is to be decided.
  package enum Question: Equatable, Sendable {
    /// About these recipients: one, or at the end of a message all that were passed.
    case recipients([[UInt8]], PolicyRequest)
    /// Nothing: the answer is `pass`.
    case nothing(Reason)
  }

  /// Why there is nothing to decide.
  package enum Reason: String, Sendable {
    /// No request of this protocol, a request without a recipient, or too long a one.
    case invalid
    /// A state in which nothing is decided.
    case state
    /// At the end of a message: other recipients than those that were passed here.
    case otherRecipients = "other-recipients"
  }

  /// Bytes of a line and of a request. Postfix names no limits; addresses have at most a few hundred bytes.
  package static let longestLine = 16 << 10
  package static let longestRequest = 64 << 10
  /// Postfix accepts 1,000 recipients for a message (`smtpd_recipient_limit`).
  package static let mostRecipients = 1000

  private var received = ReceivedBytes()
  private var lines: [[UInt8]] = []
  private var length = 0
  /// The rest of the request is discarded up to its empty line.
  private var isTooLong = false
  /// The beginning of the current line has been discarded.
  private var isInsideLine = false
  package private(set) var isAnswering = false

  /// The recipient that is being answered, if it counts for the end of the message.
  private var current: [UInt8]?
  private var instance: [UInt8] = []
  private var passed: [[UInt8]] = []
  /// Bytes in `passed`.
  private var passedBytes = 0
  /// Who was passed does not tell who gets the message: a recipient came twice, or there are too many.
  private var isUncertain = false

  package init() {}

  package var isIdle: Bool { !isAnswering }

  package mutating func receive(_ bytes: some Sequence<UInt8>) { received.append(bytes) }

  package mutating func next(isDraining: Bool) -> ConversationAction<Question> {
    guard !isAnswering else { return .wait }
    while var line = received.take(upTo: UInt8(ascii: "\n")) {
      if line.last == UInt8(ascii: "\r") { line = line.dropLast() }
      // Postfix sends no empty request; one is answered all the same.
      if line.isEmpty, !isInsideLine {
        isAnswering = true
        return .answer(takeQuestion())
      }
      isInsideLine = false
      take(line)
    }
    if received.rest.count > Self.longestLine {
      (isTooLong, isInsideLine) = (true, true)
      received.drop(received.rest.count)
    }
    return isDraining ? .close : .read
  }

  package mutating func answered(_ answer: PolicyAnswer) -> [UInt8] {
    isAnswering = false
    if let recipient = current, answer == .pass { note(recipient) }
    current = nil
    return answer.bytes
  }

  private mutating func note(_ recipient: [UInt8]) {
    passedBytes += recipient.count
    isUncertain =
      isUncertain || passed.count >= Self.mostRecipients || passedBytes > Self.longestRequest
      || passed.contains(recipient)
    if isUncertain { passed = [] } else { passed.append(recipient) }
  }

  private mutating func take(_ line: ArraySlice<UInt8>) {
    length += line.count + 1
    if line.count > Self.longestLine || length > Self.longestRequest { isTooLong = true }
    if isTooLong { lines = [] } else { lines.append(Array(line)) }
  }

  private mutating func takeQuestion() -> Question {
    defer { (lines, length, isTooLong) = ([], 0, false) }
    guard !isTooLong else { return .nothing(.invalid) }
    let request = PolicyRequest(lines)
    guard request.isPolicyRequest else { return .nothing(.invalid) }
    if request.instance != instance {
      (instance, passed, passedBytes, isUncertain) = (request.instance, [], 0, false)
    }
    switch request.state {
    case .recipient:
      guard !request.recipient.isEmpty else { return .nothing(.invalid) }
      current = request.recipient
      return .recipients([request.recipient], request)
    case .endOfMessage: return atEnd(request)
    case .data, nil: return .nothing(.state)
    }
  }

  /// smtpd(8) names the recipient only if there is one. Of several, those are known that were asked about on this
  /// connection; if that is not all of them, nothing is refused.
  private func atEnd(_ request: PolicyRequest) -> Question {
    if !request.recipient.isEmpty { return .recipients([request.recipient], request) }
    guard !isUncertain, !passed.isEmpty, request.recipientCount == passed.count, !request.instance.isEmpty
    else { return .nothing(.otherRecipients) }
    return .recipients(passed, request)
  }
}
