// SPDX-License-Identifier: Apache-2.0
import Findings
import Maildir
import Sweep
import Testing

@testable import Audit
@testable import Presentation

/// The reports of an audit, as text.
struct AuditPrinterTests {
  private static let findings = [
    Finding(
      .warning, .drift, in: .mailboxes, .init("lena@example.org", path: "example.org/lena/"),
      "maildirsize says too much", reason: "the trash", remedy: .recompute(mailbox: "lena@example.org"), bytes: 700,
      messages: 1),
    Finding(
      .error, .brokenLedger, in: .mailboxes, .init("max@example.org", path: "example.org/max/"),
      "maildirsize is empty", reason: "the disk was full", remedy: .recompute(mailbox: "max@example.org")),
    Finding(
      .error, .brokenLedger, in: .mailboxes, .init("zoe@example.org", path: "example.org/zoe/"),
      "maildirsize is torn", reason: "the disk was full", remedy: .recompute(mailbox: "zoe@example.org"),
      isRepaired: true),
  ]

  private static func state(_ findings: [Finding] = findings, problems: Int = 0) -> AuditState {
    var state = AuditState(options: "", night: 0)
    for number in 0..<1234 {
      state.note(
        audited: Samples.report { if number < 5 { $0.repair = Samples.repair((1, 1), counted: (1, 1), .exact) } })
    }
    for finding in findings { if let kind = finding.kind { state.note(finding, of: kind) } }
    for number in 0..<problems { state.note(notAudited: "p\(number)@example.org: input/output error") }
    return state
  }

  private func records(_ format: OutputFormat) throws -> String {
    try text(.records(try #require(format.makeWriter)))
  }

  private func text(
    _ format: AuditFormat, _ state: AuditState = state(), findings: [Finding] = findings, isComplete: Bool = true,
    colours: Bool = false
  ) throws -> String {
    let page = Page()
    var printer = format.printer(Samples.remedies, to: page.output, style: TerminalStyle(colours: colours))
    for finding in findings { try printer.write(finding) }
    try printer.finish(state, seconds: 9.06, isComplete: isComplete)
    return page.text
  }

  @Test("The report for people: a summary, then each kind, the worst first, with what its findings have in common once")
  func people() throws {
    #expect(
      try text(.text(quiet: false)) == """
        Audit of 1,234 mailboxes, 5 counted, in 9.0 s
        1 error, 1 warning, 1 notice; 1 repaired

        broken-ledger: 2
          max@example.org  maildirsize is empty
          zoe@example.org  maildirsize is torn [repaired]
          likely: the disk was full
          to do:  ullage recompute ADDRESS

        drift: 1
          lena@example.org  maildirsize says too much
          likely: the trash
          to do:  ullage recompute ADDRESS

        """)
  }

  @Test("Different reasons stand beside their mailboxes")
  func reasons() throws {
    let findings = ["one", "two"].map {
      Finding(.error, .brokenLedger, in: .mailboxes, .init($0), "maildirsize is empty", reason: "reason \($0)")
    }
    #expect(
      try text(.text(quiet: false), Self.state(findings)).contains(
        "\n  one  maildirsize is empty (reason one)\n  two  maildirsize is empty (reason two)\n"))
  }

  @Test("Nothing found is one green line; with --quiet it is nothing at all")
  func nothing() throws {
    let nothing = Self.state([])
    #expect(
      try text(.text(quiet: false), nothing, findings: [])
        == "Audit of 1,234 mailboxes, 5 counted, in 9.0 s\nNothing found.\n")
    #expect(try text(.text(quiet: true), nothing, findings: []) == "")
    #expect(
      Samples.marked(try text(.text(quiet: false), nothing, findings: [], colours: true))
        == "[bold Audit of 1,234 mailboxes, 5 counted, in 9.0 s]\n[green Nothing found.]\n")
  }

  @Test("What was not audited, and an interruption, are never quiet")
  func incomplete() throws {
    #expect(
      try text(.text(quiet: true), Self.state([]), findings: [], isComplete: false).contains(
        "\nIncomplete: it was interrupted.\n"))
    let problems = try text(.text(quiet: true), Self.state([], problems: 102), findings: [])
    #expect(problems.contains("\nnot audited: 102\n  p0@example.org: input/output error\n"))
    #expect(problems.hasSuffix("  p99@example.org: input/output error\n  and 2 more, named on standard error\n"))
  }

  @Test("Of a kind with more than fifty findings, the text says how many it leaves out")
  func many() throws {
    let findings = (0..<60).map { number in
      Finding(.error, .badPath, in: .mailboxes, .init("m\(number)"), "bad", bytes: Int64(number))
    }
    let text = try text(.text(quiet: false), Self.state(findings))
    #expect(text.contains("\npath-outside-base: 60\n  m59  bad\n"))
    #expect(text.hasSuffix("\n  m10  bad\n  and 10 more; --format jsonl lists all\n"))
  }

  @Test("Colours: errors red, warnings yellow, what was repaired green")
  func colours() throws {
    let text = Samples.marked(try text(.text(quiet: false), colours: true))
    #expect(text.contains("[red 1 error], [yellow 1 warning], [dim 1 notice]; [green 1 repaired]\n"))
    #expect(text.contains("\n[red broken-ledger: 2]\n") && text.contains("\n[yellow drift: 1]\n"))
    #expect(text.contains("maildirsize is torn[green  [repaired]]\n"))
  }

  @Test("Records hold every value, in the order in which they were found")
  func records() throws {
    let lines = try records(.jsonl).split(separator: "\n")
    #expect(lines.count == 3)
    #expect(
      lines[0] == """
        {"bytes":700,"cause":"the trash","evidence":"maildirsize says too much","kind":"drift",\
        "mailbox":"lena@example.org","mended":false,"messages":1,"path":"example.org/lena/",\
        "remedy":"ullage recompute lena@example.org","severity":"warning"}
        """)
    #expect(
      lines[2] == """
        {"bytes":null,"cause":"the disk was full","evidence":"maildirsize is torn","kind":"broken-ledger",\
        "mailbox":"zoe@example.org","mended":true,"messages":null,"path":"example.org/zoe/","remedy":"",\
        "severity":"notice"}
        """)
    #expect(
      try records(.csv).hasPrefix(
        """
        kind,severity,mailbox,path,evidence,cause,remedy,bytes,messages,mended
        drift,warning,lena@example.org,example.org/lena/,maildirsize says too much,the trash,\
        ullage recompute lena@example.org,700,1,false

        """))
    #expect(OutputFormat.table.makeWriter?(Page().output) == nil)
  }

  @Test(
    "A monitoring plugin's line: the state, a sentence, figures",
    arguments: [
      (findings, 0, true, "CRITICAL", "1,234 mailboxes audited, 2 broken-ledger, 1 drift"),
      ([findings[0]], 0, true, "WARNING", "1,234 mailboxes audited, 1 drift"),
      ([findings[2]], 0, true, "WARNING", "1,234 mailboxes audited, 1 broken-ledger"),
      ([], 0, true, "OK", "1,234 mailboxes audited, nothing found"),
      ([], 2, true, "UNKNOWN", "1,234 mailboxes audited, nothing found, 2 not audited"),
      (findings, 0, false, "UNKNOWN", "interrupted after 1,234 mailboxes"),
    ])
  func nagios(findings: [Finding], problems: Int, isComplete: Bool, word: String, sentence: String) throws {
    let state = Self.state(findings, problems: problems)
    let line = try text(.nagios, state, findings: findings, isComplete: isComplete)
    let severities = [Finding.Severity.error, .warning, .notice].map { state.count(nil, $0) }
    #expect(
      line == """
        ULLAGE \(word) - \(sentence) | mailboxes=1234 counted=5 errors=\(severities[0]) warnings=\(severities[1]) \
        notices=\(severities[2]) mended=\(state.repaired) not_audited=\(problems) time=9.060s

        """)
    let statuses = ["OK": 0, "WARNING": 1, "CRITICAL": 2, "UNKNOWN": 3]
    #expect(statuses[word].map { Int32($0) } == NagiosLine.Status(state, isComplete: isComplete).rawValue)
  }
}
