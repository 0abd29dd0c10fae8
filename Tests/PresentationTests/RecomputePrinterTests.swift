// SPDX-License-Identifier: Apache-2.0
import Maildir
import Quota
import Sweep
import Testing

@testable import Presentation

/// What `ullage recompute` prints.
struct RecomputePrinterTests {
  private static let visits = [
    visit("exact", Samples.repair((5, 1), counted: (5, 1), .exact)),
    visit("low", Samples.repair((5, 1), counted: (2048, 3), .corrected, cause: .unknown)),
    visit("busy", Samples.repair((2048, 3), counted: (5, 1), after: (2048, 3), .busy, cause: .trash)),
    visit("part", Samples.repair((9, 1), counted: (5, 2), after: (9, 2), .raised, cause: .unknown)),
    visit("torn", Samples.repair(nil, counted: (7, 1), .replaced, fault: .torn)),
    Samples.visit(Samples.row("new"), Samples.report(.absent)),
    Samples.visit(Samples.row("bad"), Samples.report(.failed("read: input/output error"))),
  ]

  private static func visit(_ name: String, _ repair: RepairResult) -> Visit {
    Samples.visit(Samples.row(name), Samples.report { $0.repair = repair })
  }

  private func print(
    _ visits: [Visit] = visits, as format: OutputFormat = .table, showsAll: Bool = false, isDryRun: Bool = false
  ) throws -> (text: String, summary: String?, failures: Int) {
    let page = Page()
    var printer = RecomputePrinter(
      as: format, showsAll: showsAll, isDryRun: isDryRun, to: page.output, style: Samples.plain)
    for visit in visits { try printer.write(visit) }
    let summary = try printer.finish(seconds: 0.12)
    return (page.text, summary, printer.failures)
  }

  @Test("The table shows what was not right, and the summary counts everything")
  func table() throws {
    let (text, summary, failures) = try print()
    #expect(
      text
        == """
        MAILBOX            BEFORE  COUNTED  MESSAGES        DRIFT    AFTER  RESULT
        low@example.org       5 B  2.0 KiB         3  -1.9 KiB -2  2.0 KiB  corrected: cause unknown
        busy@example.org  2.0 KiB      5 B         1  +1.9 KiB +2  2.0 KiB  \
        busy, not lowered: exactly the messages in the trash; see virtual_trash_count
        part@example.org      9 B      5 B         2      +4 B -1      9 B  corrected in part, in use: cause unknown
        torn@example.org        -      7 B         1            -      7 B  \
        rewritten: it was torn, with an incomplete last line
        bad@example.org         -        -         -            -        -  read: input/output error

        """)
    #expect(
      summary == """
        7 mailboxes recomputed in 0.1 s: 1 exact, 1 corrected, 1 corrected in part, 1 rewritten, 1 busy, not lowered, \
        1 without a Maildir, 1 failed
        """)
    #expect(failures == 1)
  }

  @Test("A dry run says what would be done")
  func dryRun() throws {
    let (text, summary, _) = try print([Self.visits[1], Self.visits[4]], isDryRun: true)
    #expect(text.contains("would be corrected: cause unknown\n") && text.contains("would be rewritten: it was torn"))
    #expect(
      summary == "2 mailboxes counted, nothing written in 0.1 s: 1 would be corrected, 1 would be rewritten")
  }

  @Test("One mailbox that was named has a row, and no summary that repeats it")
  func single() throws {
    let (text, summary, failures) = try print([Self.visits[0]], showsAll: true)
    #expect(text.contains("exact@example.org     5 B      5 B         1      0    5 B  exact\n"))
    #expect(summary == nil && failures == 0)
  }

  @Test("A Maildir that is not there yet is no failure, unless it was named itself")
  func absent() throws {
    #expect(try print([Self.visits[5]]).failures == 0)
    let named = MailboxRow(address: [], path: Array("/m/x".utf8), quota: EffectiveLimit(.none, .given))
    let (text, _, failures) = try print([Samples.visit(named, Samples.report(.absent))])
    #expect(failures == 1 && text.contains("there is no Maildir"))
  }

  @Test("A folder that could not be read makes the result incomplete")
  func incomplete() throws {
    let visit = Samples.visit(
      Samples.row("part"),
      Samples.report {
        $0.repair = Samples.repair((5, 1), counted: (5, 1), .exact)
        $0.unreadable = [".Closed"]
      })
    #expect(try print([visit]).failures == 1)
  }

  @Test("Records have all mailboxes, those that were right too")
  func records() throws {
    let (text, _, _) = try print([Self.visits[0], Self.visits[2], Self.visits[6]], as: .csv)
    #expect(
      text == """
        address,path,result,before_bytes,before_messages,counted_bytes,counted_messages,after_bytes,after_messages,\
        drift_bytes,drift_messages,fault,cause,text
        exact@example.org,example.org/exact/,exact,5,1,5,1,5,1,0,0,,,exact
        busy@example.org,example.org/busy/,busy,2048,3,5,1,2048,3,2043,2,,trash,\
        "busy, not lowered: exactly the messages in the trash; see virtual_trash_count"
        bad@example.org,example.org/bad/,failed,,,,,,,,,,,read: input/output error

        """)
  }
}
