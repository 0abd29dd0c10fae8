// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Posix
import Quota
import Site
import Sweep
import TestSupport
import Testing

@testable import Check

/// main.cf and master.cf in, findings out.
struct PostfixCheckTests {
  private let sandbox: Sandbox

  init() throws { sandbox = try Sandbox() }

  /// The findings, without those about the program, which is not installed here, its user and its time.
  private func findings(
    _ settings: String = "virtual_mailbox_maps = static:x/", main: String = "", master: String = SiteFixture.master,
    others: [MasterService] = []
  ) throws -> [Finding] {
    let fixture = try SiteFixture(settings, main: main, master: master, sandbox: sandbox)
    var check = PostfixCheck(
      site: fixture.site, directory: fixture.postfix.path, entries: EntryCheck.entries(in: fixture.postfix),
      others: others, connections: nil)
    check.run()
    return check.found.findings.filter { $0.kind != .program && $0.kind != .mailUser && $0.kind != .timeLimit }
  }

  @Test("A site as the manual gives it is right")
  func right() throws {
    let findings = try findings()
    #expect(findings.lines == [] && findings.good.contains("virtual_transport is ullage"))
  }

  @Test("Without an entry no mail arrives, and the remedy makes one")
  func noEntry() throws {
    let findings = try findings(master: PostfixFiles.virtual)
    #expect(findings.lines == ["error no-entry no entry runs ullage-deliver"])
    guard case .run(let commands)? = findings.first?.remedy, let line = commands.first?.words.last else {
      Issue.record("no commands")
      return
    }
    #expect(commands.map { $0.words.first } == ["postconf", "postconf", "postfix"])
    let entry = try #require(line.split(separator: "=", maxSplits: 1).last)
    #expect(try self.findings(master: PostfixFiles.virtual + "\(entry)\n").lines == [])
  }

  @Test("Files that cannot be used are one finding that says why")
  func unusable() throws {
    let fixture = try SiteFixture(sandbox: sandbox)
    let files = try PostfixFiles(sandbox, main: "nonsense\n")
    let error = #expect(throws: PostfixError.self) { try PostfixDirectory(files.path) }
    let site = Site(
      configurationFile: fixture.site.configurationFile, settings: fixture.site.settings, user: nil,
      postfix: .failure(try #require(error)))
    var check = PostfixCheck(site: site, directory: sandbox("postfix"), entries: [], others: [], connections: nil)
    check.run()
    let findings = check.found.findings
    #expect(findings.map(\.kind) == [.postfixDirectory] && findings.first?.severity == .error)
    #expect(findings.first?.evidence.contains("main.cf") == true, "\(findings)")
    #expect(findings.first?.remedy == .advice("correct that line"))
  }

  @Test(
    "Where virtual_transport names another transport, mail arrives only by transport_maps",
    arguments: [
      "virtual", "lmtp:unix:private/dovecot-lmtp", "",
    ])
  func otherTransport(transport: String) throws {
    let findings = try findings(main: "virtual_transport = \(transport)\n")
    #expect(
      findings.lines == ["notice no-mail virtual_transport is \(transport.isEmpty ? "empty" : transport), not ullage"])
    let command = ["postconf", "-c", sandbox("postfix"), "-e", "virtual_transport=ullage"]
    guard case .run(let commands)? = findings.first(where: { $0.kind == .noMail })?.remedy else {
      Issue.record("no command")
      return
    }
    #expect(commands.map(\.words) == [command, ["postfix", "-c", sandbox("postfix"), "reload"]])
  }

  @Test("A nexthop after the transport's name does not matter")
  func nexthop() throws {
    #expect(try findings(main: "virtual_transport = ullage:\n").lines == [])
  }

  @Test("Domains that transport_maps keep on virtual(8) are a warning, with one of them and how to change it")
  func keptOnVirtual() throws {
    try sandbox.write("transport", "a.example virtual:\nb.example ullage:\nc.example virtual\n", mode: 0o644)
    let findings = try findings(main: "transport_maps = texthash:\(sandbox("transport"))\n")
    #expect(findings.lines == ["warning no-mail 2 domains use virtual(8) (a.example)"])
    guard case .run(let commands)? = findings.first(where: { $0.kind == .noMail })?.remedy else {
      Issue.record("no command")
      return
    }
    // No Postfix runs from these files.
    #expect(commands.last?.words == ["postfix", "-c", sandbox("postfix"), "reload"])
    for command in commands.dropLast() { try TestSupport.Command.check(command.words) }
    #expect(sandbox.text("transport") == "a.example ullage:\nb.example ullage:\nc.example ullage:\n")
    #expect(try self.findings(main: "transport_maps = texthash:\(sandbox("transport"))\n").lines == [])
  }

  @Test(
    "Every other parameter that sends mail to virtual(8) is a warning, and its command keeps the nexthop",
    arguments: [
      ("local_transport", "virtual", "ullage"), ("mailbox_transport", "virtual:", "ullage:"),
      ("relay_transport", "virtual:[10.0.0.1]", "ullage:[10.0.0.1]"),
    ])
  func otherParameters(parameter: String, value: String, changed: String) throws {
    let findings = try findings(main: "\(parameter) = \(value)\n")
    #expect(findings.lines == ["warning no-mail \(parameter) is \(value), which is virtual(8)"])
    guard case .run(let commands)? = findings.first(where: { $0.kind == .noMail })?.remedy else {
      Issue.record("no command")
      return
    }
    #expect(commands.first?.words.suffix(2) == ["-e", "\(parameter)=\(changed)"])
    #expect(try self.findings(main: "\(parameter) = lmtp:x\n").lines == [])
  }

  @Test("Addresses that mailbox_transport_maps send to virtual(8) are found as domains of transport_maps are")
  func mailboxTransports() throws {
    let findings = try findings(main: "mailbox_transport_maps = inline:{ you=virtual: }\n")
    #expect(findings.lines == ["warning no-mail a user uses virtual(8) (you)"])
    #expect(findings.first { $0.kind == .noMail }?.subject.name.hasSuffix("in mailbox_transport_maps") == true)
  }

  @Test("A table that can be asked for one domain only is not judged")
  func unknowable() throws {
    let findings = try findings(main: "transport_maps = pcre:/etc/postfix/transport.pcre\n")
    #expect(findings.map(\.kind).contains(.notChecked) && !findings.contains(where: \.isTrouble))
  }

  @Test(
    "What Postfix and deliveries read from two files must be the same",
    arguments: [
      (
        "message_size_limit = 5000\n", "warning other-value message_size_limit is \"5000\" for Postfix and \"10240000\""
      ),
      ("recipient_delimiter = +\n", "error other-value recipient_delimiter is \"+\" for Postfix and \"\" here"),
      ("virtual_mailbox_base = /other\n", "warning other-value virtual_mailbox_base is \"/other\" for Postfix"),
    ])
  func otherValue(main: String, line: String) throws {
    let lines = try findings(main: main).lines
    #expect(lines.count == 1 && lines[0].hasPrefix(line), "\(lines)")
  }

  @Test("A base that is written in another way is the same one; without virtual(8) there may be none")
  func sameBase() throws {
    #expect(try findings(main: "virtual_mailbox_base = /m/./\n").lines == [])
    #expect(try findings(main: "virtual_mailbox_base =\n").lines == [])
  }

  @Test("A value that virtual(8)'s entry overrides may be the one that ullage.cf has")
  func overridden() throws {
    let master = SiteFixture.master.replacing(
      "- - virtual\n", with: "- - virtual\n  -o message_size_limit=10240000\n")
    #expect(try findings(main: "message_size_limit = 5000\n", master: master).lines == [])
  }

  @Test("An entry with another ullage.cf is named with the check for it")
  func otherEntry() throws {
    let master = try MasterFile(
      parsing: Array("other unix - n n - - pipe user=x argv=/p/ullage-deliver --config=/x.cf\n".utf8))
    let findings = try findings(others: master.services)
    #expect(findings.lines == ["notice other-entry the entry other reads /x.cf"])
    #expect(
      findings.first { $0.kind == .otherEntry }?.remedy
        == .run(Command("ullage", "check", "--config=/x.cf", "--postfix=\(sandbox("postfix"))")))
  }

  @Test("A value in main.cf that refers to itself is an error with its line")
  func cycle() throws {
    let findings = try findings(main: "transport_maps = $transport_maps\n")
    #expect(findings.map(\.kind).contains(.postfixDirectory))
    #expect(findings.first { $0.kind == .postfixDirectory }?.subject.name.hasSuffix("main.cf, line 6") == true)
  }
}
