// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Socketmap

struct NetstringTests {
  private func parse(_ text: String, limit: Int = 20) -> Netstring.Parsed {
    Netstring.parse(Array(text.utf8)[...], limit: limit)
  }

  @Test(
    "A complete netstring gives its text and its own length, whatever follows",
    arguments: [
      ("5:hello,", "hello", 8), ("0:,", "", 3), ("2:,,,rest", ",,", 5), ("12:hello world!,3:a", "hello world!", 16),
    ])
  func complete(text: String, payload: String, length: Int) {
    #expect(parse(text) == .complete(Array(payload.utf8), length: length))
  }

  @Test("Every prefix of a netstring is incomplete, never an error")
  func incomplete() {
    let whole = "12:hello world!,"
    for count in 0..<whole.utf8.count { #expect(parse(String(whole.prefix(count))) == .incomplete) }
  }

  @Test(
    "An invalid or too long netstring is rejected at the first byte that shows it",
    arguments: [
      ":", "x", "-1:", "01", "00:,", "1:ab", "5:hello;", "21", "99999999999999999999999999", " 1:a,", "1 :a,",
    ])
  func invalid(text: String) {
    #expect(parse(text) == .invalid)
  }

  @Test("Random bytes never trap the parser, and what it accepts frames to the same bytes")
  func random() {
    var random = SystemRandomNumberGenerator()
    let alphabet = Array("0123456789:,,a".utf8)
    for _ in 0..<20_000 {
      let bytes = (0..<Int.random(in: 0...12, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? 0 }
      if case .complete(let text, let length) = Netstring.parse(bytes[...], limit: 20) {
        #expect(Netstring.frame(text) == Array(bytes.prefix(length)))
      }
    }
  }
}

struct SocketmapRequestTests {
  @Test("A request is a map and a key, which may contain blanks or be empty (socketmap_table(5))")
  func request() {
    #expect(SocketmapRequest(Array("m a b".utf8)) == SocketmapRequest(map: Array("m".utf8), key: Array("a b".utf8)))
    #expect(SocketmapRequest(Array("m ".utf8))?.key == [])
    #expect(SocketmapRequest(Array("m".utf8)) == nil)
    #expect(SocketmapRequest(map: [1], key: [0xFF, 32]).payload == [1, 32, 0xFF, 32])
  }
}

struct SocketmapReplyTests {
  @Test(
    "Each status of the protocol is read, with and without its text (socketmap_table(5))",
    arguments: [
      ("OK value of 1", .found(Array("value of 1".utf8))), ("OK ", .found([])), ("OK", .found([])),
      ("NOTFOUND ", .notFound), ("NOTFOUND", .notFound), ("TEMP later", .temporary(Array("later".utf8))),
      ("TIMEOUT ", .temporary([])), ("PERM no", .permanent(Array("no".utf8))), ("ok x", nil), ("", nil),
      ("OKAY x", nil),
    ] as [(String, SocketmapReply?)])
  func parse(text: String, reply: SocketmapReply?) {
    #expect(SocketmapReply(Array(text.utf8)) == reply)
  }

  @Test("A written reply reads back the same")
  func roundTrip() {
    for reply in [SocketmapReply.found([65, 32, 66]), .notFound, .temporary([66]), .permanent([67])] {
      #expect(SocketmapReply(reply.payload) == reply)
    }
  }
}
