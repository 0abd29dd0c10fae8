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

/// An entry for the LMTP service in, findings out. Nothing answers on its socket, unless a test says so.
struct LMTPCheckTests {
  private let sandbox: Sandbox

  init() throws { sandbox = try Sandbox() }

  private static let right = "lmtp -o lmtp_line_length_limit=0 -o lmtp_send_xforward_command=yes flags=ORX"
  private static let one = "ullage_lmtp_destination_recipient_limit = 1\n"
  private static let used = "virtual_transport = ullage_lmtp:unix:private/ullage-lmtp\n"

  private func fixture(
    _ command: String, main: String, fields: String = "- - n - -", name: String = "ullage_lmtp", lmtp: String = ""
  ) throws -> (SiteFixture, [LMTPEntry], LMTPSettings) {
    let fixture = try SiteFixture(
      main: "queue_directory = \(sandbox("queue"))\n\(Self.used)\(main)",
      master: PostfixFiles.virtual + "\(name) unix \(fields) \(command)\n", sandbox: sandbox)
    let settings = try LMTPSettings(ConfigurationFile(parsing: Array(lmtp.utf8)))
    return (fixture, try LMTPEntries(fixture.postfix, Survey(fixture.postfix.path), settings).find(), settings)
  }

  private func findings(
    _ command: String = right, main: String = one, fields: String = "- - n - -", name: String = "ullage_lmtp",
    lmtp: String = "", connections: Int64? = nil
  ) throws -> [Finding] {
    let (fixture, uses, settings) = try fixture(command, main: main, fields: fields, name: name, lmtp: lmtp)
    let use = try #require(uses.first)
    let entry = Entry(site: fixture.site, postfix: fixture.postfix, service: use.service)
    return LMTPCheck(entry, use, settings, connections: connections).findings()
  }

  /// Without the one about the socket.
  private func lines(_ findings: [Finding]) -> [String] {
    findings.filter { $0.kind != .lmtpSocket }.lines
  }

  private static let forSeveral = "lmtp -o lmtp_line_length_limit=0 -o lmtp_send_xforward_command=yes flags=RX"
  private static let noHeader = "lmtp_delivered_to = no\n"

  @Test("Both entries of the manual have no finding: one mailbox for each delivery, or many and no Delivered-To")
  func right() throws {
    #expect(lines(try findings()) == [])
    #expect(lines(try findings(Self.forSeveral, main: "", lmtp: Self.noHeader)) == [])
    #expect(lines(try findings(main: "default_destination_recipient_limit = 1\n")) == [])
    #expect(lines(try findings("lmtp flags=ORX", main: Self.one + "lmtp_line_length_limit = 0\n")).count == 1)
  }

  @Test(
    "lmtp(8) before Postfix 3.5 does not start with flags",
    arguments: ["2.11.3", "3.4.27", "3.5.0", "3.10.1", "4.0", ""])
  func version(version: String) throws {
    let isTooOld = ["2.11.3", "3.4.27"].contains(version)
    #expect(LMTPCheck.isTooOld(version) == isTooOld)
    guard !version.isEmpty else { return }
    let found = lines(try findings(main: Self.one + "mail_version = \(version)\n"))
    #expect(found == (isTooOld ? ["error flags this is Postfix \(version), whose lmtp(8) has no flags="] : []))
  }

  @Test(
    "An entry that requires TLS sends nothing, and the command of the remedy turns that off",
    arguments: ["encrypt", "secure"])
  func encryption(level: String) throws {
    let found = try findings(main: Self.one + "lmtp_tls_security_level = \(level)\n").filter { $0.kind != .lmtpSocket }
    #expect(found.lines == ["error lmtp-options lmtp_tls_security_level is \(level)"])
    guard case .run(let commands)? = found.first?.remedy else { return #expect(Bool(false), "no commands") }
    let line = try #require(commands.first?.words.last)
    #expect(line.contains("-o lmtp_tls_security_level=none"))
    let command = String(try #require(line.firstMatch(of: #/\/command=(.*)/#)?.1))
    #expect(lines(try findings(command, main: Self.one + "lmtp_tls_security_level = \(level)\n")) == [])
    #expect(lines(try findings(main: Self.one + "lmtp_tls_security_level = may\n")) == [])
  }

  @Test(
    "What lmtp(8) does to messages, or why it does not start",
    arguments: [
      ("flags=OX", one, "", ["error flags flags= lacks R"]),
      ("flags=OR", one, "", ["warning flags flags= lacks X"]),
      ("flags=RX", one, "", ["warning flags flags= lacks O"]),
      (
        "flags=DORX", one, "",
        ["warning flags flags= has D, which also bounces each message that has a Delivered-To: of its recipient"]
      ),
      ("flags=ORXu", one, "", ["error flags flags= has u, which lmtp(8) does not know"]),
      ("flags=ORX -v", one, "", ["error flags an option comes after flags="]),
      (
        "flags=ORX", "", "",
        ["error recipient-limit flags= has O, and ullage_lmtp_destination_recipient_limit is not 1"]
      ),
      (
        "flags=RX", "", "",
        ["warning recipient-limit ullage_lmtp_destination_recipient_limit is not 1, and lmtp_delivered_to is yes"]
      ),
      (
        "flags=ORX", "", noHeader,
        ["error recipient-limit flags= has O, and ullage_lmtp_destination_recipient_limit is not 1"]
      ),
      (
        "flags=ORX", one, noHeader,
        ["notice recipient-limit ullage_lmtp_destination_recipient_limit is 1, and lmtp_delivered_to is no"]
      ),
      (
        "-o lmtp_line_length_limit=2048 flags=ORX", one, "",
        ["warning lmtp-options lmtp_line_length_limit is 2048, not 0"]
      ),
      (
        "-o lmtp_send_xforward_command=no flags=ORX", one, "",
        ["notice lmtp-options lmtp_send_xforward_command is not yes"]
      ),
      (
        "flags=ORX", one + "lmtp_discard_lhlo_keywords = dsn, SmtpUtf8\n", "",
        ["warning lmtp-options lmtp_discard_lhlo_keywords hides what the service can"]
      ),
      ("flags=ORX", one + "lmtp_discard_lhlo_keywords = dsn, silent-discard\n", "", []),
      ("-o soft_bounce=yes flags=ORX", one, "", ["warning soft-bounce soft_bounce is on"]),
      ("flags=ORX", one + "soft_bounce = ${x\n", "", ["error postfix-directory an opening brace or parenthesis"]),
    ])
  func mistakes(rest: String, main: String, lmtp: String, lines: [String]) throws {
    let options = "-o lmtp_line_length_limit=0 -o lmtp_send_xforward_command=yes "
    let found = try findings("lmtp \(options)\(rest)", main: main, lmtp: lmtp)
    #expect(
      self.lines(found).count == lines.count && zip(self.lines(found), lines).allSatisfy { $0.hasPrefix($1) },
      "\(found.lines)")
    // One command mends every mistake in the entry, and is not followed by another finding.
    for finding in found where ![.lmtpSocket, .softBounce, .postfixDirectory].contains(finding.kind) {
      guard case .run(let commands)? = finding.remedy else {
        #expect(finding.severity == .notice, "\(finding)")
        continue
      }
      let isLimited = commands.contains { $0.words.last == "ullage_lmtp_destination_recipient_limit=1" }
      let change = try #require(commands.first { $0.words.contains("-F") }?.words.last)
      let line = try #require(change.split(separator: "=", maxSplits: 1).last)
      // What Postfix refuses is never there, not even between two commands.
      #expect(isLimited == (main != Self.one && !main.hasPrefix(Self.one) && lmtp.isEmpty))
      #expect(commands.first?.words.contains("-e") == isLimited)
      let rest = main.split(separator: "\n").filter { !$0.hasPrefix("ullage_lmtp") && !$0.hasPrefix("soft") }
      let after = try findings(
        String(line),
        main: rest.joined(separator: "\n") + "\n" + (isLimited || main.hasPrefix(Self.one) ? Self.one : ""),
        lmtp: lmtp)
      #expect(self.lines(after) == [], "\(line)")
    }
  }

  @Test("Postfix's own entry lmtp, which others may use, is not changed: the remedy makes another and sends mail there")
  func stockEntry() throws {
    let found = try findings("lmtp", main: "virtual_transport = lmtp:unix:private/ullage-lmtp\n", name: "lmtp")
    #expect(found.filter { $0.severity == .error && $0.kind == .flags }.count == 1)
    for finding in found where finding.kind == .flags {
      guard case .run(let commands)? = finding.remedy else {
        Issue.record("no commands")
        return
      }
      #expect(
        commands.map { $0.words.last } == [
          "ullage_lmtp/unix=\(MasterEntry.lmtpLine())", "ullage_lmtp_destination_recipient_limit=1",
          "virtual_transport=ullage_lmtp:unix:private/ullage-lmtp", "reload",
        ])
    }
  }

  @Test("An absolute path leads nowhere in a chroot, whichever way that is set; a relative one does not mind")
  func chroot() throws {
    let absolute = "virtual_transport = ullage_lmtp:unix:/run/x\n" + Self.one
    let found = try findings(main: absolute, fields: "- - y - -")
    #expect(found.lines == ["error entry-fields the entry runs in a chroot and cannot reach unix:/run/x"])
    #expect(
      found.first?.remedy
        == .run(
          Command("postconf", "-c", sandbox("postfix"), "-F", "ullage_lmtp/unix/chroot=n"),
          Command("postfix", "-c", sandbox("postfix"), "reload")))
    #expect(try findings(main: absolute + "compatibility_level = 0\n", fields: "- - - - -").count == 1)
    for fields in ["- - y - -", "- - n - -"] {
      #expect(try findings(fields: fields).map(\.kind) == [.lmtpSocket])
    }
  }

  @Test("A socket that does not answer is an error where mail goes there, else a warning")
  func socket() throws {
    let found = try #require(try findings().first)
    #expect(found.kind == .lmtpSocket && found.severity == .error)
    #expect(found.evidence.contains(sandbox("queue/private/ullage-lmtp")), "\(found.evidence)")
    #expect(found.reason == "all mail is deferred until the service answers")
    let unused = try #require(try findings(main: Self.one + "virtual_transport = virtual\n").first)
    #expect(unused.kind == .lmtpSocket && unused.severity == .warning)
    let network = try findings(main: Self.one + "virtual_transport = ullage_lmtp:inet:[192.0.2.1]:24\n")
    #expect(network.lines == ["notice not-checked whether the service answers on inet:[192.0.2.1]:24"])
  }

  @Test("Where the service answers on another socket, the remedy sends mail there instead of starting it again")
  func otherSocket() throws {
    let host = try LMTPHost()
    // For the user postfix.
    try Command.check(["chmod", "a+rw", host.socket])
    let lmtp = "lmtp_socket = \(host.socket)\n"
    let right = "ullage_lmtp:unix:\(host.socket)"
    for wrong in ["unix:\(sandbox("nowhere"))/ullage-lmtp", "unix:private/ullage-lmtp"] {
      let main = Self.one + "virtual_transport = ullage_lmtp:\(wrong)\n"
      let found = try #require(try findings(main: main, lmtp: lmtp).first)
      guard case .run(let commands)? = found.remedy else { return #expect(Bool(false), "\(found)") }
      #expect(found.kind == .lmtpSocket && commands.map { $0.words.last } == ["virtual_transport=\(right)", "reload"])
      let routed = Self.one + "virtual_transport = virtual\ntransport_maps = inline:{ a=ullage_lmtp:\(wrong) }\n"
      let expected = "the service answers on unix:\(host.socket): write \(right) instead of ullage_lmtp:\(wrong)"
      #expect(try findings(main: routed, lmtp: lmtp).first?.remedy == .advice(expected))
      // In a chroot lmtp(8) does not see that path.
      let chrooted = try findings(main: main, fields: "- - y - -", lmtp: lmtp)
      #expect(chrooted.allSatisfy { $0.remedy != found.remedy }, "\(chrooted)")
    }
    #expect(try findings(main: Self.one + "virtual_transport = \(right)\n", lmtp: lmtp) == [])
  }

  @Test("A service that answers nowhere is to be started, wherever it listens; one that refuses is to be opened")
  func stopped() throws {
    for socket in [sandbox("elsewhere"), sandbox("queue/private/ullage-lmtp")] {
      let main = Self.one + "virtual_transport = ullage_lmtp:unix:\(socket)\n"
      let found = try findings(main: main, lmtp: "lmtp_socket = \(socket)\n")
      #expect(found.map(\.kind) == [.lmtpSocket] && found.first?.evidence.contains(socket) == true)
      #expect(
        found.first?.remedy == .advice("start ullaged lmtp, with --config=/etc/ullage/ullage.cf: ullaged(8)")
          || TableFiles.runsSystemd)
    }
    let host = try LMTPHost()
    let closed = try findings(
      main: Self.one + "virtual_transport = ullage_lmtp:unix:\(host.socket)\n", lmtp: "lmtp_socket = \(host.socket)\n")
    #expect(
      closed.first?.remedy
        == .advice("let the user postfix connect: SocketUser= and SocketMode= in ullaged-lmtp.socket; ullaged(8)"))
  }

  @Test("Without the lookup service the threads of the LMTP service have a connection each, which may be too many")
  func databaseConnections() throws {
    for (connections, severity) in [(20, "error"), (32, "error"), (33, "warning"), (63, "warning"), (64, nil)] {
      let found = try findings(connections: Int64(connections)).filter { $0.kind == .processLimit }
      #expect(found.map(\.severity.rawValue) == (severity.map { [$0] } ?? []), "\(connections)")
    }
    let found = try findings(connections: 20).filter { $0.kind == .processLimit }
    #expect(
      found.lines == [
        "error process-limit the LMTP service may hold 32 connections, but PostgreSQL has only 20 in all"
      ])
  }

  @Test("A socket of the entry's own name is Postfix's, and the remedy gives the entry another one")
  func ownSocket() throws {
    let found = try findings(
      main: "virtual_transport = ullage-lmtp:unix:private/ullage-lmtp\nullage-lmtp_destination_recipient_limit = 1\n",
      name: "ullage-lmtp")
    let path = sandbox("queue/private/ullage-lmtp")
    #expect(found.lines == ["error lmtp-socket Postfix itself listens on \(path), for the entry ullage-lmtp"])
    let commands =
      switch found.first?.remedy {
      case .run(let commands)?, .advise(_, let commands)?: commands
      default: [Findings.Command]()
      }
    #expect(
      commands.prefix(5).map { $0.words.last } == [
        "ullage-lmtp/unix", "ullage_lmtp/unix=\(MasterEntry.lmtpLine())", "ullage_lmtp_destination_recipient_limit=1",
        "virtual_transport=ullage_lmtp:unix:private/ullage-lmtp", "reload",
      ])
    let other = try findings(main: Self.one + "virtual_transport = ullage_lmtp:unix:private/virtual\n")
    #expect(other.first?.evidence.hasSuffix("for the entry virtual") == true && other.first?.severity == .error)
  }

  /// The findings of everything in Postfix's files.
  private func postfixFindings(_ main: String, settings: String = "", master: String? = nil) throws -> [Finding] {
    let text = "virtual_mailbox_base = /m\nvirtual_mailbox_maps = static:x/\n\(settings)"
    try sandbox.write("ullage.cf", text)
    let fixture = try SiteFixture(
      main: main, master: master ?? PostfixFiles.virtual + "ullage_lmtp unix - - n - - \(Self.right)\n",
      sandbox: sandbox)
    let site = Site(
      configurationFile: sandbox("ullage.cf"), settings: try Settings(ConfigurationFile(parsing: Array(text.utf8))),
      user: nil, postfix: .success(fixture.postfix))
    var check = PostfixCheck(
      site: site, directory: fixture.postfix.path, entries: EntryCheck.entries(in: fixture.postfix), others: [],
      lmtp: try LMTPEntries(fixture.postfix, Survey(fixture.postfix.path), nil).find(), connections: nil)
    check.run()
    return check.found.findings.filter {
      ![.lmtpSocket, .arguments, .program, .mailUser, .timeLimit].contains($0.kind)
    }
  }

  @Test("With the LMTP entry alone, mail that comes by it is mail that comes")
  func alone() throws {
    let findings = try postfixFindings(Self.used + Self.one)
    #expect(findings.lines == [])
    #expect(findings.good.contains("virtual_transport is ullage_lmtp:unix:private/ullage-lmtp"))
  }

  @Test(
    "Where virtual_transport leads elsewhere, the remedy has the socket; to have lmtp(8) without it is an error",
    arguments: [
      ("virtual", "notice no-mail virtual_transport is virtual, not ullage_lmtp:unix:private/ullage-lmtp"),
      ("ullage_lmtp", "error no-mail virtual_transport is ullage_lmtp, not ullage_lmtp:unix:private/ullage-lmtp"),
      (
        "ullage_lmtp:private/ullage-lmtp",
        "error no-mail virtual_transport is ullage_lmtp:private/ullage-lmtp, not ullage_lmtp:unix:private/ullage-lmtp"
      ),
    ])
  func elsewhere(transport: String, line: String) throws {
    let findings = try postfixFindings("virtual_transport = \(transport)\n" + Self.one)
    #expect(findings.lines == [line])
    guard case .run(let commands)? = findings.first(where: { $0.kind == .noMail })?.remedy else {
      Issue.record("no command")
      return
    }
    #expect(commands.first?.words.last == "virtual_transport=ullage_lmtp:unix:private/ullage-lmtp")
  }

  @Test("With both entries either may be in use, and domains on virtual(8) are sent to the one that is")
  func both() throws {
    let master = SiteFixture.master + "ullage_lmtp unix - - n - - \(Self.right)\n"
    for transport in ["ullage", "ullage_lmtp:unix:private/ullage-lmtp"] {
      let main = "virtual_transport = \(transport)\n" + Self.one
      #expect(try postfixFindings(main, master: master).lines == [], "\(transport)")
      let routed = try postfixFindings(main + "transport_maps = inline:{ a.org=virtual: }\n", master: master)
      #expect(routed.lines == ["warning no-mail a domain uses virtual(8) (a.org)"])
      #expect(
        routed.first { $0.kind == .noMail }?.remedy
          == .advice("write \(Transport(transport).field) instead of virtual:"))
      let relayed = try postfixFindings(main + "relay_transport = virtual:x\n", master: master)
      guard case .run(let commands)? = relayed.first(where: { $0.kind == .noMail })?.remedy else {
        Issue.record("no command")
        continue
      }
      let own = transport == "ullage" ? "ullage:x" : transport
      #expect(commands.first?.words.last == "relay_transport=\(own)")
    }
  }

  @Test(
    "Messages that Postfix accepts and the service does not are an error; larger ones here are not",
    arguments: [
      ("10240000", "5000", "error", "10240000"), ("0", "5000", "error", "0"), ("5000", "10240000", "warning", "5000"),
      ("5000", "0", "warning", "5000"), ("0", "0", nil, nil), ("5000", "5000", nil, nil),
    ])
  func sizes(theirs: String, ours: String, severity: String?, value: String?) throws {
    let findings = try postfixFindings(
      Self.used + Self.one + "message_size_limit = \(theirs)\n", settings: "message_size_limit = \(ours)\n")
    let found = findings.filter { $0.kind == .otherValue }
    #expect(found.map(\.severity.rawValue) == (severity.map { [$0] } ?? []))
    #expect(found.first?.remedy == value.map { .set("message_size_limit", $0) })
    // pipe(8) has no such limit.
    let piped = try postfixFindings(
      "message_size_limit = \(theirs)\n", settings: "message_size_limit = \(ours)\n",
      master: SiteFixture.master + "ullage_lmtp unix - - n - - \(Self.right)\n")
    #expect(!piped.contains { $0.kind == .otherValue && $0.severity == .error })
  }

  @Test("A mistake in the service's own parameters keeps it from starting; without its entry they do not matter")
  func settings() throws {
    let findings = try postfixFindings(Self.used + Self.one, settings: "lmtp_delivered_to = perhaps\n")
    #expect(findings.lines.count == 1 && findings.lines[0].hasPrefix("error bad-configuration "), "\(findings.lines)")
    #expect(findings.lines[0].contains("line 3: lmtp_delivered_to must be yes or no"), "\(findings.lines)")
    #expect(
      try postfixFindings("", settings: "lmtp_delivered_to = perhaps\n", master: SiteFixture.master).lines == [])
  }

  @Test("A domain whose transport is the LMTP service has a quota")
  func route() throws {
    let (fixture, _, _) = try fixture(
      Self.right, main: "transport_maps = inline:{ a=ullage_lmtp:unix:x, b=ullage_lmtp:, c=smtp: }\n")
    let uses = try LMTPEntries(fixture.postfix, Survey(fixture.postfix.path), nil).find()
    let rows = ["u@a", "u@b", "u@c"].map {
      MailboxRow(address: Array($0.utf8), path: [], quota: EffectiveLimit(.none, .given))
    }
    let findings = RouteCheck(postfix: fixture.postfix, entries: [], lmtp: uses).findings(of: rows)
    #expect(
      findings.lines == [
        "warning no-mail a domain with mailboxes uses the transport smtp (c)",
        "error no-mail a domain with mailboxes uses the transport ullage_lmtp (b)",
      ])
    #expect(
      findings.first?.remedy == .advice("set ullage_lmtp:unix:private/ullage-lmtp for them in the table"))
  }
}
