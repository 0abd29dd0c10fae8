// SPDX-License-Identifier: Apache-2.0
import Testing
import Text

@testable import Policy

/// When a recipient is refused, and with which words.
struct PolicyRuleTests {
  private typealias Target = PolicyRule.Target
  private let full = Target.full(isEstimate: false)

  private func decide(_ targets: [Target], any: Bool = false, bounces: Bool = false) -> PolicyRule.Decision {
    PolicyRule(refusesForAny: any, bounces: bounces).decision(targets)
  }

  @Test("A recipient is refused only if at least one target counts and every one that counts is full")
  func all() {
    #expect(decide([full]) == .full(.full) && decide([full, full]) == .full(.full))
    #expect(decide([full], bounces: true) == .full(.fullForGood))
    #expect(decide([]) == .pass && decide([.uncounted]) == .pass && decide([.uncounted, full]) == .full(.full))
    #expect(decide([full, .other]) == .pass && decide([.other]) == .pass && decide([.tooSmall, .other]) == .pass)
  }

  @Test("With policy_rule = any one full target is enough")
  func any() {
    #expect(decide([full, .other], any: true) == .full(.full))
    #expect(decide([.other, .tooSmall], any: true) == .tooLarge)
    #expect(decide([.other], any: true) == .pass && decide([.uncounted], any: true) == .pass)
  }

  @Test("A message too large for every target gets 552 5.2.2 whatever is configured, a mixture the configured code")
  func tooLarge() {
    #expect(decide([.tooSmall, .tooSmall]) == .tooLarge)
    #expect(decide([.tooSmall, full]) == .full(.full))
    #expect(decide([.tooSmall, full], bounces: true) == .full(.fullForGood))
  }

  @Test("An estimate from SQL never refuses for good")
  func estimates() {
    #expect(decide([.full(isEstimate: true)], bounces: true) == .full(.full))
    #expect(decide([.full(isEstimate: true), full], bounces: true) == .full(.full))
  }

  @Test("A message for several recipients is refused only if each of them refuses it")
  func severalRecipients() {
    let rule = PolicyRule(refusesForAny: false, bounces: true)
    #expect(rule.decision([.full(.fullForGood), .pass]) == .pass)
    #expect(rule.decision([.full(.fullForGood), .tooLarge]) == .full(.fullForGood))
    #expect(rule.decision([.full(.full), .tooLarge]) == .full(.full))
    #expect(rule.decision([.tooLarge, .tooLarge]) == .tooLarge)
    #expect(rule.decision([PolicyRule.Decision]()) == .pass)
  }

  @Test("The least size is exact at both ends of Int64, and never more than announced")
  func slack() {
    #expect(leastSize(ofAnnounced: 1000, slack: 6) == 940 && leastSize(ofAnnounced: 0, slack: 6) == 0)
    #expect(leastSize(ofAnnounced: 1000, slack: 100) == 0 && leastSize(ofAnnounced: 199, slack: 50) == 99)
    #expect(leastSize(ofAnnounced: .max, slack: 0) == .max)
    #expect(leastSize(ofAnnounced: .max, slack: 50) == Int64.max / 2)
  }

  @Test("A reply is one line of at most 430 bytes, whatever the text is")
  func reply() {
    let text = Array("full\nRCPT \u{1B}[31m".utf8) + [UInt8](repeating: 120, count: 1000)
    let bytes = PolicyAnswer.refuse(.fullForGood, text: text).bytes
    #expect(bytes.text.hasPrefix("action=552 5.2.2 full?RCPT ?[31mxxx") && bytes.text.hasSuffix("x\n\n"))
    #expect(bytes.count < 430 && bytes.count { $0 < 32 } == 2)
    // smtpd(8) ignores what is not UTF-8.
    #expect(PolicyAnswer.refuse(.full, text: [0x76, 0xF6, 0x6C, 0x6C]).bytes.text == "action=452 4.2.2 v?ll\n\n")
  }
}
