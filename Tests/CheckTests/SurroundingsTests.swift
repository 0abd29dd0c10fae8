// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Foundation
import Posix
import Site
import TestSupport
import Testing

@testable import Check

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

  @Test("Whatever another user could have put there is run with the mail user's rights alone", .takesRoot)
  func foreignProgram() throws {
    // Back to root, if any of its ids still allowed that.
    let script = "#!/bin/sh\nsetpriv --reuid=0 true 2>/dev/null && echo root\nid -u; id -ru; id -G\n"
    try sandbox.write("ullage-deliver", script, mode: 0o755)
    let findings = try program(sandbox("ullage-deliver")).lines
    #expect(
      findings.first == "warning program users other than root may write to \(sandbox("ullage-deliver"))",
      "\(findings)")
    #expect(findings.last?.contains("ullage-deliver is \(MailUser.id), but") == true, "\(findings)")
  }

  @Test("A directory of another user is found behind a symlink, too", .takesRoot)
  func linkedProgram() throws {
    try sandbox.makeDirectory("home")
    try sandbox.write("home/ullage-deliver", "#!/bin/sh\necho ullage-deliver \(Ullage.version)\n", mode: 0o755)
    try TestSupport.Command.check(["chown", "root:root", sandbox.path, sandbox("home/ullage-deliver")])
    try TestSupport.Command.check(["ln", "-s", sandbox("home/ullage-deliver"), sandbox("ullage-deliver")])
    let findings = try program(sandbox("ullage-deliver")).lines
    #expect(findings == ["warning program users other than root may write to \(sandbox("home"))"])
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
    // Written by another process: a program that the code under test starts meanwhile cannot keep it open.
    try TestSupport.Command.check(
      ["sh", "-ec", "cat > \"$0\"; chmod 755 \"$0\"", name], input: .bytes(Array("#!/bin/sh\n\(script)\n".utf8)))
    let found = try program(name).lines
    #expect(found.count == lines.count && zip(found, lines).allSatisfy { $0.hasPrefix($1) }, "\(found)")
  }

  @Test("A directory of Courier's that was named and is not there is reported")
  func noCourier() throws {
    let settings = try #require(try SiteFixture(sandbox: sandbox).site.settings)
    let check = CourierCheck(settings: settings, directory: sandbox("courier"))
    #expect(check.findings().lines == ["notice not-checked Courier IMAP"])
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
    guard isWrong else { return }
    guard case .append(let lines, let file, _)? = found.first?.remedy else {
      Issue.record("no lines")
      return
    }
    try TestSupport.Command.check(["sh", "-ec", Command.line(appending: lines, to: file)])
    try TestSupport.Command.check(["touch", "-d", "-1 hour", sandbox("courier/imapd")])
    let again = CourierCheck(settings: settings, directory: sandbox("courier")).findings()
    #expect(!again.contains { $0.evidence.hasPrefix("IMAP_TRASHFOLDERNAME") })
  }

  @Test("On a local file system locks work and directories are synced")
  func machine() throws {
    try sandbox.makeMaildir("m")
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
