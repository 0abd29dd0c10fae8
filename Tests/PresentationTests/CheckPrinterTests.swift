// SPDX-License-Identifier: Apache-2.0
import Findings
import Testing

@testable import Presentation

/// What `ullage check` prints.
struct CheckPrinterTests {
  private static let findings = [
    Finding(.good, nil, in: .machine, .init(""), "flock works on /m"),
    Finding(
      .warning, .softBounce, in: .postfix, .init("/etc/postfix/master.cf, line 138"), "soft_bounce is on",
      reason: "fine for the first days: refusals become deferrals, and mail for unknown mailboxes fills the queue",
      remedy: .run(Command("postconf", "-PX", "ullage/unix/soft_bounce"), Command("postfix", "reload"))),
    Finding(.good, nil, in: .postfix, .init(""), "the entry runs /usr/libexec/ullage-deliver"),
    Finding(
      .error, .recipientLimit, in: .postfix, .init("main.cf"), "ullage_destination_recipient_limit is 50", reason: "",
      remedy: .run(Command("postconf", "-e", "ullage_destination_recipient_limit=1"))),
  ]

  private func text(_ format: OutputFormat, colours: Bool = false) throws -> String {
    let page = Page()
    try CheckPrinter(Samples.remedies, to: page.output, style: TerminalStyle(colours: colours))
      .write(Self.findings, as: format)
    return page.text
  }

  @Test("For people: a summary, then each area, the worst first and what is right last")
  func people() throws {
    #expect(
      try text(.table) == """
        1 error, 1 warning, no notices

        Postfix
          error    ullage_destination_recipient_limit is 50 [recipient-limit]
                   where  main.cf
                   to do  postconf -e ullage_destination_recipient_limit=1
          warning  soft_bounce is on [soft-bounce]
                   where  /etc/postfix/master.cf, line 138
                   why    fine for the first days: refusals become deferrals, and mail for unknown
                          mailboxes fills the queue
                   to do  postconf -PX ullage/unix/soft_bounce && postfix reload
          ok       the entry runs /usr/libexec/ullage-deliver

        Machine
          ok       flock works on /m

        """)
  }

  @Test("Records hold the findings, without what is right")
  func records() throws {
    #expect(
      try text(.csv) == """
        area,kind,severity,finding,place,reason,remedy
        postfix,soft-bounce,warning,soft_bounce is on,"/etc/postfix/master.cf, line 138",\
        "fine for the first days: refusals become deferrals, and mail for unknown mailboxes fills the queue",\
        postconf -PX ullage/unix/soft_bounce && postfix reload
        postfix,recipient-limit,error,ullage_destination_recipient_limit is 50,main.cf,,\
        postconf -e ullage_destination_recipient_limit=1

        """)
  }

  @Test("A long command stays on one line for copying, and control characters reach no terminal")
  func hostile() throws {
    let page = Page()
    let path = "/m/" + String(repeating: "long name/", count: 20) + "\u{1B}[2J"
    try CheckPrinter(Samples.remedies, to: page.output, style: Samples.plain).write(
      [
        Finding(
          .error, .mailboxRights, in: .mailboxes, .init(path), "\u{07}bad", remedy: .run(.chown("vmail", path)))
      ], as: .table)
    #expect(page.text.unicodeScalars.allSatisfy { $0.value >= 32 || $0 == "\n" })
    #expect(page.text.split(separator: "\n").count { $0.contains("chown vmail") } == 1)
    #expect(page.text.split(separator: "\n").last?.hasPrefix("           to do  chown vmail '/m/long name/") == true)
  }
}
