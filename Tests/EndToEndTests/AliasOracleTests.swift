// SPDX-License-Identifier: Apache-2.0
import Configuration
import Foundation
import Posix
import Tables
import TestSupport
import Testing
import Text

@testable import Aliases

/// A real Postfix is the oracle: it gets a message for a recipient, and its queue file tells who will get it.
struct AliasOracleTests {
  private static let table = """
    # Bare names are keys where the domain is this host's.
    root admin@local.example
    postmaster root, boss@other.example

    """

  /// A generator of alias graphs, the same in every run.
  private struct Graphs {
    private var state: UInt64 = 20_261_129

    mutating func number(below bound: Int) -> Int {
      // A linear congruential generator (Knuth, MMIX).
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }

    mutating func pick(_ items: [String]) -> String { items[number(below: items.count)] }

    mutating func address(_ domain: String) -> String {
      let user = pick([
        "a", "b", "c", "d", "e", "A", "b+x", "c+y+z", "\"a b\"", "postmaster", "owner-l", "l-request", "+x",
      ])
      return "\(user)@\(pick([domain, domain, domain, domain.uppercased(), "alias.\(domain)", domain + "."]))"
    }

    mutating func item(_ domain: String) -> String {
      switch number(below: 14) {
      case 0: return "x@remote.example"
      case 1: return "root"
      case 2: return "<\(address(domain))>"
      case 3: return "a%\(domain)"
      case 4: return "\(domain)!a"
      case 5: return "u@host"
      default: return address(domain)
      }
    }

    /// The rows of one graph: users, a catch-all, an alias domain.
    mutating func rows(_ domain: String) -> String {
      var rows: [String: String] = [:]
      for user in ["a", "b", "c", "d", "e", "\"a b\"", "b+x", "postmaster", "owner", "l"] where number(below: 3) > 0 {
        let separator = pick([",", ", ", " , ", " "])
        var items: [String] = []
        for _ in 0...number(below: 3) { items.append(item(domain)) }
        if number(below: 3) == 0 { items.insert("\(user)@\(domain)", at: number(below: items.count + 1)) }
        rows["\(user)@\(domain)"] = items.joined(separator: separator)
      }
      if number(below: 3) == 0 { rows["@\(domain)"] = pick(["a@\(domain)", "catch@all.example", "@alias.\(domain)"]) }
      if number(below: 2) == 0 {
        rows["@alias.\(domain)"] = pick(["@\(domain)", "@\(domain)", "b@\(domain)", "@x.example,y@\(domain)"])
      }
      if number(below: 4) == 0 { rows["a@alias.\(domain)"] = "@\(domain)" }
      return rows.map { "\($0) \($1)\n" }.sorted().joined()
    }
  }

  @Test(
    "500 random alias graphs lead to the addresses that a real Postfix delivers to",
    arguments: [
      "recipient_delimiter = +", "recipient_delimiter = +-\nowner_request_special = no",
      "recipient_delimiter = -\npropagate_unmatched_extensions =",
    ])
  func graphs(settings: String) throws {
    let sandbox = try Sandbox()
    try Command.check(["chmod", "755", sandbox.path])
    var graphs = Graphs()
    var rows = Self.table
    var recipients: [String] = []
    for number in 0..<500 {
      let domain = "g\(number).example"
      rows += graphs.rows(domain)
      recipients.append(
        graphs.number(below: 20) == 0 ? graphs.pick(["root", "a%\(domain)", "\(domain)!b"]) : graphs.address(domain))
    }
    try sandbox.write("aliases", rows, mode: 0o644)
    try sandbox.write("canonical", "b@g1.example a@g1.example\n@g2.example @g3.example\n", mode: 0o644)
    try sandbox.write("patterns", "/^c\\+y\\+z@g(.)\\.example$/ a@g$1.example\n", mode: 0o644)
    let lines = """
      virtual_alias_maps = texthash:\(sandbox("aliases")), regexp:\(sandbox("patterns"))
      recipient_canonical_maps = texthash:\(sandbox("canonical"))
      mydestination = local.example
      myorigin = local.example
      mydomain = my.example
      append_dot_mydomain = yes
      virtual_alias_recursion_limit = 20
      virtual_alias_expansion_limit = 20
      \(settings)
      """
    let expected = try Self.delivered(recipients, lines)
    let policy = try PolicySettings(ConfigurationFile(parsing: Array(lines.utf8)))
    let tables = PolicyTables(policy, TableSet(), .directly)
    var compared = 0
    for (recipient, theirs) in zip(recipients, expected) {
      let internalForm = recipient.replacing("\"", with: "")
      let expansion = AliasExpander.expand(
        Array(internalForm.utf8), policy.aliases, tables, until: Deadline(secondsFromNow: 60))
      switch expansion.result {
      case .success(let addresses):
        let ours = Set(addresses.map { AddressText.quoted($0).text.lowercased() })
        #expect(ours == theirs, "\(recipient): \(ours) instead of \(theirs.map { "\($0)" } ?? "a deferral")")
        compared += 1
      // What is not understood may be anything.
      case .failure(.notUnderstood): continue
      case .failure(let failure): #expect(theirs == nil, "\(recipient): \(failure.shown) instead of \(theirs ?? [])")
      }
    }
    #expect(compared > 300)
  }

  /// The addresses that Postfix queues a message for, nil for a recipient whose message it defers.
  private static func delivered(_ recipients: [String], _ settings: String) throws -> [Set<String>?] {
    let postfix = try PostfixInstance(
      pipe: "flags= user=nobody argv=/bin/true",
      settings: """
        smtpd_recipient_restrictions = permit_mynetworks
        smtpd_reject_unlisted_recipient = no
        smtpd_data_restrictions = check_client_access static:HOLD
        smtpd_error_sleep_time = 0
        smtpd_hard_error_limit = 10000
        smtpd_junk_command_limit = 10000
        \(settings)
        """)
    let script = """
      import json, smtplib, subprocess, sys
      session = smtplib.SMTP("127.0.0.1", \(postfix.port), timeout=60)
      session.ehlo()
      queued = []
      for recipient in sys.stdin.read().split("\\n")[:-1]:
          session.mail("me@example.net")
          code, text = session.docmd("RCPT", "TO:<%s>" % recipient)
          if code != 250:
              sys.exit("%s: %s" % (recipient, text))
          code, text = session.data(b"Subject: x\\r\\n\\r\\nx\\r\\n")
          queued.append(text.split()[-1].decode() if code == 250 else None)
      command = ["postqueue", "-c", "\(postfix.sandbox("config"))", "-j"]
      listing = subprocess.run(command, capture_output=True, text=True)
      addresses = {}
      for line in listing.stdout.splitlines():
          entry = json.loads(line)
          addresses[entry["queue_id"]] = [r["address"] for r in entry["recipients"]]
      for name in queued:
          print(json.dumps(addresses[name] if name else None))
      """
    let output = try Command.check(
      ["python3", "-c", script], input: .bytes(Array(recipients.map { $0 + "\n" }.joined().utf8)))
    let lines = output.split(separator: "\n")
    try #require(lines.count == recipients.count)
    return try lines.map { line in
      let value = try JSONSerialization.jsonObject(with: Data(line.utf8), options: .fragmentsAllowed)
      return (value as? [String]).map { Set($0.map { $0.lowercased() }) }
    }
  }
}
