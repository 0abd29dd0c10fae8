// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

/// What `ullage check` finds in Postfix's files, with a real database and the real postconf.
final class CheckPostfixTests: CheckFixture {
  @Test("Domains that transport_maps sends elsewhere are found: to virtual, or to a transport that does not exist")
  func transports() throws {
    let main = try #require(files.text("main.cf"))
    try host.sandbox.write("transport", "example.org ullage:\n", mode: 0o644)
    try files.set("main.cf", main + "transport_maps = texthash:\(host.sandbox("transport"))\n")
    #expect(try kinds() == [])
    try host.sandbox.write("transport", "example.org virtual:\n", mode: 0o644)
    let virtual = try #require(try findings().first)
    #expect(
      virtual["kind"] == "no-mail" && virtual["finding"]?.contains("a domain uses virtual(8) (example.org)") == true)
    let edit = try #require(virtual["remedy"]?.components(separatedBy: " && postfix ").first)
    try Command.check(["sh", "-c", edit])
    #expect(try kinds() == [])
    try host.sandbox.write("transport", "example.org quota9:\n", mode: 0o644)
    let nowhere = try #require(try findings().first)
    #expect(
      nowhere["kind"] == "no-mail" && nowhere["reason"]?.contains("no such transport: mail is deferred") == true,
      "\(nowhere)")
  }

  @Test(
    "The suggested commands repair an entry of master.cf, with the real postconf",
    arguments: [
      ("flags=ORX", "flags=DRFqhu"), (" --delivered-to=${recipient}", ""), ("null_sender= ", ""),
      ("user=nobody", "user=nosuchuser"),
      ("--recipient=${recipient}", "--recipient=${user}"), ("--size=${size}", "--sise=${size}"),
      ("unix - n n -", "unix - n y -"), ("unix - n n -", "unix - - n -"), ("20 pipe", "20 pipe -o soft_bounce=yes"),
      ("20 pipe", "- pipe"), ("20 pipe", "20 pipe -o ullage_time_limit=60"),
      ("20 pipe", "20 pipe -o { command_time_limit = 2m }"),
      ("20 pipe flags=ORX user=nobody null_sender=", "20 pipe -o soft_bounce=yes flags=DRFqhu user=nosuchuser"),
    ])
  func remedies(old: String, new: String) throws {
    let text = try #require(files.text("master.cf"))
    try files.set("master.cf", text.replacingOccurrences(of: old, with: new))
    // All commands of one report, in their order, as an administrator pastes them.
    let found = try findings("--user=nobody")
    #expect(found != [])
    for finding in found {
      // No Postfix runs from these files that could be reloaded.
      let command = try #require(finding["remedy"]?.components(separatedBy: " && postfix ").first)
      try Command.check(["sh", "-c", command.replacingOccurrences(of: "user=vmail", with: "user=nobody")])
    }
    for name in ["main.cf", "master.cf"] {
      try Command.check(["touch", "-d", "1 hour ago", "\(files.path)/\(name)"])
    }
    #expect(try findings() == [], "\(files.text("master.cf") ?? "")")
  }

  @Test(
    "The suggested commands repair main.cf, with the real postconf",
    arguments: [
      ("virtual_transport = ullage", "virtual_transport = virtual"),
      ("ullage_destination_recipient_limit = 1", ""), ("", "soft_bounce = yes"), ("", "ullage_time_limit = 60"),
      ("", "command_time_limit = soon"), ("", "relay_transport = virtual:x"), ("", "local_transport = virtual"),
      ("", "mailbox_transport = virtual"), ("", "fallback_transport = virtual"), ("", "default_transport = virtual"),
    ])
  func mainRemedies(old: String, new: String) throws {
    let text = try #require(files.text("main.cf"))
    try files.set("main.cf", (old.isEmpty ? text : text.replacing(old, with: "")) + new + "\n")
    let all = try check().records.filter { $0["area"] == "postfix" && $0["kind"] != "other-entry" }
    #expect(!all.isEmpty)
    for finding in all {
      let command = try #require(finding["remedy"]?.components(separatedBy: " && postfix ").first)
      try Command.check(["sh", "-c", command])
    }
    try Command.check(["touch", "-d", "1 hour ago", "\(files.path)/main.cf"])
    #expect(try check().records.filter { $0["area"] == "postfix" } == [], "\(files.text("main.cf") ?? "")")
  }

  @Test("Without an entry, the suggested command makes one that is right")
  func noEntry() throws {
    try files.set("master.cf", "virtual unix - n n - - virtual\n")
    let found = try #require(try findings("--user=nobody").first { $0["kind"] == "no-entry" })
    let command = try #require(found["remedy"]?.components(separatedBy: " && postfix ").first)
    try Command.check(["sh", "-c", command])
    try Command.check(["touch", "-d", "1 hour ago", "\(files.path)/master.cf", "\(files.path)/main.cf"])
    let rest = try findings("--user=nobody").filter { $0["kind"] != "program" }
    #expect(rest == [], "\(rest)")
  }

  @Test("With one entry per mail user, each is checked with its own file, and the other is only named")
  func twoEntries() throws {
    let second = PostfixInstance.entry(host, program: MailHost.program)
      .replacing("ullage.cf", with: "other.cf").replacing("user=nobody", with: "user=games:games")
    let master = try #require(files.text("master.cf"))
    try files.set("master.cf", master + "second unix - n n - 20 pipe \(second)\n")
    let main = try #require(files.text("main.cf"))
    try files.set("main.cf", main + "second_destination_recipient_limit = 1\n")
    #expect(try findings() == [])
    let notice = try #require(try check().records.first { $0["kind"] == "other-entry" })
    #expect(notice["finding"] == "the entry second reads \(host.sandbox("other.cf"))")
  }

  @Test(
    "No false alarm for a default limit of 1, a slash at the end of the base, $name, or a value given by -o"
  )
  func noFalseAlarm() throws {
    let main = try #require(files.text("main.cf"))
    try files.set(
      "main.cf",
      main.replacing("ullage_destination_recipient_limit", with: "default_destination_recipient_limit")
        + "virtual_mailbox_base = \(host.sandbox("base"))/\n")
    let master = try #require(files.text("master.cf"))
    try files.set(
      "master.cf", master.replacing("${sender}", with: "$sender").replacing("${recipient}", with: "$(recipient)"))
    #expect(try findings() == [])
    // The value that virtual(8) gets by -o is the one that migrate took.
    try files.set(
      "main.cf", main + "virtual_mailbox_base = /elsewhere\n")
    try files.set(
      "master.cf", master + "virtual unix - n n - - virtual -o virtual_mailbox_base=\(host.sandbox("base"))\n")
    #expect(try findings() == [])
    try files.set("master.cf", master)
    #expect(try kinds() == ["warning other-value"])
  }

  @Test("A program that others can replace is found, and root runs it as the mail user")
  func strangersProgram() throws {
    let program = host.sandbox("ullage-deliver")
    try Command.check([
      "sh", "-c", "printf '#!/bin/sh\nid -ru\n' > \(program); chmod 755 \(program)",
    ])
    try Command.check(["chown", "nobody", program])
    let master = try #require(files.text("master.cf"))
    try files.set("master.cf", master.replacing(MailHost.program, with: program))
    #expect(try kinds() == ["warning program", "warning program"])
    #expect(try findings().last?["finding"]?.contains(" is \(MailUser.id), but this is ullage ") == true)
  }

  @Test("The entry's process limit is compared with max_connections; a lookup service that is down is found")
  func connections() throws {
    let text = try #require(files.text("master.cf"))
    func limit(_ count: String) throws {
      try files.set("master.cf", text.replacing(" 20 pipe", with: " \(count) pipe"))
    }
    try limit("-")
    #expect(try kinds() == ["error process-limit"])
    try limit("60")
    #expect(try kinds() == ["warning process-limit"])
    try limit("40")
    #expect(try kinds() == [])
    try limit("0")
    #expect(try kinds() == ["error process-limit"])
    try limit("20")
    try configure("lookup_socket = \(host.sandbox("lookup"))")
    #expect(try kinds() == ["error lookup-service"])
    try configure("lookup_socket = \(host.sandbox("lookup"))\nlookup_fallback = yes")
    #expect(try kinds() == ["warning lookup-service"])
    let daemon = try ServiceDaemon(host.sandbox("ullage.cf"), socket: host.sandbox("lookup"))
    #expect(try kinds() == [])
    withExtendedLifetime(daemon) {}
  }

  @Test("Behind pgbouncer the connection limit is unknown; a role's own limit counts")
  func otherLimits() throws {
    // Not the shared cluster: this test changes a role.
    let cluster = try PostgresCluster()
    try cluster.makePostfixAdmin(quota: 0)
    let own = try CheckPostfixTests(cluster: cluster)
    try own.findOtherLimits()
  }

  private func findOtherLimits() throws {
    let master = try #require(files.text("master.cf"))
    try site.cluster.sql("ALTER ROLE postfix CONNECTION LIMIT 20")
    #expect(try kinds() == ["error process-limit"])
    try site.cluster.sql("ALTER ROLE postfix CONNECTION LIMIT -1")

    try files.set("master.cf", master.replacing(" 20 pipe", with: " 90 pipe"))
    #expect(try kinds() == ["warning process-limit"])
    let pool = try PgBouncer(site.cluster, in: host.sandbox)
    defer { withExtendedLifetime(pool) {} }
    for name in ["list.cf", "limits.cf"] {
      let text = try #require(host.sandbox.text(name))
      let hosts = text.split(separator: "\n").map { line in
        line.hasPrefix("hosts =")
          ? "hosts = 127.0.0.1:\(pool.port)" : line.hasPrefix("dbname =") ? "dbname = postgres" : String(line)
      }
      try host.sandbox.write(name, hosts.joined(separator: "\n") + "\n")
    }
    try lock()
    try waitUntil("pgbouncer") { try kinds() == [] ? () : nil }
  }
}
