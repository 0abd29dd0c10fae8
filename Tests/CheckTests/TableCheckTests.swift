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

  private func check(_ settings: String, user: User? = nobody) throws -> [Finding] {
    let fixture = try SiteFixture(settings, sandbox: sandbox, user: user)
    var check = TableCheck(site: fixture.site, settings: try #require(fixture.site.settings))
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
    "A type that cannot be queried is an error that says so", arguments: ["pcre:/etc/x", "nosuchtype:x"])
  func types(table: String) throws {
    let findings = try check("virtual_mailbox_maps = \(table)")
    #expect(findings.map(\.severity) == [.error] && findings.map(\.kind) == [.badTable], "\(findings.lines)")
    #expect(findings.first?.remedy != nil)
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
    guard case .runOrSet(let commands, let setting)? = findings.first(where: { $0.kind == .lookupService })?.remedy
    else {
      Issue.record("no remedy")
      return
    }
    #expect(commands.map(\.line) == ["systemctl start ullaged-lookup.socket ullaged-lookup.service"])
    #expect(setting == .init("lookup_fallback", "yes"))
    // With the setting, it is a warning: mail is delivered, at a higher cost.
    let fallback = try check("virtual_mailbox_maps = static:x/\nlookup_socket = \(socket)\nlookup_fallback = yes")
    #expect(fallback.filter(\.isTrouble).map(\.kind) == [.lookupService])
    #expect(fallback.first(where: { $0.kind == .lookupService })?.severity == .warning)
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

/// The log's socket, the program of an entry, Courier's files, and what the file system can do.
struct SurroundingsTests {
  private let sandbox: Sandbox
  private static let nobody = User(named: "nobody")

  init() throws { sandbox = try Sandbox() }

  @Test(
    "A socket that takes lines is right; a missing one, a file and a directory are not",
    arguments: [
      ("socket", true), ("missing", false), ("file", false), (".", false),
    ])
  func log(name: String, isRight: Bool) throws {
    let receiver = try LogReceiver(sandbox("socket"))
    try sandbox.write("file", "")
    let fixture = try SiteFixture(
      "virtual_mailbox_maps = static:x/\nlog_socket = \(sandbox(name))", sandbox: sandbox, user: Self.nobody)
    let findings = LogCheck(site: fixture.site, settings: try #require(fixture.site.settings)).findings()
    #expect(findings.map(\.kind) == (isRight ? [] : [.logSocket]))
    withExtendedLifetime(receiver) {}
  }

  private func program(_ path: String, user: String = "nobody") throws -> [Finding] {
    let master = "ullage unix - n n - 20 pipe user=\(user) argv=\(path) --x\n"
    let fixture = try SiteFixture(master: master, sandbox: sandbox)
    let service = try #require(fixture.postfix.master.services.first)
    return ProgramCheck(Entry(site: fixture.site, postfix: fixture.postfix, service: service)).findings()
  }

  @Test("A program that is missing, or that the mail user may not run, defers every message")
  func missingProgram() throws {
    #expect(
      try program("/nonexistent/ullage-deliver").lines == [
        "error program /nonexistent/ullage-deliver is missing, or the mail user may not run it"
      ])
    try sandbox.write("ullage-deliver", "#!/bin/sh\n", mode: 0o600)
    #expect(try program(sandbox("ullage-deliver")).map(\.kind) == [.program])
  }

  @Test("As root, nothing is run that another user could have put there", .takesRoot)
  func foreignProgram() throws {
    try sandbox.write("ullage-deliver", "#!/bin/sh\ntouch \(sandbox("was-run"))\n", mode: 0o755)
    let findings = try program(sandbox("ullage-deliver"))
    #expect(findings.lines == ["warning program users other than root may write to \(sandbox("ullage-deliver"))"])
    #expect(sandbox.list("").contains("was-run") == false)
  }

  @Test(
    "A program of another version, or one that does not start, is found", .takesRoot,
    arguments: [
      ("echo ullage-deliver \(Ullage.version)", []), ("echo ullage-deliver 0.0.1", ["warning program"]),
      ("exit 127", ["error program"]), ("true", ["error program"]),
    ])
  func version(script: String, lines: [String]) throws {
    // Only root may write to it and to the directories above.
    let name = "\(TestRun.programs.path)/\(UUID().uuidString)"
    try writeFile(name, "#!/bin/sh\n\(script)\n".utf8)
    unsafe chmod(name, 0o755)
    let found = try program(name).lines
    #expect(found.count == lines.count && zip(found, lines).allSatisfy { $0.hasPrefix($1) }, "\(found)")
  }

  @Test(
    "A Courier that is not installed is nothing to report; a directory that was named is",
    arguments: [
      (true, ["notice not-checked Courier IMAP"]), (false, []),
    ])
  func noCourier(isNamed: Bool, lines: [String]) throws {
    let settings = try #require(try SiteFixture(sandbox: sandbox).site.settings)
    let check = CourierCheck(settings: settings, directory: isNamed ? sandbox("courier") : nil)
    #expect(check.findings().lines == lines)
  }

  @Test(
    "Courier's trash folder may have another name for clients, but only .Trash does not count",
    arguments: [
      ("IMAP_TRASHFOLDERNAME=Deleted\n", true), ("IMAP_TRASHFOLDERNAME=\"Papierkorb\"\n", true),
      ("IMAP_TRASHFOLDERNAME=Trash\n", false), ("# IMAP_TRASHFOLDERNAME=Deleted\n", false), ("", false),
      ("IMAP_TRASHFOLDERNAME=Deleted\nIMAP_TRASHFOLDERNAME='Trash'\n", false),
    ])
  func courierTrash(text: String, isWrong: Bool) throws {
    try sandbox.write("courier/imapd", text)
    try TestSupport.Command.check(["touch", "-d", "-1 hour", sandbox("courier/imapd")])
    let settings = try #require(try SiteFixture(sandbox: sandbox).site.settings)
    let findings = CourierCheck(settings: settings, directory: sandbox("courier")).findings()
    let found = findings.filter { $0.evidence.hasPrefix("IMAP_TRASHFOLDERNAME") }
    #expect(found.count == (isWrong ? 1 : 0), "\(findings.lines)")
    if isWrong { #expect(found.first?.remedy == .advice("IMAP_TRASHFOLDERNAME=Trash")) }
  }

  @Test("On a local file system locks work and directories are synced; nothing stays behind")
  func machine() throws {
    for name in ["cur", "new", "tmp"] { try sandbox.makeDirectory("m/\(name)") }
    let fixture = try SiteFixture(sandbox: sandbox)
    let sample = MaildirSample(
      path: try #require(Path(sandbox("m").utf8)),
      owner: Credentials(user: UInt32(MailUser.id), group: UInt32(MailUser.group)))
    let findings = MachineCheck(
      site: fixture.site, settings: try #require(fixture.site.settings), sample: sample
    ).findings()
    #expect(findings.lines == [] && findings.good == ["the Maildirs are on a local file system, where locks work"])
    #expect(sandbox.list("m/tmp") == [] && sandbox.list("m") == ["cur", "new", "tmp"])
  }

  @Test("Without a Maildir, or in one that has vanished, the machine is not checked, and the report says so")
  func noMaildir() throws {
    let fixture = try SiteFixture(sandbox: sandbox)
    let settings = try #require(fixture.site.settings)
    let none = MachineCheck(site: fixture.site, settings: settings, sample: nil).findings()
    #expect(none.lines == ["notice not-checked locks, directory syncs and the file system's clock"])
    #expect(none.first?.reason == "no Maildir was found")
    let sample = MaildirSample(path: "/nonexistent", owner: Credentials(user: 65534, group: 65534))
    let vanished = MachineCheck(site: fixture.site, settings: settings, sample: sample).findings()
    #expect(vanished.map(\.kind) == [.notChecked])
  }
}

extension Finding {
  fileprivate var isTrouble: Bool { severity == .error || severity == .warning }
}
