// SPDX-License-Identifier: Apache-2.0
import Configuration
import Posix
import TestSupport
import Testing
import Text

@testable import Tables

/// The search in the text of a table against the dictionary of all its lines, which is compared with postmap(1) itself.
struct TexthashSearchTests {
  private func value(_ text: String, _ key: String) -> String? {
    TexthashSearch(Array(text.utf8)).value(of: Array(key.utf8))?.text
  }

  @Test(
    "A key is found in any case, first line first, in quotes, with the lines that continue it",
    arguments: [
      ("a 1\nb 2\n", "b", "2"), ("a 1\na 2\n", "a", "1"), ("A@Example.ORG x\n", "a@example.org", "x"),
      ("ab 1\na 2\n", "a", "2"), ("a\t1", "a", "1"), ("a 1\n  2\n# c\n 3\nb 4\n", "a", "1  2 3"), ("a\n 1\n", "a", "1"),
      ("\"a b\"@d 1\n", "\"a b\"@d", "1"), ("\"a b\"@d 1\n", "\"a", nil), ("\"a\n b\"@d 1\n", "\"a b\"@d", "1"),
      ("\"a \r\n b\"@d 1\n", "\"a b\"@d", "1"),
      ("\\ a 1\n", "\\ a", "1"), ("  a 1\nb 2\n", "a", "1"), ("x 0\n  a 1\n", "a", nil), ("#a 1\n", "#a", nil),
      ("Ä@d 1\n", "ä@d", "1"), ("aÄ 1\n", "aä", "1"), ("\u{212A} 1\n", "k", "1"), ("a 1\r\nb 2\r\n", "b", "2"),
      ("", "a", nil), ("\n\n \n", "a", nil), ("a 1\n", "a 1", nil),
    ] as [(String, String, String?)])
  func found(text: String, key: String, expected: String?) {
    #expect(value(text, key) == expected)
  }

  @Test(
    "A line that is no key and value is noticed, wherever it is",
    arguments: [
      ("a 1\nb\n", false), ("a\nb 1\n", false), ("\"a b@d 1\n", false), ("a 1\n\"b c\n", false), ("a 1\nb \n", false),
      ("a\n 1\n", true), ("\"a b\"@d 1\n", true), ("\\\" 1\n", true), ("# a\n\n  \na 1", true), ("", true),
    ])
  func wellFormed(text: String, isWellFormed: Bool) {
    #expect(TexthashSearch(Array(text.utf8)).isWellFormed == isWellFormed)
  }

  @Test("In any text the search answers as the dictionary does, and knows whether there can be one")
  func noise() throws {
    let pieces = ["a", "B", "b", "@d", " ", "\t", "\n", "\n", "#", "\"", "\\", "Ä", "ä", "\r", "1", "\n  "]
    var found = 0
    for text in Noise(pieces, length: 24, count: 20_000) {
      let search = TexthashSearch(text)
      let dictionary: InMemoryTable
      do { dictionary = try InMemoryTable(texthash: text, name: "t") } catch {
        #expect(!search.isWellFormed, "\(text.text)")
        continue
      }
      #expect(search.isWellFormed, "\(text.text)")
      let absent = ["a", "b", "ab", "a@d", "\"a b\"", "aä"].map { Array($0.utf8) }
      for key in dictionary.keys + absent where String(validating: key, as: UTF8.self) != nil {
        let value = search.value(of: key)
        #expect(value == dictionary[key], "\(key) in \(text)")
        if value != nil { found += 1 }
      }
    }
    #expect(found > 4000)
  }

  @Test("A malformed line matters only to keys that no other line has, however often and until it is corrected")
  func table() throws {
    let sandbox = try Sandbox()
    try sandbox.write("t", "a 1\nbroken\nb 2\n", mode: 0o644)
    let reference = try #require(TableReference(Array("texthash:\(sandbox("t"))".utf8)))
    let set = TableSet()
    func lookup(_ key: String) throws -> String? {
      try set.lookup(TableQuery(Array(key.utf8), until: .never), in: [reference])?.text
    }
    for _ in 0..<20 { #expect(try lookup("a") == "1" && lookup("b") == "2") }
    #expect(throws: TableError(.configuration, reference.text, "line 2: expected a key and a value")) {
      try lookup("c")
    }
    #expect(throws: TableError.self) { try TableSet().open([reference], until: .never) }
    try sandbox.write("t", "a 1\nb 2\n", mode: 0o644)
    #expect(try lookup("c") == nil && lookup("b") == "2")
    let sound = TableSet()
    for _ in 0..<20 {
      #expect(try sound.lookup(TableQuery([UInt8(ascii: "b")], until: .never), in: [reference])?.text == "2")
      #expect(try sound.lookup(TableQuery([UInt8(ascii: "c")], until: .never), in: [reference]) == nil)
    }
  }
}
