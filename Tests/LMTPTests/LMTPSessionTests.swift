// SPDX-License-Identifier: Apache-2.0
import Conversation
import TestSupport
import Testing
import Text

@testable import LMTP

/// Conversations with lmtp(8), as bytes (RFC 2033).
struct LMTPSessionTests {
  /// A session with whoever finds mailboxes and delivers: `no@` has none, `bad@` has trouble, and copies for `full@` do
  /// not fit.
  private struct Talk {
    var session: LMTPSession
    var sent = ""
    var asked: [LMTPSession.Request] = []
    /// How often something was sent.
    var writes = 0
    var isClosed = false
    var recipients: [String] = []

    init(takesQueueID: Bool = true) {
      session = LMTPSession(host: Array("mx.example.org".utf8), takesQueueID: takesQueueID)
      proceed()
    }

    mutating func send(_ text: String) {
      session.receive(Array(text.utf8))
      proceed()
    }

    mutating func send(_ bytes: [UInt8]) {
      session.receive(bytes)
      proceed()
    }

    mutating func proceed(isDraining: Bool = false) {
      while true {
        switch session.next(isDraining: isDraining) {
        case .read, .wait: return
        case .close:
          isClosed = true
          return
        case .send(let bytes): write(bytes)
        case .answer(let request):
          asked.append(request)
          write(session.answered(reply(request)))
        }
      }
    }

    private mutating func write(_ bytes: [UInt8]) {
      guard !bytes.isEmpty else { return }
      sent += bytes.text
      writes += 1
    }

    private mutating func reply(_ request: LMTPSession.Request) -> LMTPSession.Reply {
      switch request {
      case .recipient(let address, _, let isFirst):
        if isFirst { recipients = [] }
        if address.text.hasPrefix("no@") { return .verdict(LMTPReply(550, "5.1.1", "none")) }
        if address.text.hasPrefix("bad@") { return .verdict(LMTPReply(451, "4.3.0", "trouble")) }
        recipients.append(address.text)
        return .accepted
      case .store: return .stored
      case .deliver(let index, _, _):
        let isFull = recipients[index].hasPrefix("full@")
        return .verdict(isFull ? LMTPReply(452, "4.2.2", "full") : LMTPReply(250, "2.0.0", recipients[index]))
      }
    }

    /// The codes of what was sent, one for each reply.
    var codes: [String] {
      sent.split(separator: "\r\n").filter { !$0.dropFirst(3).hasPrefix("-") }.map { String($0.prefix(3)) }
    }

    /// The message that was to be stored.
    var body: [UInt8] {
      asked.flatMap { request -> [UInt8] in
        switch request {
        case .recipient: []
        case .store(let bytes, _), .deliver(_, let bytes, _): bytes
        }
      }
    }
  }

  private static let start = "LHLO client\r\nMAIL FROM:<me@example.net> SIZE=12 BODY=8BITMIME\r\n"

  @Test("The greeting names the extensions that Postfix needs, and none that would change what it does")
  func greeting() {
    var talk = Talk()
    #expect(talk.sent == "220 mx.example.org Ullage LMTP\r\n")
    talk.send("lhlo client\r\n")
    let offers = ["PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8", "XFORWARD IDENT"]
    #expect(
      talk.sent.hasSuffix(
        "250-mx.example.org\r\n" + offers.map { "250-\($0)\r\n" }.joined() + "250 SIZE\r\n"))
    var other = Talk(takesQueueID: false)
    other.send("LHLO client\r\nXFORWARD IDENT=ABC\r\n")
    #expect(!other.sent.contains("XFORWARD") && other.codes == ["220", "250", "500"])
  }

  @Test("Each accepted recipient gets its reply, in order, as soon as it is there; QUIT may follow the dot")
  func replies() {
    var talk = Talk()
    talk.send(
      Self.start + "RCPT TO:<a@d>\r\nRCPT TO:<no@d>\r\nRCPT TO:<full@d>\r\nRCPT TO:<bad@d>\r\nRCPT TO:<a@d>\r\nDATA\r\n"
    )
    #expect(talk.codes == ["220", "250", "250", "250", "550", "250", "451", "250", "354"])
    // The greeting by itself, then one write for the whole group.
    #expect(talk.writes == 2)
    talk.send("Subject: hi\r\n\r\n..\r\n.\r\nQUIT\r\n")
    #expect(talk.codes.dropFirst(9) == ["250", "452", "250", "221"] && talk.writes == 6 && talk.isClosed)
    #expect(talk.body.text == "Subject: hi\n\n.\n")
    let message = LMTPSession.Message(queueID: [])
    #expect(
      talk.asked.suffix(3) == [.deliver(0, talk.body, message), .deliver(1, [], message), .deliver(2, [], message)])
  }

  @Test("However the bytes of a client arrive, the replies are the same")
  func pieces() {
    let text =
      Self.start
      + "RCPT TO:<a@d>\r\nRCPT TO:<b@d>\r\nDATA\r\nx\r\n.\r\nRSET\r\nMAIL FROM:<>\r\nRCPT TO:<c@d>\r\nDATA\r\n"
      + "y\r\n.\r\nnonsense\r\nQUIT\r\n"
    var whole = Talk()
    whole.send(text)
    var pieces = Talk()
    for byte in text.utf8 { pieces.send([byte]) }
    #expect(whole.sent == pieces.sent && whole.isClosed && pieces.isClosed && whole.asked == pieces.asked)
    #expect(whole.codes.suffix(9) == ["250", "250", "250", "250", "250", "354", "250", "500", "221"])
  }

  @Test("DATA without a recipient is 503, so that Postfix sends no message; it is no error of the client's")
  func noRecipients() {
    var talk = Talk()
    for _ in 0..<50 { talk.send("MAIL FROM:<a@d>\r\nRCPT TO:<no@d>\r\nDATA\r\nRSET\r\n") }
    #expect(talk.codes == ["220"] + Array(repeating: ["250", "550", "503", "250"], count: 50).flatMap { $0 })
  }

  @Test("Nothing but an unknown recipient is refused for good: LHLO, MAIL, RCPT and DATA with faults get 451")
  func faults() {
    let long = String(repeating: "x", count: 5000)
    for line in [
      "MAIL", "MAIL FROM", "MAIL FROM:<\(long)>", "MAIL FROM:<a\0@d>", "RCPT TO:<a@d>", "RCPT", "RCPT TO:a@d",
      "RCPT TO:<>", "RCPT TO:<a@d", "LHLO \(long)", "DATA x", "RCPT TO:<a\n@d>", "LHLO a\rb",
    ] {
      var talk = Talk()
      talk.send("\(line)\r\nNOOP\r\n")
      #expect(talk.codes == ["220", "451", "250"], "\(line.prefix(30))")
    }
    var talk = Talk()
    talk.send("LHLO\r\nMAIL FROM: garbage\r\nMAIL FROM:<a@d>\r\nEHLO a\r\nHELO a\r\nBDAT 1\r\nSTARTTLS\r\nVRFY a\r\n")
    #expect(talk.codes == ["220", "250", "250", "451", "500", "500", "500", "500", "252"])
  }

  @Test("A line that an LF by itself would end is one line, and nothing behind the LF is a command")
  func lineFeed() {
    var talk = Talk()
    talk.send("LHLO a\r\nMAIL FROM:<a>\nRCPT TO:<b@d>\r\nNOOP\r\n")
    #expect(talk.codes == ["220", "250", "451", "250"] && talk.asked.isEmpty)
    talk.send(String(repeating: "\n", count: 200_000) + "QUIT\r\nQUIT\r\n")
    #expect(talk.codes.suffix(2) == ["451", "221"])
  }

  @Test(
    "Nothing after a false end of a message is a command",
    arguments: ["\n.\n", "\r\n.\n", "\n.\r\n", "\r.\r", "\r\n\0.\r\n"])
  func smuggling(end: String) {
    var talk = Talk()
    talk.send(Self.start + "RCPT TO:<a@d>\r\nDATA\r\n")
    let before = talk.codes
    talk.send("a\(end)MAIL FROM:<b@d>\r\nRCPT TO:<c@d>\r\nDATA\r\nb\r\n.\r\n")
    #expect(talk.codes == before + ["250"] && talk.asked.count == 2 && talk.recipients == ["a@d"])
  }

  @Test(
    "Recipients are taken as Postfix passes them to pipe(8)",
    arguments: [
      ("<a@d>", "a@d"), ("<A+b@D> NOTIFY=NEVER", "A+b@D"), (" <a@d>", "a@d"), (#"<"a b"@d>"#, "a b@d"),
      (#"<"a\"b\\c"@d>"#, #"a"b\c@d"#), (#"<"a>b"@d>"#, "a>b@d"), (#"<""@d>"#, "@d"), ("<@x,@y:a@d>", "a@d"),
      ("<ü@d>", "ü@d"), ("<postmaster>", "postmaster"), (#"<"@x:y"@d>"#, "@x:y@d"), (#"<a\>@d>"#, "a>@d"),
    ])
  func addresses(path: String, address: String) {
    var talk = Talk()
    talk.send(Self.start + "RCPT TO:\(path)\r\n")
    #expect(talk.recipients == [address])
  }

  @Test(
    "The queue ID is XFORWARD's, for one message; what is none is left out",
    arguments: [
      ("IDENT=4bTzQx3sZ7z1", "4bTzQx3sZ7z1"), ("NAME=x IDENT=ABC", "ABC"), ("IDENT=[UNAVAILABLE]", ""),
      ("IDENT=a+20b", ""), ("", ""),
    ])
  func queueID(arguments: String, id: String) {
    var talk = Talk()
    talk.send("LHLO a\r\nXFORWARD \(arguments)\r\nMAIL FROM:<>\r\nRCPT TO:<a@d>\r\nDATA\r\n.\r\n")
    talk.send("MAIL FROM:<>\r\nRCPT TO:<b@d>\r\nDATA\r\n.\r\n")
    let ids = talk.asked.compactMap { if case .deliver(_, _, let message) = $0 { message.queueID.text } else { nil } }
    #expect(ids == [id, ""])
  }

  @Test("A large message is stored in pieces of a bounded size, and nothing more is taken until a piece is stored")
  func large() {
    var talk = Talk()
    talk.send(Self.start + "RCPT TO:<a@d>\r\nDATA\r\n")
    let line = String(repeating: "y", count: 70) + "\r\n"
    for _ in 0..<40 { talk.send(String(repeating: line, count: 500)) }
    talk.send(".\r\n")
    #expect(talk.body.count == 40 * 500 * 71)
    for case .store(let bytes, _) in talk.asked { #expect(bytes.count <= LMTPSession.chunk + 500 * 71) }

    var session = LMTPSession(host: [], takesQueueID: false)
    session.receive(Array((Self.start + "RCPT TO:<a@d>\r\nDATA\r\n").utf8))
    while case .send = session.next(isDraining: false) {}
    #expect(session.isAnswering && session.next(isDraining: false) == .wait)
  }

  @Test("RSET and LHLO discard a message; a message at a time")
  func reset() {
    for command in ["RSET", "LHLO again"] {
      var talk = Talk()
      talk.send(Self.start + "RCPT TO:<a@d>\r\n\(command)\r\nDATA\r\nMAIL FROM:<>\r\nRCPT TO:<b@d>\r\nDATA\r\n.\r\n")
      #expect(talk.recipients == ["b@d"] && talk.codes.suffix(6) == ["250", "503", "250", "250", "354", "250"])
    }
  }

  @Test("After too many errors the connection is closed; a client cannot fill memory with replies")
  func errors() {
    var talk = Talk()
    talk.send(String(repeating: "nonsense\r\n", count: 20_000))
    #expect(talk.isClosed && talk.codes == ["220"] + Array(repeating: "500", count: 20) + ["421"])
    var session = LMTPSession(host: [], takesQueueID: false)
    session.receive(Array(String(repeating: "NOOP\r\n", count: 20_000).utf8))
    while case .send(let bytes) = session.next(isDraining: false) { #expect(bytes.count < 8192) }
  }

  @Test("More recipients than a message may have wait for the next one")
  func tooManyRecipients() {
    var talk = Talk()
    talk.send(Self.start)
    for number in 0..<LMTPSession.mostRecipients { talk.send("RCPT TO:<\(number)@d>\r\n") }
    talk.send("RCPT TO:<more@d>\r\nDATA\r\n.\r\n")
    #expect(talk.recipients.count == 1000 && talk.codes.count == 3 + 1000 + 2 + 1000)
  }

  @Test("At the end of the service, a message that was begun or may be coming is taken, and then the connection closed")
  func draining() {
    var talk = Talk()
    talk.proceed(isDraining: true)
    #expect(!talk.isClosed && !talk.session.isIdle)
    talk.send(Self.start + "RCPT TO:<a@d>\r\nDATA\r\n.\r\n")
    #expect(talk.session.isIdle && !talk.isClosed)
    // Postfix tries a connection that it has kept; if it is still there, a message follows.
    talk.send("RSET\r\n")
    talk.proceed(isDraining: true)
    #expect(!talk.isClosed)
    talk.send("MAIL FROM:<>\r\nRCPT TO:<a@d>\r\nDATA\r\n.\r\n")
    talk.proceed(isDraining: true)
    #expect(talk.isClosed && talk.recipients.count == 1)
  }
}
