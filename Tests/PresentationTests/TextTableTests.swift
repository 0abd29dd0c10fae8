// SPDX-License-Identifier: Apache-2.0
import Presentation
import Testing

struct TextTableTests {
  @Test("A table is as wide as its contents, and has no colour unless requested")
  func table() {
    var table = TextTable([("NAME", .left), ("SIZE", .right), ("TEXT", .left)], style: TerminalStyle(colours: false))
    #expect(table.add([.init("a"), .init("1,000"), .init("x", .red)]) == "")
    #expect(table.add([.init("größer"), .init("1"), .init("")]) == "")
    #expect(table.flush() == "NAME     SIZE  TEXT\na       1,000  x\ngrößer      1\n")
    #expect(table.flush() == "")
    #expect(
      TerminalStyle(colours: true)("x", .red) == "\u{1B}[31mx\u{1B}[0m" && TerminalStyle(colours: true)("x", nil) == "x"
    )
  }

  @Test("After a thousand rows the widths are fixed: rows are written as they come, and a longer text stands out")
  func long() {
    var table = TextTable([("A", .left), ("B", .right)], style: TerminalStyle(colours: false))
    for _ in 0..<999 { #expect(table.add([.init("x"), .init("1")]) == "") }
    #expect(table.add([.init("x"), .init("1")]).hasPrefix("A  B\nx  1\n"))
    #expect(table.add([.init("longer"), .init("22")]) == "longer  22\n")
  }
}
