// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// What we write is read by the programs that share `maildirsize` with us, and the reverse, without a count: the ledger
/// has another total than the files, so whoever counts shows it.
struct PeerTests {
  private static let limit: Int64 = 102_400

  /// A ledger of ours with a total of 50 KiB in 5 messages, in a mailbox that holds one message.
  enum Form: CaseIterable, Sendable {
    case counted, delivered, compacted, corrected, withMessageLimit

    func host() throws -> MailHost {
      let host = try MailHost("virtual_mailbox_limit = \(PeerTests.limit)")
      try host.store("a,S=1000:2,S", bytes: 1000)
      switch self {
      case .counted:
        // As a recount left it; the messages have been changed since.
        try host.setLedger("102400S\n 51200 5\n")
      case .delivered:
        try host.setLedger("102400S\n 50100 4\n0 0\n")
        #expect(try host.deliver(bytes: 1100).status == 0)
      case .compacted:
        try host.setLedger("102400S\n50100 4\n" + String(repeating: "0 0\n", count: 1000))
        #expect(try host.deliver(bytes: 1100).status == 0)
      case .corrected: try host.setLedger("102400S\n 1000 1\n0 0\n50200 4\n")
      case .withMessageLimit:
        try host.configure(
          "virtual_mailbox_limit = \(PeerTests.limit)\nvirtual_mailbox_message_limit_maps = static:1000")
        try host.setLedger("102400S,1000C\n 50100 4\n0 0\n")
        #expect(try host.deliver(bytes: 1100).status == 0)
      }
      return host
    }
  }

  @Test(
    "Our ledger is shown without a count", arguments: PeerReader.allCases,
    Form.allCases.filter { $0 != .withMessageLimit })
  func shown(reader: PeerReader, form: Form) throws {
    let host = try form.host()
    let ledger = host.ledger
    #expect(try reader.usage(of: host, limit: Self.limit) == 50)
    #expect(host.ledger == ledger)
  }

  @Test("Courier reads a ledger with a limit of messages as well")
  func messageLimit() throws {
    let host = try Form.withMessageLimit.host()
    let ledger = host.ledger
    #expect(ledger?.hasPrefix("102400S,1000C\n") == true)
    #expect(try PeerReader.courierIMAP.usage(of: host, limit: Self.limit) == 50 && host.ledger == ledger)
  }

  @Test(
    "Another program delivers into our ledger without a count, and we go on with what it has written",
    arguments: PeerAgent.allCases, Form.allCases.filter { $0 != .withMessageLimit })
  func appended(agent: PeerAgent, form: Form) throws {
    let host = try form.host()
    let before = try #require(host.ledger)
    #expect(try agent.deliver(Self.letter, to: host, limit: Self.limit))
    let after = try #require(host.ledger)
    #expect(after.hasPrefix(before) && after.split(separator: "\n").count == before.split(separator: "\n").count + 1)
    let total = try #require(host.ledgerTotal)
    #expect(total[1] == 6 && total[0] > 51_200)
    // Ours: one more line, and nothing is counted.
    #expect(try host.deliver(bytes: 300).status == 0)
    #expect(host.ledger == after + "300 1\n")
  }

  @Test(
    "A total that was only added up refuses nothing: every program counts first", arguments: PeerAgent.allCases)
  func countsFirst(agent: PeerAgent) throws {
    let host = try MailHost("virtual_mailbox_limit = \(Self.limit)")
    try host.store("a,S=1000:2,S", bytes: 1000)
    // Dovecot does that only where the total by itself is over the limit.
    try host.setLedger("102400S\n \(agent == .dovecotLDA ? 102_500 : 102_300) 9\n0 0\n")
    #expect(try agent.deliver(Self.letter, to: host, limit: Self.limit))
    #expect(try #require(host.ledgerTotal)[1] == 2, "\(host.ledger ?? "")")
  }

  @Test("A total that we have just counted is believed, and refuses", arguments: PeerAgent.allCases)
  func refuses(agent: PeerAgent) throws {
    let host = try MailHost("virtual_mailbox_limit = \(Self.limit)")
    try host.store("a,S=1000:2,S", bytes: 1000)
    try host.setLedger("102400S\n 102300 9\n")
    // The file is as new as a recount's.
    try Command.check(["touch", host.sandbox("\(host.maildir)/maildirsize")])
    #expect(try !agent.deliver(Self.letter, to: host, limit: Self.limit))
  }

  @Test(
    "A ledger that another program makes, with its own count, is read by us without one",
    arguments: PeerAgent.allCases.filter { $0 != .deliverquota })
  func made(agent: PeerAgent) throws {
    let host = try MailHost("virtual_mailbox_limit = \(Self.limit)")
    try host.store("a,S=1000:2,S", bytes: 1000)
    #expect(try agent.deliver(Self.letter, to: host, limit: Self.limit))
    #expect(try agent.deliver(Self.letter, to: host, limit: Self.limit))
    let before = try #require(host.ledger)
    let found = try #require(
      try host.ullage("recompute", MailHost.recipient, "--dry-run", "--format=jsonl").records.first)
    #expect(found["result"] == "exact" && found["counted_messages"] == "3", "\(found) \(before)")
    #expect(try host.deliver(bytes: 300).status == 0)
    #expect(host.ledger == before + "300 1\n")
  }

  /// Larger than what remains of the limit in the tests of refusals.
  private static let letter =
    Array("From: me@example.net\nSubject: a letter\n\n".utf8) + MailHost.message(300)
}
