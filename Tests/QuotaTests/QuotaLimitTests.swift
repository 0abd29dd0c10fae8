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

  @Test("A limit on messages applies in addition to the one on bytes")
  func messageLimit() {
    let limit = QuotaLimit(bytes: 1000, messages: 5)
    #expect(limit.admits(messageOf: 1, beside: QuotaUsage(bytes: 0, messages: 4)))
    #expect(!limit.admits(messageOf: 1, beside: QuotaUsage(bytes: 0, messages: 5)))
    #expect(limit.room(beside: QuotaUsage(bytes: 0, messages: 5)) < 0)
  }

  @Test("Sums beyond Int64 neither trap nor wrap around")
  func saturation() {
    let limit = QuotaLimit(bytes: .max)
    #expect(!limit.admits(messageOf: .max, beside: QuotaUsage(bytes: 1, messages: 1)))
    var usage = QuotaUsage(bytes: .max, messages: 1)
    usage += QuotaUsage(bytes: 1, messages: 1)
    #expect(usage == QuotaUsage(bytes: .max, messages: 2))
  }

  @Test("Published limits fit into a double and a C int (Exim, Courier)")
  func published() {
    #expect(
      QuotaLimit(bytes: .max, messages: .max).published == QuotaLimit(bytes: .max - 1023, messages: 2_147_483_647))
  }
}
