// SPDX-License-Identifier: Apache-2.0
import Quota
import Sweep
import Testing

@testable import Presentation

/// What `ullage status` prints.
struct StatusPrinterTests {
  private static let lines = [
    line("over", 1001, messages: 3, age: 5), line("full", 1000, messages: 1, age: 120), line("near", 800, age: 7200),
    line("half", 500, age: 3 * 86_400), line("none", 5000, limit: .none, age: -60),
    line("both", 10, limit: QuotaLimit(bytes: 0, messages: 4)),
    StatusLine(
      Samples.visit(
        Samples.row("torn"),
        Samples.report {
          $0.isInspected = true
          $0.fault = .torn
        })),
    StatusLine(Samples.visit(Samples.row("absent"), Samples.report(.absent))),
  ]

  private static let now: Int64 = 1_000_000

  private static func line(
    _ name: String, _ bytes: Int64, messages: Int64 = 2, limit: QuotaLimit = QuotaLimit(bytes: 1000), age: Int64? = nil
  ) -> StatusLine {
    StatusLine(
      Samples.visit(
        Samples.row(name, limit: limit),
        Samples.report {
          $0.usage = QuotaUsage(bytes: bytes, messages: messages)
          $0.headerLimit = limit
          $0.ledgerModified = age.map { now - $0 }
        }))
  }

  private func text(_ format: OutputFormat, _ lines: [StatusLine] = lines, colours: Bool = false) throws -> String {
    let page = Page()
    try StatusPrinter(to: page.output, style: TerminalStyle(colours: colours), now: Self.now).write(lines, as: format)
    return page.text
  }

  @Test("The table: usage, limit, a bar, ages in the unit that fits, and why a usage is unknown")
  func table() throws {
    let table = try text(.table)
    #expect(
      table == """
        MAILBOX                USED   LIMIT                  %  MESSAGES  LIMIT FROM    LAST CHANGE  REMARK
        over@example.org     1001 B  1000 B  ▕██████████▏  100         3  table                 5 s
        full@example.org     1000 B  1000 B  ▕██████████▏  100         1  table               2 min
        near@example.org      800 B  1000 B  ▕████████··▏   80         2  table                 2 h
        half@example.org      500 B  1000 B  ▕█████·····▏   50         2  table                 3 d
        none@example.org    4.8 KiB    none                  -         2  table       in the future
        both@example.org       10 B   4 msg  ▕█████·····▏   50         2  table                   -
        torn@example.org          -  1000 B                  -         -  table                   -  \
        maildirsize is torn, with an incomplete last line
        absent@example.org        -  1000 B                  -         -  table                   -  there is no Maildir

        """)
  }

  @Test("A missing maildirsize is remarked on where there is a limit, and not where there is none")
  func missing() throws {
    for (limit, isTrouble) in [(QuotaLimit(bytes: 1000), true), (.none, false)] {
      let report = Samples.report {
        $0.isInspected = true
        $0.fault = .missing
      }
      let line = StatusLine(Samples.visit(Samples.row("new", limit: limit), report))
      #expect(try text(.table, [line]).contains("maildirsize is missing") == isTrouble)
      #expect(try text(.json, [line]).contains(#""problem":null"#) != isTrouble)
    }
  }

  @Test("More than the limit is over it, exactly the limit is not")
  func over() {
    #expect(Self.lines.filter { $0.isOver(100) }.map(\.row.name) == ["over@example.org"])
    #expect(
      Self.lines.filter { $0.isOver(79) }.map(\.row.name)
        == ["over@example.org", "full@example.org", "near@example.org"])
  }

  @Test("Records: exact numbers, and null for what is unknown")
  func records() throws {
    #expect(
      try text(.csv, [Self.lines[0], Self.lines[6]]) == """
        address,path,used_bytes,limit_bytes,percent,messages,limit_messages,limit_source,header_limit_bytes,\
        ledger_age_seconds,problem
        over@example.org,example.org/over/,1001,1000,100,3,0,table,1000,5,
        torn@example.org,example.org/torn/,,1000,,,0,table,,,"maildirsize is torn, with an incomplete last line"

        """)
    #expect(try text(.json, []) == "[]\n")
    #expect(try text(.table, []) == "")
  }
}
