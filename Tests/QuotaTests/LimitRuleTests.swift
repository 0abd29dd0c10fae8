// SPDX-License-Identifier: Apache-2.0
import Quota
import Testing

/// Which limit applies, as VDA decides it.
struct LimitRuleTests {
  private let rule = LimitRule(fallback: 500, messageSizeLimit: 100, overrides: false)

  @Test(
    "The table's answer becomes a limit by VDA's rules, and its source is named",
    arguments: [
      (nil, 500, .fallback), (-1, 500, .fallback), (0, 0, .own), (2000, 2000, .own), (99, 500, .setAside(99)),
      (100, 100, .own),
    ] as [(Int64?, Int64, EffectiveLimit.Source)])
  func sources(answer: Int64?, bytes: Int64, source: EffectiveLimit.Source) {
    #expect(rule.limit(bytes: answer) == EffectiveLimit(QuotaLimit(bytes: bytes), source))
  }

  @Test("virtual_mailbox_limit_override lets a limit below message_size_limit apply")
  func overrides() {
    let rule = LimitRule(fallback: 500, messageSizeLimit: 100, overrides: true)
    #expect(rule.limit(bytes: 99) == EffectiveLimit(QuotaLimit(bytes: 99), .own))
  }

  @Test(
    "The number of messages applies whatever becomes of the bytes; nothing and less than zero mean any number",
    arguments: [(nil, 0), (-7, 0), (0, 0), (7, 7)] as [(Int64?, Int64)])
  func messages(answer: Int64?, messages: Int64) {
    for bytes: Int64? in [nil, 99, 1000] {
      #expect(rule.limit(bytes: bytes, messages: answer).limit.messages == messages)
    }
  }
}
