// SPDX-License-Identifier: Apache-2.0
import Testing
import Text

/// What is done with bytes that may come from anywhere.
struct BytesTests {
  @Test("White space is trimmed at the ends only", arguments: ["a b", " a b", "a b\t\r\n", "\u{B}\u{C} a b "])
  func trimming(text: String) {
    #expect(Array(text.utf8).trimmed.text == "a b")
    #expect(Array(" \t\n".utf8).trimmed.isEmpty && Array(text.utf8).trimmingEnd.text.hasSuffix("a b"))
  }

  @Test("A quote with an accent on it is replaced, too: other programs see bytes")
  func replacing() {
    #expect("a'b'\u{301}".replacing(UInt8(ascii: "'"), with: "''").utf8.elementsEqual("a''b''\u{301}".utf8))
    #expect("".replacing(UInt8(ascii: "'"), with: "''") == "")
  }

  @Test("A text is found wherever it begins", arguments: [("a://b", true), ("://", true), (":/", false), ("", false)])
  func containing(text: String, found: Bool) {
    #expect(text.utf8.contains(text: "://") == found)
  }

  @Test("A list is split at commas and white space, but not inside braces")
  func list() {
    #expect(splitList(Array("a, b\tc,,{d e, f} g".utf8)).map(\.text) == ["a", "b", "c", "{d e, f}", "g"])
    #expect(splitList(Array(" , ".utf8)).isEmpty && splitList(Array("{a".utf8)).map(\.text) == ["{a"])
  }

  @Test(
    "An assignment is split at the first equals sign; without a name it is none",
    arguments: [
      ("a=b", "a|b"), (" a = b = c ", "a|b = c"), ("a=", "a|"), ("=b", nil), ("ab", nil), ("", nil),
    ] as [(String, String?)])
  func assignment(text: String, parts: String?) {
    #expect(splitAssignment(Array(text.utf8)).map { "\($0.name.text)|\($0.value.text)" } == parts)
  }

  @Test(
    "The text between braces is what is between the outer ones", arguments: ["{ a }", "{a}", " {{a}} ", "{}", "a", "{"])
  func braces(text: String) {
    let expected = ["{ a }": " a ", "{a}": "a", " {{a}} ": "{a}", "{}": ""]
    #expect(unbraced(Array(text.utf8))?.text == expected[text])
  }

  @Test("Case is folded by ASCII, and by Unicode only where the whole text is UTF-8")
  func folding() {
    #expect(foldCase(Array("A-Z@Ä".utf8)).text == "a-z@ä")
    #expect(foldCase([65, 0xFF]) == [65, 0xFF], "a Latin-1 byte leaves all as it is")
    #expect(foldCase(Array("ÀB".utf8)).text == "àb")
  }

  @Test("A log line holds no control character, and no byte that is not UTF-8; what is cut is marked")
  func escapes() {
    #expect(escaped(Array("a\nb\u{7F}\0".utf8)).text == "a\\012b\\177\\000")
    #expect(escaped([0x61, 0xFF]).text == "a\\377" && escaped(Array("ä".utf8)).text == "ä")
    #expect(escaped(Array("abcdef".utf8), limit: 3).text == "abc...")
    #expect(displayText(Array(repeating: UInt8(ascii: "x"), count: 5000)).count == 4099)
  }

  @Test("Nothing that a terminal would act upon is printed")
  func terminal() {
    #expect(printable("a\u{1B}[31mb\u{7}") == "a\\x1B[31mb\\x07" && printable("größer\u{9B}") == "größer\\x9B")
  }

  @Test("A paragraph is broken at blanks; a longer word has a line of its own")
  func wrapping() {
    #expect(wrapped("aa bb cc", width: 5) == ["aa bb", "cc"])
    #expect(wrapped("a bbbbbbbb c", width: 5) == ["a", "bbbbbbbb", "c"])
    #expect(wrapped("", width: 5) == [] && wrapped("aa  bb", width: 80) == ["aa bb"])
  }

  @Test("Some editors write a byte order mark, which would become part of the first name")
  func byteOrderMark() {
    #expect(Array("\u{FEFF}a".utf8).hasByteOrderMark && !Array("a".utf8).hasByteOrderMark)
  }
}
