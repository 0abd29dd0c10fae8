// SPDX-License-Identifier: Apache-2.0
import Findings
import Foundation
import Testing

struct FindingTests {
  private func finding(
    _ severity: Finding.Severity, _ kind: FindingKind, _ name: String = "a", bytes: Int64? = nil,
    isRepaired: Bool = false
  ) -> Finding {
    Finding(
      severity, kind, in: .mailboxes, .init(name), "seen", reason: "why", remedy: .recompute(mailbox: name),
      bytes: bytes, isRepaired: isRepaired)
  }

  @Test("What has been corrected is a notice with nothing left to do")
  func repaired() {
    let repaired = finding(.error, .brokenLedger, isRepaired: true)
    #expect(repaired.severity == .notice && repaired.remedy == nil && repaired.isRepaired)
    let open = finding(.error, .brokenLedger)
    #expect(open.severity == .error && open.remedy == .recompute(mailbox: "a"))
  }

  @Test("The worst first: by severity, then by kind, then by bytes in either direction, then by name")
  func order() {
    let sorted = [
      finding(.error, .drift, bytes: 1), finding(.warning, .brokenLedger), finding(.warning, .drift, bytes: -900),
      finding(.warning, .drift, bytes: 800), finding(.warning, .drift, "a"), finding(.warning, .drift, "b"),
      finding(.notice, .brokenLedger),
    ]
    #expect(sorted.reversed().sorted(by: Finding.isWorse) == sorted)
  }

  @Test("A finding survives the state file, whatever its remedy")
  func coding() throws {
    let remedies: [Remedy] = [
      .recompute(mailbox: "a b"), .recomputeAgain(mailbox: "a"), .recomputeAndAlign(mailbox: "a"),
      .run(.chown("vmail", "/a b"), .chmod("640", "/c")), .advise("start it", [.enable("x.service")]),
      .set("n", "v"), .sql("UPDATE t;"), .advice("think"), .advise("mount it", [.chown("vmail", "/a")]),
    ]
    let findings = remedies.map {
      Finding(.warning, .drift, in: .mailboxes, .init("a", path: "d/a/"), "e", reason: "r", remedy: $0, messages: 3)
    }
    let decoded = try JSONDecoder().decode([Finding].self, from: try JSONEncoder().encode(findings))
    #expect(decoded == findings)
  }

  @Test("A list knows its area, and whether there is trouble after a place in it")
  func list() {
    var list = FindingList(.tables)
    list.good("fine")
    #expect(!list.hasTrouble())
    list.add(.warning, .noIndex, "no index", at: "t", reason: "slow")
    let count = list.findings.count
    list.skip("the rest", because: "closed")
    #expect(list.hasTrouble() && !list.hasTrouble(since: count))
    #expect(list.findings.allSatisfy { $0.area == .tables })
    #expect(list.findings.map(\.kind) == [nil, .noIndex, .notChecked])
  }

  @Test(
    "A command is quoted word by word, for a shell that stops at the first failure",
    arguments: [
      ([.chown("vmail", "/a b")], "chown vmail '/a b'"),
      ([.chown("root:vmail", "/x"), .chmod("640", "/x")], "chown root:vmail /x && chmod 640 /x"),
      (
        Command.grant("vmail", files: ["/t/a", "/t/b c"], directories: ["/t"]),
        "setfacl -m u:vmail:x /t && setfacl -m u:vmail:r /t/a '/t/b c'"
      ),
      (Command.grant("vmail", files: []), ""), ([Command("echo", "$(rm)", "it's")], "echo '$(rm)' 'it'\\''s'"),
    ])
  func commands(commands: [Command], line: String) {
    #expect(Command.line(commands) == line)
  }
}
