// SPDX-License-Identifier: Apache-2.0
import Findings
import Maildir
import Quota
import Sweep
import Testing

@testable import Audit

/// Report in, findings out.
struct AuditRulesTests {
  private static let limit = QuotaLimit(bytes: 1000)
  private static let recompute = Remedy.recompute(mailbox: "you@example.org")

  private static func row(_ limit: QuotaLimit = limit, _ fault: MailboxRow.Fault? = nil) -> MailboxRow {
    let row = MailboxRow(
      address: Array("you@example.org".utf8), path: Array("example.org/you/".utf8), quota: EffectiveLimit(limit, .own))
    return fault.map { row.with($0) } ?? row
  }

  /// A mailbox that was inspected, with a sound ledger, changed as a case wants it.
  private static func report(
    _ state: MailboxReport.State = .examined, _ change: (inout MailboxReport) -> Void = { _ in }
  ) -> MailboxReport {
    var report = MailboxReport(state)
    report.isInspected = true
    report.usage = QuotaUsage(bytes: 500, messages: 1)
    report.headerLimit = limit
    report.isOurs = true
    change(&report)
    return report
  }

  private static func repair(
    _ before: (Int64, Int64)?, fault: LedgerFault? = nil, counted: (Int64, Int64) = (500, 1),
    _ action: RepairResult.Action, _ cause: DriftCause? = nil
  ) -> RepairResult {
    let total = QuotaUsage(bytes: counted.0, messages: counted.1)
    return RepairResult(
      before: before.map { QuotaUsage(bytes: $0.0, messages: $0.1) }, fault: fault, counted: total, after: total,
      action: action, cause: cause)
  }

  private static func findings(
    _ report: MailboxReport, _ row: MailboxRow = row(), repairs: Bool = false
  ) -> [Finding] {
    AuditRules(repairs: repairs).findings(row, report)
  }

  @Test("A sound mailbox gives no finding")
  func sound() {
    #expect(Self.findings(Self.report()).isEmpty)
    #expect(Self.findings(Self.report { $0.repair = Self.repair((500, 1), .exact) }).isEmpty)
  }

  @Test(
    "A fault of the row is found without a look at the Maildir",
    arguments: [
      (.null(.address), .warning, .nullInList, "its address in the list is NULL"),
      (.null(.limit), .warning, .nullInList, "its limit in the list is NULL"),
      (.negative(-1), .notice, .negativeLimit, "its limit is -1 bytes"),
      (.notANumber("10M"), .error, .badLimit, "its limit \"10M\" is not a whole number"),
      (.setAside(9), .warning, .limitNotEnforced, "its limit of 9 bytes is below message_size_limit"),
      (.unused(9), .warning, .limitNotEnforced, "the list gives it a limit of 9 bytes"),
      (.repeatsBase, .warning, .repeatedBase, "its path \"example.org/you/\" begins with virtual_mailbox_base"),
      (.path("it has .."), .error, .badPath, "its path \"example.org/you/\" is invalid: it has .."),
    ] as [(MailboxRow.Fault, Finding.Severity, FindingKind, String)])
  func rows(fault: MailboxRow.Fault, severity: Finding.Severity, kind: FindingKind, evidence: String) {
    var report = MailboxReport(.broken("a consequence"))
    if case .path = fault {} else { report.state = .examined }
    let found = Self.findings(report, Self.row(Self.limit, fault))
    #expect(found.map(\.severity) == [severity] && found.map(\.kind) == [kind])
    #expect(found.map(\.evidence) == [evidence])
  }

  @Test("A folder that is a symlink is a notice, since the IMAP server may count it")
  func linkedFolder() {
    let found = Self.findings(Self.report { $0.linked = [".A"] })
    #expect(found.map(\.kind) == [.linkedFolder] && found.map(\.severity) == [.notice])
    #expect(found.map(\.evidence) == [".A is a symlink and is not counted"])
  }

  @Test("Where the limit is unknown, neither the ledger's first line nor its total is judged")
  func unknownLimit() {
    let row = MailboxRow(
      address: Array("you@example.org".utf8), path: Array("example.org/you/".utf8), quota: .unreadable
    ).with(.notANumber("10M"))
    let report = Self.report { $0.usage = QuotaUsage(bytes: 1 << 50, messages: 1) }
    #expect(Self.findings(report, row).map(\.kind) == [.badLimit])
    #expect(Self.findings(Self.report { $0.fault = .missing }, row).map(\.kind) == [.badLimit])
  }

  @Test("A mailbox without a Maildir whose address has capitals gets no mail, and the statement mends that")
  func capitals() {
    let row = MailboxRow(address: Array("You@example.org".utf8), path: [], quota: EffectiveLimit(Self.limit, .own))
    let found = Self.findings(MailboxReport(.absent), row)
    #expect(found.map(\.kind) == [.capitals] && found.first?.severity == .warning)
    #expect(found.first?.remedy == .lowerCase)
  }

  @Test(
    "How far the work came",
    arguments: [
      (.absent, .notice, .absent, "no Maildir"),
      (.broken("there is no cur"), .error, .brokenMaildir, "there is no cur"),
      (.foreign(0), .error, .wrongRights, "the Maildir belongs to root"),
    ] as [(MailboxReport.State, Finding.Severity, FindingKind, String)])
  func states(state: MailboxReport.State, severity: Finding.Severity, kind: FindingKind, evidence: String) {
    let found = Self.findings(MailboxReport(state))
    #expect(found.map(\.severity) == [severity] && found.map(\.kind) == [kind])
    #expect(found.map(\.evidence) == [evidence])
  }

  @Test("What could not be examined is no finding: the run reports it as not audited")
  func failed() {
    #expect(Self.findings(MailboxReport(.failed("input/output error"))).isEmpty)
  }

  @Test(
    "Each fault of a ledger is a finding with its phrase, and recompute is the remedy", arguments: LedgerFault.allCases)
  func ledger(fault: LedgerFault) {
    let found = Self.findings(
      Self.report {
        $0.fault = fault
        $0.usage = nil
        $0.headerLimit = nil
      })
    let isMissingLimit = fault == .missing || fault == .unlimited
    #expect(found.map(\.kind) == [isMissingLimit ? .limitNotEnforced : .brokenLedger])
    #expect(found.map(\.severity) == [isMissingLimit ? .warning : .error])
    #expect(isMissingLimit || found.map(\.evidence) == ["maildirsize is \(fault.phrase)"])
    #expect(found.map(\.remedy) == [Self.recompute])
  }

  @Test("A missing ledger is as it should be where there is no limit")
  func missing() {
    let report = Self.report {
      $0.fault = .missing
      $0.usage = nil
      $0.headerLimit = nil
    }
    #expect(Self.findings(report, Self.row(.none)).isEmpty)
  }

  @Test("Bytes without messages are no fault where a count gives the same")
  func lopsided() {
    let report = { (counted: (Int64, Int64)) in
      Self.report {
        $0.fault = .lopsided
        $0.usage = nil
        $0.headerLimit = nil
        $0.repair = Self.repair(nil, fault: .lopsided, counted: counted, .exact)
      }
    }
    #expect(Self.findings(report((0, 3))).isEmpty)
    #expect(Self.findings(report((90, 3))).map(\.kind) == [.brokenLedger])
  }

  @Test("Another limit in the ledger: ours is out of date, another program's is a disagreement")
  func header() {
    let other = { (isOurs: Bool) in
      Self.report {
        $0.headerLimit = QuotaLimit(bytes: 2000)
        $0.isOurs = isOurs
      }
    }
    let own = Self.findings(other(true))
    #expect(own.map(\.severity) == [.notice] && own.map(\.kind) == [.headerLimit])
    #expect(own.map(\.evidence) == ["maildirsize has 2,000 bytes, the database 1,000 bytes"])
    let foreign = Self.findings(other(false), repairs: true)
    #expect(foreign.map(\.severity) == [.warning] && !foreign[0].isRepaired)
    #expect(foreign.map(\.remedy) == [.recomputeAndAlign(mailbox: "you@example.org")])
  }

  @Test("Drift is shown with both totals, the difference, and its likely cause")
  func drift() {
    let report = Self.report { $0.repair = Self.repair((900, 3), .busy, .trash) }
    let found = Self.findings(report)
    #expect(found.map(\.kind) == [.drift] && found.map(\.severity) == [.warning])
    #expect(
      found.map(\.evidence) == [
        "maildirsize says 900 bytes in 3 messages, but there are 500 bytes in 1 message (+400, +2)"
      ])
    #expect(found.map(\.reason) == [DriftCause.trash.sentence])
    #expect(found[0].bytes == 400 && found[0].messages == 2 && found[0].remedy == Self.recompute)
    // With --repair a mailbox in use is left, and tried again later.
    #expect(Self.findings(report, repairs: true).map(\.remedy) == [.recomputeAgain(mailbox: "you@example.org")])
  }

  @Test(
    "What this run has corrected is a notice without anything to do",
    arguments: [RepairResult.Action.corrected, .replaced])
  func repaired(action: RepairResult.Action) {
    let report = Self.report { $0.repair = Self.repair((900, 3), action, .unknown) }
    let found = Self.findings(report, repairs: true)
    #expect(found.map(\.isRepaired) == [true] && found.map(\.severity) == [.notice] && found.map(\.remedy) == [nil])
    // Without --repair, such a result says what would be done.
    #expect(Self.findings(report).map(\.isRepaired) == [false])
  }

  @Test("Too much mail is a warning, by the counted total where there is one; a full mailbox is not")
  func overQuota() {
    let found = Self.findings(Self.report { $0.usage = QuotaUsage(bytes: 1001, messages: 2) })
    #expect(found.map(\.kind) == [.overQuota] && found[0].bytes == 1)
    #expect(found[0].evidence == "it holds 1,001 bytes in 2 messages, and its limit is 1,000 bytes")
    #expect(Self.findings(Self.report { $0.usage = QuotaUsage(bytes: 1000, messages: 2) }).isEmpty)
    let counted = Self.report {
      $0.usage = QuotaUsage(bytes: 1001, messages: 2)
      $0.repair = Self.repair((1001, 2), counted: (900, 2), .busy, .unknown)
    }
    #expect(Self.findings(counted).map(\.kind) == [.drift])
  }

  @Test("Rights, left-overs, strange names and folders that cannot be read")
  func files() {
    let found = Self.findings(
      Self.report {
        $0.hasFolderMark = true
        $0.rightsFaults = [RightsFault(.ledger, .writableByAll(mode: 0o666))]
        $0.unreadable = [".Closed"]
        $0.staleFiles = 2
        $0.staleBytes = 70
        $0.wrongSizes = 1
        $0.wrongSizeExample = "b,S=7: 8 bytes"
      })
    #expect(found.map(\.kind) == [.strayFolderMark, .wrongRights, .wrongRights, .staleFiles, .sizeInName])
    #expect(found.map(\.severity) == [.error, .error, .error, .notice, .warning])
    #expect(
      found.map(\.evidence) == [
        "there is a file maildirfolder in the Maildir itself", "anyone can write to maildirsize, mode 666",
        ".Closed cannot be read and is not counted", "2 files in tmp/, older than 36 hours",
        "a name states a size other than the file's (b,S=7: 8 bytes)",
      ])
    #expect(found[3].bytes == 70 && found[3].messages == 2)
  }

  @Test("Removed left-overs and the mode of a new ledger count as repaired")
  func repairedFiles() {
    let report = Self.report {
      $0.rightsFaults = [RightsFault(.ledger, .writableByAll(mode: 0o666)), RightsFault(.cur, .closedToOwner(mode: 0))]
      $0.repair = Self.repair((500, 1), .replaced)
      $0.staleFiles = 1
      $0.removedFiles = 1
    }
    #expect(Self.findings(report, repairs: true).map(\.isRepaired) == [true, false, true])
  }

  @Test("A ledger that cannot be read is one finding, not two, if its owner is wrong")
  func unreadable() {
    let report = Self.report {
      $0.fault = .unreadable
      $0.usage = nil
      $0.headerLimit = nil
      $0.rightsFaults = [RightsFault(.ledger, .foreign(owner: 0, expected: 8))]
    }
    #expect(Self.findings(report).map(\.kind) == [.wrongRights])
  }
}
