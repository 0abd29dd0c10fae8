// SPDX-License-Identifier: Apache-2.0
import Conversation
import TestSupport
import Testing
import Text

@testable import Policy

/// Conversations with smtpd(8), as bytes (SMTPD_POLICY_README).
struct PolicySessionTests {
  private static func request(_ state: String, _ lines: String = "", instance: String = "1.2.3") -> String {
    "request=smtpd_access_policy\nprotocol_state=\(state)\ninstance=\(instance)\n\(lines)\n"
  }

  /// Receives `text`, and answers what is asked, in order, until more is needed.
  private static func converse(
    _ session: inout PolicySession, _ text: String, _ answer: PolicyAnswer = .pass
  ) -> [PolicySession.Question] {
    session.receive(Array(text.utf8))
    var questions: [PolicySession.Question] = []
    while case .answer(let question) = session.next(isDraining: false) {
      questions.append(question)
      _ = session.answered(answer)
    }
    return questions
  }

  private static func recipients(_ question: PolicySession.Question?) -> [String]? {
    guard case .recipients(let recipients, _)? = question else { return nil }
    return recipients.map(\.text)
  }

  @Test("A request asks about its recipient, whatever other attributes there are")
  func recipient() throws {
    var session = PolicySession()
    let lines = "recipient=You@example.org\nsize=1234\nsender=\nclient_address=192.0.2.1\nno_such=x=y\nnonsense\n"
    let question = try #require(Self.converse(&session, Self.request("RCPT", lines)).first)
    guard case .recipients(let recipients, let request) = question else {
      Issue.record("\(question)")
      return
    }
    #expect(recipients.map(\.text) == ["You@example.org"] && request.size == 1234 && request.sender.isEmpty)
    #expect(request.clientAddress.text == "192.0.2.1" && session.next(isDraining: false) == .read)
  }

  @Test("A request may arrive byte by byte, and several at once; each is answered before the next is taken")
  func pieces() {
    var session = PolicySession()
    let text = Self.request("RCPT", "recipient=a@d\n") + Self.request("RCPT", "recipient=b@d\n")
    var asked: [String] = []
    for byte in text.utf8 {
      asked += Self.converse(&session, String(UnicodeScalar(byte))).flatMap { Self.recipients($0) ?? [] }
    }
    #expect(asked == ["a@d", "b@d"])
    session.receive(Array(text.utf8))
    guard case .answer = session.next(isDraining: false) else {
      Issue.record("no question")
      return
    }
    #expect(session.isAnswering && session.next(isDraining: false) == .wait)
    #expect(session.answered(.pass).text == "action=DUNNO\n\n" && !session.isAnswering)
  }

  @Test(
    "Where there is nothing to decide, the recipient passes",
    arguments: [
      ("request=junk_mail\nprotocol_state=RCPT\nrecipient=a@d\n\n", PolicySession.Reason.invalid), ("\n", .invalid),
      ("protocol_state=RCPT\nrecipient=a@d\n\n", .invalid), (request("RCPT"), .invalid),
      (request("RCPT", "recipient=\n"), .invalid), (request("DATA", "recipient=a@d\n"), .state),
      (request("MAIL"), .state), (request("NEW-STATE", "recipient=a@d\n"), .state), (request(""), .state),
      (request("END-OF-MESSAGE", "recipient_count=2\n"), .otherRecipients),
    ])
  func nothing(text: String, reason: PolicySession.Reason) {
    var session = PolicySession()
    #expect(Self.converse(&session, text) == [.nothing(reason)])
  }

  @Test("Of two lines with one name the last applies; lines may end in CR LF")
  func lines() {
    var session = PolicySession()
    let text = Self.request("RCPT", "recipient=a@d\nrecipient=b@d\n").replacing("\n", with: "\r\n")
    #expect(Self.recipients(Self.converse(&session, text).first) == ["b@d"])
  }

  @Test(
    "A size that is no number is unknown, one beyond Int64 is the largest", arguments: ["", "x", "-1", "1e9", "+1"])
  func size(text: String) {
    #expect(PolicyRequest([Array("size=\(text)".utf8)]).size == 0)
    #expect(PolicyRequest([Array("size=99999999999999999999".utf8)]).size == .max)
  }

  @Test("A request of 1 MB in one line or in many is discarded up to its end, and the next one is understood")
  func long() {
    for filler in [String(repeating: "x", count: 1 << 20) + "\n", String(repeating: "a=b\n", count: 1 << 18)] {
      var session = PolicySession()
      var asked: [PolicySession.Question] = []
      let text = Self.request("RCPT", "recipient=a@d\n" + filler) + Self.request("RCPT", "recipient=b@d\n")
      var rest = Array(text.utf8)[...]
      // A multiple of the limit: the line is cut right at its end once.
      while !rest.isEmpty {
        let piece = rest.prefix(PolicySession.longestLine + 1)
        asked += Self.converse(&session, String(decoding: piece, as: UTF8.self))
        rest = rest.dropFirst(piece.count)
      }
      #expect(asked.count == 2 && asked.first == .nothing(.invalid) && Self.recipients(asked.last) == ["b@d"])
    }
  }

  @Test("A line that is cut off right before its end does not end the request")
  func cutAtEnd() {
    var session = PolicySession()
    session.receive(
      Array("request=smtpd_access_policy\n\(String(repeating: "x", count: PolicySession.longestLine + 1))".utf8))
    #expect(session.next(isDraining: false) == .read)
    #expect(Self.converse(&session, "\nrecipient=a@d\n") == [])
    #expect(Self.converse(&session, "\n") == [.nothing(.invalid)])
  }

  @Test("The end of a message with one recipient asks about that one, with the real size")
  func endOfOne() {
    var session = PolicySession()
    let end = Self.request("END-OF-MESSAGE", "recipient=a@d\nrecipient_count=1\nsize=9\n")
    #expect(Self.recipients(Self.converse(&session, end).first) == ["a@d"])
  }

  @Test("With several it asks about those that were passed on this connection, if there are no others")
  func endOfSeveral() {
    func end(
      _ count: Int, after first: [PolicySession.Question] = [], instance: String = "1.2.3", passed: PolicyAnswer = .pass
    )
      -> [String]?
    {
      var session = PolicySession()
      for recipient in ["a@d", "b@d"] {
        _ = Self.converse(&session, Self.request("RCPT", "recipient=\(recipient)\n"), passed)
      }
      let text = Self.request("END-OF-MESSAGE", "recipient_count=\(count)\n", instance: instance)
      return Self.recipients(Self.converse(&session, text).first)
    }
    #expect(end(2) == ["a@d", "b@d"])
    // One that came twice may have been refused by another restriction in between.
    var twice = PolicySession()
    for recipient in ["a@d", "a@d"] { _ = Self.converse(&twice, Self.request("RCPT", "recipient=\(recipient)\n")) }
    let text = Self.request("END-OF-MESSAGE", "recipient_count=2\n")
    #expect(Self.converse(&twice, text) == [.nothing(.otherRecipients)])
    // Another restriction has refused one of them, or let one pass before it came to us.
    #expect(end(1) == nil && end(3) == nil)
    #expect(end(2, instance: "9.9.9") == nil)
    #expect(end(2, passed: .refuse(.full, text: [])) == nil)
  }

  @Test("More recipients than a message may have are not kept")
  func manyRecipients() {
    var session = PolicySession()
    for number in 0..<1100 { _ = Self.converse(&session, Self.request("RCPT", "recipient=\(number)@d\n")) }
    let end = Self.request("END-OF-MESSAGE", "recipient_count=1100\n")
    #expect(Self.converse(&session, end) == [.nothing(.otherRecipients)])
  }

  @Test("When the service ends, what has been asked is answered, and nothing more is read")
  func draining() {
    var session = PolicySession()
    session.receive(Array(Self.request("RCPT", "recipient=a@d\n").utf8))
    guard case .answer = session.next(isDraining: true) else {
      Issue.record("no question")
      return
    }
    _ = session.answered(.pass)
    #expect(session.next(isDraining: true) == .close)
  }

  @Test("Whatever a client sends, each empty line gets one answer")
  func noise() {
    let pieces = [
      "request=smtpd_access_policy", "protocol_state=RCPT", "recipient=a@d", "\n", "\n\n", "=", "a", "\r", "size=1",
    ]
    for text in Noise(pieces) {
      var session = PolicySession()
      session.receive(text)
      var answers = 0
      while case .answer = session.next(isDraining: false) {
        answers += 1
        let bytes = session.answered(.pass)
        #expect(bytes.text == "action=DUNNO\n\n")
      }
      let lines = text.split(separator: 10, omittingEmptySubsequences: false).dropLast()
      #expect(answers == lines.count { $0.isEmpty || $0.elementsEqual([13]) })
    }
  }
}
