// SPDX-License-Identifier: Apache-2.0
import Configuration
import Testing
import Text

/// Tables as a parameter names them.
struct TableReferenceTests {
  private static func reference(_ text: String) -> TableReference? { TableReference(Array(text.utf8)) }

  @Test(
    "A table is a type, a colon and a name, which may be anything",
    arguments: [
      ("hash:/etc/x", "hash", "/etc/x"), ("pgsql:/etc/a b", "pgsql", "/etc/a b"), ("static:", "static", ""),
      ("inline:{ a=b:c }", "inline", "{ a=b:c }"), ("proxy:pgsql:/x", "proxy", "pgsql:/x"),
      ("tcp:host:25", "tcp", "host:25"),
    ])
  func valid(text: String, type: String, name: String) {
    #expect(Self.reference(text) == TableReference(type: type, name: Array(name.utf8)))
    #expect(Self.reference(text)?.text == text)
  }

  @Test("Anything else is none", arguments: ["", ":", ":/etc/x", "/etc/x", "ha sh:/x", "a/b:c", "hash"])
  func invalid(text: String) {
    #expect(Self.reference(text) == nil)
  }

  @Test("proxymap(8) serves Postfix only, so what counts is the table behind it, however often it is named")
  func proxy() {
    #expect(Self.reference("proxy:pgsql:/x")?.behindProxy == Self.reference("pgsql:/x"))
    #expect(Self.reference("proxy:proxy:hash:/x")?.behindProxy == Self.reference("hash:/x"))
    #expect(Self.reference("hash:/x")?.behindProxy == Self.reference("hash:/x"))
    #expect(Self.reference("proxy:nonsense")?.behindProxy == Self.reference("proxy:nonsense"))
  }
}
