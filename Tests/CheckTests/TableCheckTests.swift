// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Foundation
import Posix
import Site
import TestSupport
import Testing

@testable import Check

/// Tables in files: what is wrong with them, and what mends it. Those in PostgreSQL need a server (EndToEndTests).
struct TableCheckTests {
  private let sandbox: Sandbox
  private static let nobody = User(named: "nobody")

  init() throws { sandbox = try Sandbox() }

  private func check(_ settings: String, user: User? = nobody, runsSystemd: Bool = true) throws -> [Finding] {
    let fixture = try SiteFixture(settings, sandbox: sandbox, user: user)
    var check = TableCheck(site: fixture.site, settings: try #require(fixture.site.settings), runsSystemd: runsSystemd)
    #expect(check.run() == nil, "no database, so no connections")
    return check.found.findings
  }

  @Test("A table that answers is right, and each is looked at once")
  func right() throws {
    try sandbox.write("users", "you@example.org example.org/you/\n", mode: 0o644)
    let table = "texthash:\(sandbox("users"))"
    let findings = try check(
      "virtual_mailbox_maps = \(table), static:x/\nvirtual_mailbox_limit_maps = \(table), static:0")
    #expect(findings.lines == [])
    #expect(
      findings.good == [
        "\(table) answers for virtual_mailbox_maps", "static:x/ answers for virtual_mailbox_maps",
        "static:0 answers for virtual_mailbox_limit_maps",
      ])
  }

  @Test("A missing file is an error, and the parameter that names it the place")
  func missing() throws {
    let findings = try check("virtual_mailbox_maps = texthash:\(sandbox("users"))")
    #expect(findings.map(\.kind) == [.badTable] && findings.first?.severity == .error)
    #expect(findings.first?.evidence.contains(sandbox("users")) == true)
    #expect(findings.first?.subject.name == "virtual_mailbox_maps")
  }

  @Test("A table that the mail user may not read is an error, and the printed commands let it", .takesRoot)
  func closed() throws {
    try sandbox.write("private/users", "you@example.org example.org/you/\n", mode: 0o600)
    try TestSupport.Command.check(["chown", "-R", "root:root", sandbox("private")])
    try TestSupport.Command.check(["touch", "-d", "-1 hour", sandbox("private/users")])
    let settings = "virtual_mailbox_maps = texthash:\(sandbox("private/users"))"
    let findings = try check(settings)
    #expect(findings.map(\.kind) == [.badTable])
    guard case .run(let commands)? = findings.first?.remedy else {
      Issue.record("no commands: \(findings)")
      return
    }
    #expect(commands.map(\.words.first) == ["setfacl", "setfacl"])
    for command in commands { try TestSupport.Command.check(command.words) }
    #expect(try check(settings).lines == [])
  }

  @Test("Whoever may not read a table is told that root may, and is shown no error", .takesRoot)
  func blind() throws {
    try sandbox.write("users", "you@example.org example.org/you/\n", mode: 0o600)
    try TestSupport.Command.check(["chown", "root:root", sandbox("users")])
    let nobody = try #require(Self.nobody)
    let findings = try nobody.acting { try check("virtual_mailbox_maps = texthash:\(sandbox("users"))", user: nil) }
    #expect(findings.lines == ["notice not-checked texthash:\(sandbox("users"))"])
    #expect(findings.first?.remedy == .advice("run it as root"))
  }

  @Test("A table that anyone may write to decides where mail goes", arguments: [mode_t(0o646), 0o602, 0o666])
  func writable(mode: mode_t) throws {
    try sandbox.write("users", "you@example.org example.org/you/\n")
    unsafe chmod(sandbox("users"), mode)
    let findings = try check("virtual_mailbox_maps = texthash:\(sandbox("users"))")
    #expect(findings.lines == ["error table-rights anyone can write to it"])
    guard case .run(let commands)? = findings.first(where: { $0.kind == .tableRights })?.remedy else {
      Issue.record("no commands")
      return
    }
    for command in commands { try TestSupport.Command.check(command.words) }
    #expect(sandbox.status("users")?.st_mode == S_IFREG | mode & ~0o002)
  }

  @Test(
    "A table that cannot be queried is an error that names it", arguments: ["pcre:/etc/x", "nosuchtype:x"])
  func types(table: String) throws {
    let findings = try check("virtual_mailbox_maps = \(table)")
    #expect(findings.map(\.severity) == [.error] && findings.map(\.kind) == [.badTable], "\(findings.lines)")
    #expect(findings.first?.evidence.hasPrefix("\(table): ") == true)
  }

  @Test("A table file for a database that lacks something says what, and is not asked")
  func badDatabaseFile() throws {
    try sandbox.write("users.cf", "hosts = localhost\nuser = x\npassword = secret\ndbname = mail\n", mode: 0o600)
    let findings = try check("virtual_mailbox_maps = pgsql:\(sandbox("users.cf"))")
    #expect(findings.map(\.kind) == [.badTable])
    #expect(findings.first?.evidence.contains("query") == true, "\(findings)")
    #expect(findings.first?.evidence.contains("secret") == false)
  }

  @Test("A lookup service that does not answer is an error, with two ways out")
  func service() throws {
    let socket = sandbox("lookup")
    let findings = try check("virtual_mailbox_maps = static:x/\nlookup_socket = \(socket)")
    #expect(findings.filter { $0.severity == .error }.map(\.kind) == [.lookupService])
    // The package's units would open another socket.
    #expect(
      findings.first { $0.kind == .lookupService }?.remedy
        == .advice("start it, with --config=/etc/ullage/ullage.cf: ullaged(8)"))
    let usual = try check("virtual_mailbox_maps = static:x/\nlookup_socket = /run/ullage/lookup")
    #expect(
      usual.first { $0.kind == .lookupService }?.remedy
        == .advise(
          "start it (or set lookup_fallback = yes in ullage.cf instead)",
          [Command("systemctl", "enable", "--now", "ullaged-lookup.socket", "ullaged-lookup.service")]))
    let plain = try check("virtual_mailbox_maps = static:x/\nlookup_socket = /run/ullage/lookup", runsSystemd: false)
    #expect(
      plain.first { $0.kind == .lookupService }?.remedy
        == .advice("start it, with --config=/etc/ullage/ullage.cf: ullaged(8)"))
    // With the setting, it is a warning: mail is delivered, at a higher cost.
    let fallback = try check("virtual_mailbox_maps = static:x/\nlookup_socket = \(socket)\nlookup_fallback = yes")
    #expect(fallback.filter(\.isTrouble).map(\.kind) == [.lookupService])
    #expect(fallback.first(where: { $0.kind == .lookupService })?.severity == .warning)
  }

  @Test(
    "A lookup service whose database is down must not be started once more",
    arguments: ["TEMP the database is down", "PERM no"])
  func serviceWithoutDatabase(answer: String) throws {
    let server = try MadeUpServer { _ in (netstring(answer), false) }
    unsafe chmod(server.path, 0o777)
    let findings = try check("virtual_mailbox_maps = static:x/\nlookup_socket = \(server.path)")
    #expect(findings.filter(\.isTrouble).map(\.kind) == [.lookupService])
    #expect(
      findings.first(where: \.isTrouble)?.remedy
        == .advice("the service runs: correct the table as its message says, or start its database"))
  }

  @Test("A lookup service that answers is right, whatever its answer")
  func serviceAnswers() throws {
    let server = try MadeUpServer { _ in (netstring("NOTFOUND "), false) }
    unsafe chmod(server.path, 0o777)
    let findings = try check("virtual_mailbox_maps = static:x/\nlookup_socket = \(server.path)")
    #expect(findings.lines == [] && findings.good.contains("the lookup service answers on \(server.path)"))
    #expect(server.requests == ["virtual_mailbox_maps you@example.org"])
  }
}
