// SPDX-License-Identifier: Apache-2.0
import Quota
import Testing

struct QuotaLimitTests {
  @Test("A message that fills the quota exactly is accepted (VDA, Maildir++)")
  func exactFit() {
    #expect(QuotaLimit(bytes: 100).admits(messageOf: 40, beside: QuotaUsage(bytes: 60, messages: 1)))
  }

  @Test("One byte more is over quota")
  func oneByteTooMany() {
    #expect(!QuotaLimit(bytes: 100).admits(messageOf: 41, beside: QuotaUsage(bytes: 60, messages: 1)))
  }

  @Test("Zero means no limit")
  func noLimit() {
    #expect(QuotaLimit.none.admits(messageOf: .max, beside: QuotaUsage(bytes: .max, messages: .max)))
    #expect(QuotaLimit.none.admitsAlone(messageOf: .max))
  }

  @Test("A limit on messages holds beside the one on bytes")
  func messageLimit() {
    let limit = QuotaLimit(bytes: 1000, messages: 5)
    #expect(limit.admits(messageOf: 1, beside: QuotaUsage(bytes: 0, messages: 4)))
    #expect(!limit.admits(messageOf: 1, beside: QuotaUsage(bytes: 0, messages: 5)))
    #expect(limit.room(beside: QuotaUsage(bytes: 0, messages: 5)) < 0)
  }

  @Test("Sums beyond Int64 neither trap nor wrap around to room")
  func saturation() {
    let limit = QuotaLimit(bytes: .max)
    #expect(!limit.admits(messageOf: .max, beside: QuotaUsage(bytes: 1, messages: 1)))
    var usage = QuotaUsage(bytes: .max, messages: 1)
    usage += QuotaUsage(bytes: 1, messages: 1)
    #expect(usage == QuotaUsage(bytes: .max, messages: 2))
  }

  @Test("What is published is small enough for a double and a C int (Exim, Courier)")
  func published() {
    #expect(
      QuotaLimit(bytes: .max, messages: .max).published == QuotaLimit(bytes: .max - 1023, messages: 2_147_483_647))
  }
}

struct LimitRuleTests {
  @Test(
    "The table's answer becomes a limit by VDA's rules",
    arguments: [
      (nil, 500, false), (-1, 500, false), (0, 0, false), (2000, 2000, false), (99, 500, true), (100, 100, false),
    ] as [(Int64?, Int64, Bool)])
  func rule(answer: Int64?, limit: Int64, setAside: Bool) {
    let rule = LimitRule(fallback: 500, messageSizeLimit: 100, overrides: false)
    #expect(rule.limit(for: answer) == (limit, setAside))
  }

  @Test("virtual_mailbox_limit_override lets a small limit hold")
  func overrides() {
    #expect(LimitRule(fallback: 500, messageSizeLimit: 100, overrides: true).limit(for: 99) == (99, false))
  }
}

struct WholeNumberTests {
  @Test(
    "Whole numbers over the range of Int64 are read",
    arguments: [
      ("0", 0), ("-1", -1), (" 1048576", 1_048_576), ("007\t", 7), ("9223372036854775807", .max),
      ("-9223372036854775808", .min),
    ] as [(String, Int64)])
  func accepted(text: String, value: Int64) {
    #expect(Int64(wholeNumber: Array(text.utf8)) == value)
  }

  @Test(
    "Anything else is no number, never zero",
    arguments: [
      "", " ", "10M", "1e9", "1,2", "9223372036854775808", "-9223372036854775809", "+5", "- 5", "--5", "0x10", "1 2",
      "٣",
    ])
  func refused(text: String) {
    #expect(Int64(wholeNumber: Array(text.utf8)) == nil)
  }

  @Test(
    "How full a mailbox is: the fuller of bytes and messages, exact at both ends of Int64",
    arguments: [
      (1000, 0, 999, 7, 99), (1000, 0, 1000, 7, 100), (1000, 0, 1001, 7, 100), (1000, 10, 100, 9, 90),
      (0, 10, 1 << 40, 5, 50),
      (.max, 0, .max, 1, 100), (.max, 0, .max - 1, 1, 99), (1, 0, .max, 1, .max), (0, 0, 5, 5, nil), (10, 0, -5, 0, 0),
    ] as [(Int64, Int64, Int64, Int64, Int64?)])
  func percent(bytes: Int64, messages: Int64, used: Int64, count: Int64, percent: Int64?) {
    let limit = QuotaLimit(bytes: bytes, messages: messages)
    let usage = QuotaUsage(bytes: used, messages: count)
    #expect(limit.percent(of: usage) == percent)
    #expect(limit.isExceeded(by: usage) == (bytes > 0 && used > bytes || messages > 0 && count > messages))
  }

  @Test("Exactly so many percent are not more than that")
  func exceeded() {
    let limit = QuotaLimit(bytes: 1000)
    #expect(!limit.isExceeded(by: QuotaUsage(bytes: 900, messages: 1), percent: 90))
    #expect(limit.isExceeded(by: QuotaUsage(bytes: 901, messages: 1), percent: 90))
    #expect(!QuotaLimit.none.isExceeded(by: QuotaUsage(bytes: .max, messages: .max), percent: 0))
  }
}
