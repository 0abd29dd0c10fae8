// SPDX-License-Identifier: Apache-2.0
import Foundation
import Presentation
import Testing

/// The formats for programs, as text.
struct RecordWriterTests {
  private static let records = [
    Record([
      ("address", .text("a,\"b\"@example.org")), ("formula", .text("=1+1")), ("bytes", .number(-5)), ("none", .none),
      ("flag", .flag(true)),
    ]),
    Record([
      ("address", .text("zwei\nZeilen/")), ("formula", .text("")), ("bytes", .number(0)), ("none", .none),
      ("flag", .flag(false)),
    ]),
  ]

  private func text(_ format: OutputFormat, _ records: [Record]) throws -> String {
    let page = Page()
    var writer = try #require(format.makeWriter?(page.output))
    for record in records { try writer.write(record) }
    try writer.finish()
    return page.text
  }

  @Test("CSV: names first, quoted where needed, harmless to a spreadsheet, nothing for nothing")
  func csv() throws {
    #expect(
      try text(.csv, Self.records) == """
        address,formula,bytes,none,flag
        "a,""b""@example.org",'=1+1,-5,,true
        "zwei
        Zeilen/",,0,,false

        """)
    #expect(try text(.csv, []) == "")
  }

  @Test("JSON: one array, which is empty without records; null for a value that is unknown")
  func json() throws {
    #expect(
      try text(.json, Self.records) == #"""
        [
        {"address":"a,\"b\"@example.org","bytes":-5,"flag":true,"formula":"=1+1","none":null},
        {"address":"zwei\nZeilen/","bytes":0,"flag":false,"formula":"","none":null}
        ]

        """#)
    #expect(try text(.json, []) == "[]\n")
    let parsed = try JSONSerialization.jsonObject(with: Data(try text(.json, Self.records).utf8)) as? [[String: Any]]
    #expect(parsed?.count == 2 && parsed?[0]["address"] as? String == "a,\"b\"@example.org")
  }

  @Test("JSON lines: an object a line, whatever the values hold")
  func jsonLines() throws {
    let lines = try text(.jsonl, Self.records).split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.count == 3 && lines[2] == "" && lines[1].hasPrefix("{\"address\":\"zwei\\nZeilen/\""))
    #expect(try text(.jsonl, []) == "")
  }

  @Test("A table is for people, and has no records")
  func table() {
    #expect(OutputFormat.table.makeWriter?(Page().output) == nil)
  }

  @Test("Output is written in large pieces, and what is left at the end")
  func pieces() throws {
    var sizes: [Int] = []
    let output = Output { sizes.append($0.count) }
    for _ in 0..<200 { try output.write(String(repeating: "x", count: 1000)) }
    try output.flush()
    try output.flush()
    #expect(sizes == [66_000, 66_000, 66_000, 2_000])
  }
}
