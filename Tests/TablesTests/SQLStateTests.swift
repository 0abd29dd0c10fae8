// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Tables

/// Where a text ends, in PostgreSQL's lexer. What the server itself makes of templates is tested in EndToEndTests.
struct SQLStateTests {
  private static func state(after text: String) -> SQLState {
    var state = SQLState.code
    var before: [UInt8] = []
    state.read(Array(text.utf8), after: &before)
    return state
  }

  @Test(
    "Ordinary strings, in which an escaped key is harmless",
    arguments: ["'", "'a", "'''", "'a''b", "'a' || 'b", "SELECT 'x", "'\\", "e 'x", "select'x", "1'x", "\"a\"'x"])
  func string(text: String) {
    #expect(Self.state(after: text) == .string)
  }

  @Test(
    "Code, outside every string and comment",
    arguments: [
      "", "SELECT 1", "'a'", "''", "'a''b'", "\"a'b\"", "-- c\n", "--\r", "/* c */", "/* a /* b */ c */", "$$a$$",
      "$q$ ' $q$",
      "E'\\''  x", "a - b", "a * b", "$1", "a$b$c", "/ *",
    ])
  func code(text: String) {
    #expect(Self.state(after: text) == .code)
  }

  @Test(
    "Strings with a letter before them: a key could leave them",
    arguments: [
      ("E'", SQLState.Special.escapes), ("e'a", .escapes), ("E'\\'", .escapes), ("E'\\\\\\'", .escapes),
      ("U&'", .unicode), ("u&'a", .unicode), ("B'", .bits), ("x'1f", .bits), ("E'a''b", .escapes), ("1e'", .escapes),
      ("E'a' 'b", .escapes), ("E'a'\n\t'b", .escapes), ("E'a' -- c\n'b", .escapes),
    ])
  func special(text: String, special: SQLState.Special) {
    #expect(Self.state(after: text) == .special(special))
  }

  @Test(
    "After such a string only white space and a comment lead on to its continuation",
    arguments: [
      ("E'a'", SQLState.Gap.none), ("E'a' ", .whiteSpace), ("E'a'\n", .whiteSpace), ("E'a'-", .dash), ("E'a' -", .dash),
      ("E'a'--", .comment), ("E'a' -- c", .comment), ("E'a' -- c\n", .whiteSpace),
    ])
  func gaps(text: String, gap: SQLState.Gap) {
    #expect(Self.state(after: text) == .afterSpecial(.escapes, gap))
  }

  @Test(
    "Whatever else follows ends it", arguments: ["E'a',", "E'a')", "E'a' x", "E'a'-1", "E'a' - 1", "E'a'/", "E'a'||"])
  func ended(text: String) {
    #expect(Self.state(after: text) == .code)
    #expect(Self.state(after: text + " '") == .string)
  }

  @Test("A string of bits ends at its next quote, and a string that follows at once is an ordinary one")
  func bits() {
    #expect(Self.state(after: "B'1'") == .afterSpecial(.bits, .none))
    #expect(Self.state(after: "B'1''") == .string)
  }

  @Test(
    "Names, comments and dollar quotes that are open",
    arguments: [
      ("\"", SQLState.identifier), ("\"a'", .identifier), ("--", .lineComment), ("a -- '", .lineComment),
      ("/*", .blockComment(depth: 1)), ("/*/", .blockComment(depth: 1)), ("/* /* ", .blockComment(depth: 2)),
      ("/* /* */", .blockComment(depth: 1)), ("$$", .dollarString(tag: Array("$$".utf8))),
      ("$tag$ '", .dollarString(tag: Array("$tag$".utf8))), ("$a$ $b$", .dollarString(tag: Array("$a$".utf8))),
      ("$ü$", .dollarString(tag: Array("$ü$".utf8))),
    ])
  func others(text: String, state: SQLState) {
    #expect(Self.state(after: text) == state)
  }

  @Test("A dollar sign in a name, or before a digit, opens nothing", arguments: ["x$a$", "$1$", "x$$", "ab$c$ "])
  func dollars(text: String) {
    #expect(Self.state(after: text) == .code)
  }
}
