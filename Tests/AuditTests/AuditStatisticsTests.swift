// SPDX-License-Identifier: Apache-2.0
import Quota
import Sweep
import Testing

@testable import Audit

/// Mailboxes in, sums out.
struct AuditStatisticsTests {
  private static func row(_ address: String, limit: Int64 = 1000) -> MailboxRow {
    MailboxRow(
      address: Array(address.utf8), path: Array("x/".utf8), quota: EffectiveLimit(QuotaLimit(bytes: limit), .own))
  }

  private static func report(_ bytes: Int64?, _ state: MailboxReport.State = .examined) -> MailboxReport {
    var report = MailboxReport(state)
    report.usage = bytes.map { QuotaUsage(bytes: $0, messages: 1) }
    return report
  }

  @Test("Domains in capitals are the same domains; an address without one has none")
  func domains() {
    var statistics = AuditStatistics()
    statistics.note(Self.row("a@example.org"), Self.report(500), directory: [])
    statistics.note(Self.row("b@EXAMPLE.org"), Self.report(700), directory: [])
    statistics.note(Self.row("c"), Self.report(1), directory: [])
    #expect(statistics.domains.mapValues(\.usage.bytes) == ["example.org": 1200, "": 1])
  }

  @Test("Beyond the largest number of domains all others are one, and those that are known go on")
  func manyDomains() {
    var statistics = AuditStatistics(maxDomains: 2)
    for domain in ["a", "b", "c", "d", "a"] { statistics.note(Self.row("x@\(domain)"), Self.report(10), directory: []) }
    #expect(statistics.domains.mapValues(\.mailboxes) == ["a": 2, "b": 1, "(others)": 2])
  }

  @Test("What is unknown is no zero; a mailbox without a Maildir holds nothing")
  func unknown() {
    var statistics = AuditStatistics()
    statistics.note(Self.row("a@x"), Self.report(nil), directory: [])
    statistics.note(Self.row("b@x"), Self.report(nil, .failed("no permission")), directory: [])
    statistics.note(Self.row("c@x"), Self.report(nil, .absent), directory: [])
    let sums = statistics.domains["x"]
    #expect(sums?.mailboxes == 3 && sums?.unknown == 2 && statistics.fill.reduce(0, +) == 1)
  }

  @Test("A mailbox belongs to the first share that it does not exceed; the limit itself is not exceeded")
  func fill() {
    var statistics = AuditStatistics()
    for bytes: Int64 in [0, 100, 101, 950, 1000, 1001] {
      statistics.note(Self.row("a@x"), Self.report(bytes), directory: [])
    }
    statistics.note(Self.row("a@x", limit: 0), Self.report(5), directory: [])
    #expect(statistics.fill == [2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1])
    #expect(statistics.domains["x"]?.overQuota == 1 && statistics.domains["x"]?.unlimited == 1)
  }

  @Test("A Maildir that several rows lead to counts once, and each row by its own limit")
  func sharedMaildir() {
    var statistics = AuditStatistics(top: 5)
    for (address, limit) in [("info@x", 1000), ("sales@x", 500)] as [(String, Int64)] {
      statistics.note(Self.row(address, limit: limit), Self.report(600), directory: Array("x/info/".utf8))
    }
    let sums = statistics.domains["x"]
    #expect(sums?.usage.bytes == 600 && sums?.mailboxes == 2 && sums?.overQuota == 1)
    #expect(statistics.largestMailboxes.map(\.name) == ["info@x"])
  }

  @Test("Only the largest mailboxes are kept, however many there are")
  func largest() {
    var statistics = AuditStatistics(top: 2)
    for number in 0..<3000 {
      statistics.note(Self.row("u\(number)@x"), Self.report(Int64(number * 7 % 3000)), directory: [])
    }
    #expect(statistics.largestMailboxes.map(\.usage.bytes) == [2999, 2998])
    #expect(AuditStatistics().largestMailboxes.isEmpty)
  }
}
