// SPDX-License-Identifier: Apache-2.0
import Configuration
import Foundation
import Site
import TestSupport
import Testing
import Text

/// How administrators set up `ullaged policy` and look after it: the commands and lines that they are given, what
/// `ullage check` finds, counters, TCP.
final class PolicySetupTests: PolicyFixture {
  /// Makes the service reachable where the package's socket is.
  private func linkSocket() throws {
    try Command.check(["ln", "-s", host.sandbox("policy"), postfix.sandbox("queue/private/ullage-policy")])
  }

  @Test("The commands that migrate prints switch it on for a trial, for good, and off again")
  func switching() throws {
    try linkSocket()
    try postfix.setParameter("smtpd_end_of_data_restrictions=")
    try postfix.setParameter("smtpd_recipient_restrictions=reject_unauth_destination")
    let config = postfix.sandbox("config")
    let report = try Command.run([
      Programs.path("ullage"), "migrate", "--from=\(config)", "--to=\(host.sandbox("new.cf"))", "--dry-run",
      "--user=nobody",
    ]).output
    func run(_ title: String) throws -> [String] {
      let lines = report.components(separatedBy: title + "\n").dropFirst().joined().split(separator: "\n")
      let commands = lines.prefix { $0.hasPrefix("       ") }.map { String($0.dropFirst(7)) }
      // What concerns units would change this machine.
      for command in commands where !command.contains("systemctl") && !command.contains("/etc/systemd/") {
        try Command.check(["sh", "-c", command])
      }
      return commands
    }
    let trial = try run("only log what would be refused.")
    #expect(trial.contains { $0.contains("systemctl enable --now ullaged-policy.socket ullaged-policy.service") })
    // Only the port for other servers' mail is called smtp or 25; this one keeps its list.
    #expect(trial.contains { $0.contains("postconf -c \(config) -P 127.0.0.1:\(postfix.port)/inet/") })
    try Command.check(["postconf", "-c", config, "-PX", "127.0.0.1:\(postfix.port)/inet/smtpd_recipient_restrictions"])
    try postfix.reload()
    #expect(try replies(to: ["full@example.org"])[0].hasPrefix("250 "))
    #expect(postfix.log.contains("reject_warning: RCPT from"))
    #expect(try run("when the log looks right.").count == 2)
    try postfix.reload()
    #expect(try replies(to: ["full@example.org"]) == [refusal("full@example.org")])
    #expect(try run("Off again.").count == 2)
    try postfix.reload()
    #expect(try replies(to: ["full@example.org"])[0].hasPrefix("250 "))
    let now = try Command.check(["postconf", "-c", config, "-h", "smtpd_recipient_restrictions"])
    #expect(now == "reject_unauth_destination\n")
  }

  @Test(
    "The lines in the README and the manual are what migrate prints for an empty list",
    arguments: ["README.md", "man/ullaged.8"])
  func documentedLines(file: String) throws {
    let text = try Project.text(file).replacing("\\e\n", with: "\\\n")
    // Those that are copied are what the service takes.
    let copying = try #require(text.firstMatch(of: #/\npostconf (-x [a-z_ ]+) >>|    postconf (-x [a-z_ ]+) >>/#))
    let names = String(copying.1 ?? copying.2 ?? "").split(separator: " ").map(String.init)
    let copied = try Command.check(["postconf", "-c", postfix.sandbox("config")] + names)
    let settings = try PolicySettings(ConfigurationFile(parsing: Array(copied.utf8)))
    #expect(settings.aliases.virtualAliasMaps.count == 3 && !settings.aliases.mailboxDomains.isEmpty, "\(copied)")
    let commands = text.matches(of: #/postconf -e "(?s).*?DUNNO }"/#).map { String($0.0) }
    let config = postfix.sandbox("config")
    for command in commands {
      try Command.check(["sh", "-c", command.replacing("postconf", with: "postconf -c \(config)")])
    }
    let list = try Command.check(["postconf", "-c", config, "-h", "smtpd_recipient_restrictions"])
    #expect(
      list.replacing(#/\s+/#, with: " ") == PolicyRestriction.inserted(into: "", isDryRun: true) + " ", "\(commands)")
    #expect(commands.count == (file == "README.md" ? 1 : 2))
    let end = try Command.check(["postconf", "-c", config, "-h", "smtpd_end_of_data_restrictions"])
    #expect(
      end.contains(
        PolicyRestriction.service(
          at: file == "README.md" ? "unix:\(host.sandbox("policy"))" : PolicyRestriction.endpoint)))
  }

  /// What `ullage check` finds about the policy service: kinds, evidence, remedies.
  private func findings() throws -> [[String: String]] {
    let ending = try host.ullage(
      "check", "--postfix=\(postfix.sandbox("config"))", "--user=nobody", "--format=jsonl", asMailUser: false)
    return try ending.records.filter {
      ($0["kind"] ?? "").hasPrefix("policy") || ["alias-loop", "bad-configuration"].contains($0["kind"])
    }
  }

  @Test("The check finds where the service is asked in the wrong way, and its commands put it right")
  func check() throws {
    try linkSocket()
    try cluster.sql("DELETE FROM alias WHERE address IN ('loop@example.org', 'pool@example.org')")
    try postfix.setParameter("smtpd_end_of_data_restrictions=")
    try postfix.setParameter("virtual_mailbox_domains=pgsql:\(host.sandbox("domains.cf"))")
    let guards = "reject_unauth_destination, reject_unlisted_recipient"
    let right = "{ unix:private/ullage-policy, timeout=10s, default_action=DUNNO }"
    for (list, kind) in [
      ("\(guards), check_policy_service \(right)", nil),
      ("check_policy_service \(right), reject_unauth_destination", "policy-place"),
      ("reject_unauth_destination, check_policy_service \(right), reject_unlisted_recipient", "policy-place"),
      ("permit_mynetworks, reject_unauth_destination, permit, check_policy_service \(right)", "policy-place"),
      (
        "\(guards), check_policy_service { unix:private/ullage-policy, timeout=5s }",
        "policy-options"
      ),
      (
        "\(guards), warn_if_reject check_policy_service unix:private/ullage-policy",
        "policy-options"
      ),
    ] as [(String, String?)] {
      try postfix.setParameter("smtpd_recipient_restrictions=\(list)")
      let found = try findings()
      guard let kind else {
        #expect(found.compactMap { $0["kind"] } == [], "\(found)")
        continue
      }
      #expect(found.contains { $0["kind"] == kind }, "\(list): \(found)")
      guard let remedy = found.first?["remedy"], remedy.hasPrefix("postconf ") else {
        Issue.record("\(found)")
        continue
      }
      try Command.check(["sh", "-c", remedy])
      let after = try findings()
      #expect(after.compactMap { $0["kind"] } == [], "\(list): \(remedy): \(after)")
    }
  }

  @Test(
    "The check finds a service that does not answer, other aliases than Postfix's, aliases that loop, and a mistake")
  func checkMore() throws {
    let site =
      "reject_unauth_destination, reject_unlisted_recipient, "
      + "check_policy_service { unix:private/ullage-policy, timeout=10s, default_action=DUNNO }"
    try postfix.setParameter("smtpd_end_of_data_restrictions=")
    try postfix.setParameter("virtual_mailbox_domains=pgsql:\(host.sandbox("domains.cf"))")
    try postfix.setParameter("smtpd_recipient_restrictions=\(site)")
    var found = try findings()
    #expect(Set(found.compactMap { $0["kind"] }) == ["policy-socket", "alias-loop"], "\(found)")
    let loop = found.first { $0["kind"] == "alias-loop" }?["finding"]
    #expect(
      loop?.contains("aliases lead back to it, so Postfix defers the message (and 1 more address)") == true, "\(found)")
    try linkSocket()
    try cluster.sql("DELETE FROM alias WHERE address = 'loop@example.org'")
    #expect(try findings().compactMap { $0["kind"] } == [])
    try postfix.setParameter("mydestination=local.example")
    try postfix.setParameter("canonical_maps=static:x@example.org")
    found = try findings()
    #expect(found.map { $0["kind"] } == ["policy-parameters", "policy-parameters"], "\(found)")
    try self.site.configure(
      "mydestination = local.example\ncanonical_maps = static:x@example.org\nmyorigin = /etc/mailname")
    #expect(
      try findings().contains {
        $0["kind"] == "bad-configuration" && $0["finding"]?.contains("myorigin must be") == true
      })
  }

  @Test("The counters are what Prometheus reads, and no address is in them")
  func counters() throws {
    try site.configure("metrics_socket = policy=\(host.sandbox("policy-metrics")), lookup=127.0.0.1:\(freePort())")
    let daemon = try ServiceDaemon(
      host.sandbox("ullage.cf"), service: "policy", socket: host.sandbox("policy-metrics"),
      environment: [:], stopping: policy)
    // The counters may be there before the service is.
    let first = try waitUntil("the service") { try? UnixSocket(connectingTo: host.sandbox("policy")) }
    withExtendedLifetime(first) {}
    for recipient in ["full@example.org", "room@example.org", "loop@example.org", "none@example.net"] {
      let client = try UnixSocket(connectingTo: host.sandbox("policy"))
      client.send(request(recipient) + request(recipient))
      var answers = ""
      while answers.components(separatedBy: "\n\n").count < 3 {
        let bytes = client.receive()
        try #require(!bytes.isEmpty)
        answers += String(decoding: bytes, as: UTF8.self)
      }
    }
    let text = try metrics()
    for line in [
      "ullage_policy_answers_total{action=\"refuse\",reason=\"full\"} 2",
      "ullage_policy_answers_total{action=\"pass\",reason=\"room\"} 2",
      "ullage_policy_answers_total{action=\"pass\",reason=\"alias-error\"} 2",
      "ullage_policy_answers_total{action=\"pass\",reason=\"elsewhere\"} 2", "ullage_policy_answer_seconds_count 8",
      "ullage_connections_total{service=\"policy\"} 5",
    ] { #expect(text.contains(line + "\n"), "\(line) is not in \(text)") }
    #expect(!text.contains("@") && !text.contains("example"))
    let check = try Command.run(["promtool", "check", "metrics"], input: .bytes(Array(text.utf8)))
    #expect(check.status == 0 && check.errors == "" && check.output == "", "\(check)")
    #expect(try metrics("/other").contains("404 Not Found") && metrics("/metrics", method: "POST").contains("405 "))
    withExtendedLifetime(daemon) {}
  }

  /// The body of an answer, or all of one that is an error.
  private func metrics(_ path: String = "/metrics", method: String = "GET") throws -> String {
    let client = try UnixSocket(connectingTo: host.sandbox("policy-metrics"))
    client.send("\(method) \(path) HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    var text = ""
    while case let bytes = client.receive(), !bytes.isEmpty { text += String(decoding: bytes, as: UTF8.self) }
    guard text.hasPrefix("HTTP/1.1 200 OK\r\n") else { return text }
    return text.components(separatedBy: "\r\n\r\n").dropFirst().joined()
  }

  @Test("On TCP only the hosts of policy_clients may ask")
  func tcp() throws {
    policy.command.kill(SIGTERM)
    _ = policy.command.wait()
    func ask(_ clients: String) throws -> String {
      let port = try freePort()
      try site.configure("policy_listen = 127.0.0.1:\(port)\npolicy_clients = \(clients)")
      let daemon = try ServiceDaemon(host.sandbox("ullage.cf"), service: "policy", socket: host.sandbox("policy"))
      defer { withExtendedLifetime(daemon) {} }
      let script = """
        import socket, sys
        s = socket.create_connection(("127.0.0.1", \(port)), timeout=30)
        try:
            s.sendall(sys.stdin.buffer.read())
            print(s.recv(1000).decode())
        except ConnectionError:
            pass
        """
      return try Command.check(["python3", "-c", script], input: .bytes(Array(request("full@example.org").utf8)))
    }
    #expect(try ask("127.0.0.0/8, ::1").hasPrefix("action=452 4.2.2 "))
    #expect(try ask("192.0.2.0/24").trimmingCharacters(in: .whitespacesAndNewlines) == "")
  }
}
