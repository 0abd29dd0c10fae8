// SPDX-License-Identifier: Apache-2.0
import Foundation
import Reports
import Testing
import Text

struct ReportsTests {
  @Test(
    "Human-readable sizes use powers of 1024, rounded down",
    arguments: [
      (0, "0 B"), (1, "1 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1535, "1.4 KiB"), (1536, "1.5 KiB"),
      (10_239, "9.9 KiB"), (10_240, "10 KiB"), (1_048_575, "1023 KiB"), (1_048_576, "1.0 MiB"), (-1536, "-1.5 KiB"),
      (Int64.max, "7.9 EiB"), (Int64.min, "-8.0 EiB"),
    ] as [(Int64, String)])
  func byteSize(bytes: Int64, text: String) {
    #expect(ByteSize.text(bytes) == text)
  }

  @Test("Sizes that an administrator writes are parsed, and anything else is rejected")
  func parse() {
    #expect(ByteSize.parse("0") == 0 && ByteSize.parse("10") == 10 && ByteSize.parse("2K") == 2048)
    #expect(ByteSize.parse("1G") == 1 << 30 && ByteSize.parse("8388607T") == 8_388_607 << 40)
    for text in ["", "K", "-1", "1.5G", "1g", "1GB", "9999999T", "9223372036854775808", "+1", "１"] {
      #expect(ByteSize.parse(text) == nil, "\(text)")
    }
  }

  @Test("Numbers are grouped by three digits")
  func grouping() {
    #expect([0, 999, 1000, 1_234_567, -1000].map { grouped($0) } == ["0", "999", "1,000", "1,234,567", "-1,000"])
  }

  @Test("A table is as wide as its contents, and has no colour unless requested")
  func table() {
    var table = TextTable([("NAME", .left), ("SIZE", .right), ("TEXT", .left)], style: Style(colours: false))
    #expect(table.add([.init("a"), .init("1,000"), .init("x", .red)]) == "")
    #expect(table.add([.init("größer"), .init("1"), .init("")]) == "")
    #expect(table.flush() == "NAME     SIZE  TEXT\na       1,000  x\ngrößer      1\n")
    #expect(table.flush() == "")
    #expect(Style(colours: true)("x", .red) == "\u{1B}[31mx\u{1B}[0m" && Style(colours: true)("x", nil) == "x")
  }

  @Test("A CSV record is quoted where needed, and harmless to a spreadsheet")
  func csv() {
    let record = Record([
      ("address", .text("a,\"b\"@example.org")), ("formula", .text("=1+1")), ("bytes", .number(-5)), ("none", .none),
      ("flag", .flag(true)),
    ])
    #expect(record.csvHeader == "address,formula,bytes,none,flag\n")
    #expect(record.csv == "\"a,\"\"b\"\"@example.org\",'=1+1,-5,,true\n")
  }

  @Test("The progress line fits the terminal, and shows rate and time left")
  func progress() {
    let line = ProgressLine(of: 1000, "mailboxes").text(done: 250, elapsed: 5, width: 80)
    #expect(
      line == "▕██████··················▏ 25 %  250 of 1,000 mailboxes  50/s  0:15 left" || line.contains("0:15 left"))
    #expect(line.count < 80)
    for width in 0...100 {
      #expect(ProgressLine(of: 9, "mailboxes").text(done: 3, elapsed: 1, width: width).count <= width)
    }
    #expect(ProgressLine(of: nil, "mailboxes").text(done: 7, elapsed: 2, width: 80) == "7 mailboxes  3.5/s")
  }

  @Test(
    "A word of a printed command is read back unchanged by a shell",
    arguments: ["", "a", "a b", "it's", "$(x)", "~", "-n", "a;b", "ä"])
  func shellWords(text: String) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", "printf '%s.' \(shellWord(text))"]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    process.waitUntilExit()
    let output = try #require(try pipe.fileHandleForReading.readToEnd())
    #expect(String(decoding: output, as: UTF8.self) == text + ".")
  }
}
