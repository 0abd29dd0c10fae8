// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing
import Text

@testable import LMTP

/// Messages on their way from CR LF to LF (RFC 5321 §4.5.2).
struct BodyDecoderTests {
  /// The message in `input`, and what follows it; nil if there is no end.
  private static func decode(_ input: [UInt8], by step: Int) -> (message: [UInt8], rest: [UInt8])? {
    var decoder = BodyDecoder()
    var message: [UInt8] = []
    var index = 0
    while index < input.count {
      let piece = input[index..<min(index + step, input.count)]
      let (isEnd, length) = decoder.decode(piece, into: &message)
      index += length
      if isEnd { return (message, Array(input[index...])) }
      #expect(length == piece.count)
    }
    return nil
  }

  @Test(
    "Only CR LF . CR LF ends a message; one dot goes from each line that starts with one; all other bytes are kept",
    arguments: [
      ("a\r\n.\r\nQUIT\r\n", "a\n"), (".\r\n", ""), ("..\r\n.\r\n", ".\n"), ("...\r\n.\r\n", "..\n"),
      (".a\r\n.\r\n", "a\n"), ("a\r\n..\r\n.\r\n", "a\n.\n"), ("a\n.\nb\r\n.\r\n", "a\n.\nb\n"),
      ("a\n.\r\nb\r\n.\r\n", "a\n.\nb\n"), ("a\r.\rb\r\n.\r\n", "a\r.\rb\n"), ("a\r\n.\nb\r\n.\r\n", "a\n\nb\n"),
      ("a\r\n.\rb\r\n.\r\n", "a\n\rb\n"), ("a\r\n.\r\r\n.\r\n", "a\n\r\n"), ("a\r\r\n.\r\n", "a\r\n"),
      ("a\r\n\r.\r\n\r\n.\r\n", "a\n\r.\n\n"), ("\0\u{FF}\r\n.\r\n", "\0\u{FF}\n"), ("\n\n\r\n.\r\n", "\n\n\n"),
      ("a\n\r.\r\n\r\n.\r\n", "a\n\r.\n\n"),
    ])
  func ends(input: String, message: String) throws {
    let bytes = Array(input.utf8)
    for step in 1...bytes.count {
      let decoded = try #require(Self.decode(bytes, by: step))
      #expect(decoded.message == Array(message.utf8))
      #expect(decoded.rest.text == (input.hasSuffix("QUIT\r\n") ? "QUIT\r\n" : ""))
    }
  }

  @Test("Whatever Postfix sends arrives as it was, with LF")
  func roundTrip() throws {
    for (number, noise) in Noise(["\r", "\n", "\n", ".", "..", "ab"], length: 40, count: 2000).enumerated() {
      // A CR before the LF of a line is not Postfix's: there it would have been the line's end.
      let lines = noise.split(separator: 10, omittingEmptySubsequences: false).map { line in
        Array(line.reversed().drop { $0 == 13 }.reversed())
      }
      let sent = lines.flatMap { ($0.first == 46 ? [46] : []) + $0 + [13, 10] } + Array(".\r\n".utf8)
      let decoded = try #require(Self.decode(sent, by: 1 + number % 7))
      #expect(decoded.message == lines.flatMap { $0 + [10] } && decoded.rest.isEmpty)
    }
  }
}
