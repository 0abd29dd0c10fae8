// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// Two mail hosts, each in a network namespace of its own, joined by a cable, with one PostgreSQL: `mx1` has the
/// mailboxes, `mx2` has none.
struct PolicyHostsTests {
  private let site: PolicySite
  private let network: TwoHosts

  init() throws {
    network = try TwoHosts()
    site = try PolicySite()
  }

  private func refusal(_ recipient: String) -> String {
    "452 4.2.2 <\(recipient)>: Recipient address rejected: Full up, sorry."
  }

  private func reply(_ postfix: PostfixInstance, _ recipient: String) throws -> String {
    try postfix.dialogue(["EHLO x", "MAIL FROM:<me@example.net>", "RCPT TO:<\(recipient)>", "QUIT"])[2]
  }

  private func postfix(_ host: String, asking endpoint: String) throws -> PostfixInstance {
    try PostfixInstance(
      pipe: "flags= user=nobody argv=/bin/false", settings: site.settings(PolicySite.restriction(endpoint)),
      launcher: network.on(host))
  }

  private func daemon(_ host: String, _ service: String, _ configuration: String, _ socket: String) throws
    -> ServiceDaemon
  {
    try ServiceDaemon(configuration, service: service, socket: socket, launcher: network.on(host) + MailUser.drop)
  }

  @Test("A host with the mailboxes refuses for itself, and over TCP for one that has none")
  func overTheNetwork() throws {
    let port = try freePort()
    let sandbox = site.host.sandbox
    try site.configure("policy_listen = \(network.address("mx1")):\(port)\npolicy_clients = \(network.address("mx2"))")
    let daemons = [
      try daemon("mx1", "lookup", sandbox("ullage.cf"), sandbox("lookup")),
      try daemon("mx1", "policy", sandbox("ullage.cf"), sandbox("policy")),
    ]
    try Command.check(["chmod", "666", sandbox("policy")])
    let own = try postfix("mx1", asking: "unix:\(sandbox("policy"))")
    let other = try postfix("mx2", asking: "inet:\(network.address("mx1")):\(port)")
    for postfix in [own, other] {
      #expect(try reply(postfix, "two+x@alias.example") == refusal("two+x@alias.example"))
      #expect(try reply(postfix, "mixed@example.org").hasPrefix("250 2.1.5 "))
    }
    // The cable is cut: mail goes on.
    try network.cut()
    #expect(try reply(other, "two@example.org").hasPrefix("250 2.1.5 "))
    withExtendedLifetime(daemons) {}
  }

  @Test("A host without the mailboxes refuses by what the IMAP server writes into SQL, never for good")
  func bySQL() throws {
    let sandbox = site.host.sandbox
    try site.configure(
      """
      virtual_mailbox_base = /nowhere
      virtual_overquota_bounce = yes
      policy_usage_maps = pgsql:\(sandbox("usage.cf"))
      policy_usage_is_live = yes
      """)
    let daemons = [
      try daemon("mx2", "lookup", sandbox("ullage.cf"), sandbox("lookup")),
      try daemon("mx2", "policy", sandbox("ullage.cf"), sandbox("policy")),
    ]
    try Command.check(["chmod", "666", sandbox("policy")])
    let postfix = try postfix("mx2", asking: "unix:\(sandbox("policy"))")
    // No row: nothing is known.
    #expect(try reply(postfix, "full@example.org").hasPrefix("250 2.1.5 "))
    try site.cluster.sql("INSERT INTO quota2 VALUES ('full@example.org', \(PolicySite.limit), 1)")
    try waitUntil("the figure") { try reply(postfix, "one@example.org") == refusal("one@example.org") ? () : nil }
    try site.cluster.sql("UPDATE quota2 SET bytes = bytes - 1")
    try waitUntil("the new figure") { try reply(postfix, "one@example.org").hasPrefix("250 2.1.5 ") ? () : nil }
    withExtendedLifetime(daemons) {}
  }
}

/// Two network namespaces, joined by a cable. They end with the test.
private final class TwoHosts {
  private let number: Int

  init() throws {
    guard geteuid() == 0 else { throw TestError("network namespaces need root") }
    number = try freePort() % 250
    for host in ["mx1", "mx2"] { try Command.check(["ip", "netns", "add", name(host)]) }
    try Command.check([
      "ip", "link", "add", "cable", "netns", name("mx1"), "type", "veth", "peer", "name", "cable", "netns", name("mx2"),
    ])
    for host in ["mx1", "mx2"] {
      let ip = ["ip", "-n", name(host)]
      try Command.check(ip + ["address", "add", "\(address(host))/24", "dev", "cable"])
      for link in ["lo", "cable"] { try Command.check(ip + ["link", "set", link, "up"]) }
    }
  }

  deinit { for host in ["mx1", "mx2"] { _ = try? Command.run(["ip", "netns", "delete", name(host)]) } }

  private func name(_ host: String) -> String { "ullage-\(getpid())-\(number)-\(host)" }

  func address(_ host: String) -> String { "10.99.\(number).\(host == "mx1" ? 1 : 2)" }

  /// The command that runs another one there.
  func on(_ host: String) -> [String] { ["ip", "netns", "exec", name(host)] }

  func cut() throws { try Command.check(["ip", "-n", name("mx1"), "link", "set", "cable", "down"]) }
}
