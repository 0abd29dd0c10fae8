// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Posix
import Site
import TestSupport
import Testing
import Text

@testable import Migration

/// The user that deliveries run as, and the steps that depend on it.
struct MailUserTests {
  private let sandbox: Sandbox

  init() throws { sandbox = try Sandbox() }

  private func plan(
    _ main: String = "", user: String? = nil, configurationFile: String = Ullage.configurationFile,
    base: String = "/var/vmail", master: String = PostfixFiles.virtual
  ) throws -> MigrationPlan {
    let text = "virtual_mailbox_base = \(base)\nvirtual_mailbox_maps = static:x/\n\(main)"
    let files = try PostfixFiles(sandbox, main: text, master: master)
    return try Migration.plan(
      from: try PostfixDirectory(files.path),
      Migration.Options(configurationFile: configurationFile, transport: "ullage", user: user), Survey(files.path))
  }

  @Test(
    "Where ullage-deliver delivers already, its entry says who owns the Maildirs; without a base no unit is changed")
  func entry() throws {
    func master(_ user: String) -> String {
      PostfixFiles.virtual + "ullage unix - n n - 20 pipe user=\(user) argv=/usr/libexec/ullage/ullage-deliver\n"
    }
    let found = try plan(base: "", master: master("nobody"))
    #expect(found.user == "nobody" && !obstacles(found).contains { $0.hasPrefix("virtual_uid_maps") })
    let commands: [String] = found.steps.flatMap(\.commands)
    let lines = commands.filter { $0.contains("> /etc/systemd/system/ullaged-lmtp.service.d/") }
    #expect(lines.count == 1 && lines[0].contains("User=nobody") && !lines[0].contains("ReadWritePaths"), "\(lines)")
    let all: [String] = try plan(base: "/srv/mail", master: master("nobody")).steps.flatMap(\.commands)
    let publish = all.filter { $0.contains("> /etc/systemd/system/ullage-publish.service.d/") }
    #expect(publish.count == 1 && publish[0].contains("User=nobody") && !publish[0].contains("ReadWritePaths"))
    let unknown = try plan(master: master("no-such-user"))
    #expect(obstacles(unknown).contains { $0.contains("there is no user no-such-user") })
  }

  private func obstacles(_ plan: MigrationPlan) -> [String] {
    plan.findings(.obstacle).map { "\($0.subject.name): \($0.evidence)" }
  }

  private static let nobody = User(named: "nobody")

  @Test("virtual_uid_maps with one number names the user")
  func fixedUser() throws {
    let nobody = try #require(Self.nobody)
    let plan = try plan("virtual_uid_maps = static:\(nobody.id)\nvirtual_gid_maps = static:\(nobody.group)\n")
    #expect(plan.user == "nobody" && obstacles(plan) == [])
  }

  @Test("Another group than the user's own is named with it")
  func group() throws {
    let nobody = try #require(Self.nobody)
    let daemon = try #require(Group.id(of: "daemon"))
    let plan = try plan("virtual_uid_maps = static:\(nobody.id)\nvirtual_gid_maps = static:\(daemon)\n")
    #expect(plan.user == "nobody:daemon" && obstacles(plan) == [])
  }

  @Test("A number without a user, or a group without a name, is an obstacle with the commands that make one")
  func unknownNumbers() throws {
    let free = User(named: "vmail") == nil && Group.id(of: "vmail") == nil
    let made = try plan("virtual_uid_maps = static:4000000\nvirtual_gid_maps = static:4000001\n")
    let name = free ? "vmail" : "vmail4000000"
    #expect(made.user == name)
    #expect(
      made.findings(.obstacle).first?.remedy
        == .run(
          Command("groupadd", "-g", "4000001", name),
          Command(
            "useradd", "-u", "4000000", "-g", name, "-M", "-d", "/nonexistent", "-s", "/usr/sbin/nologin", name)))
    let nobody = try #require(Self.nobody)
    let group = try plan("virtual_uid_maps = static:\(nobody.id)\nvirtual_gid_maps = static:4000001\n")
    let groupName = free ? "vmail" : "vmail4000001"
    #expect(group.user == "nobody:\(groupName)")
    #expect(group.findings(.obstacle).first?.remedy == .run(Command("groupadd", "-g", "4000001", groupName)))
  }

  @Test("A user for each mailbox cannot be the user of one entry")
  func manyUsers() throws {
    let found = obstacles(try plan("virtual_uid_maps = hash:/etc/postfix/uids\n"))
    #expect(
      found.contains { $0.hasPrefix("virtual_uid_maps: gives each mailbox its own user (hash:/etc/postfix/uids)") })
  }

  @Test("Root and other system users get no mail delivered as them", arguments: ["root", "daemon"])
  func systemUser(name: String) throws {
    let found = obstacles(try plan(user: name))
    #expect(found.count == 1 && found[0].contains("\(name) has uid "), "\(found)")
    let least = "virtual_minimum_uid = 1\n"
    #expect(try obstacles(plan(least, user: name)).isEmpty == (name != "root"))
  }

  @Test("A user or a group that does not exist is an obstacle")
  func unknownUser() throws {
    #expect(obstacles(try plan(user: "nosuchuser")) == ["--user: there is no user nosuchuser"])
    #expect(
      obstacles(try plan(user: "nobody:nosuchgroup")) == ["--user: there is no such user or group: nobody:nosuchgroup"])
  }

  @Test(
    "The entry has the manual's arguments, the user, and the configuration file unless it is the usual one",
    arguments: [
      (Ullage.configurationFile, "argv=/usr/libexec/ullage/ullage-deliver --sender="),
      ("/etc/x.cf", "argv=/usr/libexec/ullage/ullage-deliver --config=/etc/x.cf --sender="),
      ("/etc/my mail.cf", "argv=/usr/libexec/ullage/ullage-deliver { --config=/etc/my mail.cf } --sender="),
    ])
  func entry(file: String, arguments: String) throws {
    let plan = try plan(user: "nobody", configurationFile: file)
    let commands = plan.steps.flatMap(\.commands)
    let command = try #require(commands.first { $0.contains("-M ullage/unix=") })
    #expect(command.contains(arguments), "\(command)")
    // What the command writes is an entry that is parsed as it was meant.
    let line = try TestSupport.Command.check(["sh", "-c", command.replacing("postconf", with: "printf '%s\\n'")])
    let written = try #require(line.split(separator: "\n").last?.split(separator: "=", maxSplits: 1).last)
    let service = try #require(try MasterFile(parsing: Array("\(written)\n".utf8)).services.first)
    #expect(service.attributes == ["flags": "ORX", "user": "nobody", "null_sender": ""])
    #expect(service.overrides == ["soft_bounce": "yes"] && service.processLimit == 20)
    var request = DeliveryRequest()
    try request.parse(service.program.dropFirst().map { Array($0.utf8) })
    #expect(request.configurationFile.text == file && request.recipient.text == "${recipient}")
  }

  @Test("The mail user is let read what the policy service needs besides a delivery's tables", .takesRoot)
  func policyTables() throws {
    let files = ["mailboxes", "aliases", "canonical", "list", "domains", "destinations"]
    for name in files { try sandbox.write("maps/\(name)", "a@b x\n", mode: 0o640) }
    try sandbox.write("maps/list", "c.example texthash:\(sandbox("maps/domains"))\n", mode: 0o640)
    try TestSupport.Command.check(["chmod", "750", sandbox("maps")])
    try TestSupport.Command.check(["chown", "-R", "root:root", sandbox("maps")])
    func map(_ name: String) -> String { "texthash:\(sandbox("maps/\(name)"))" }
    let found = try plan(
      """
      virtual_alias_maps = \(map("aliases"))
      virtual_mailbox_maps = \(map("mailboxes"))
      virtual_mailbox_domains = \(sandbox("maps/list"))
      recipient_canonical_maps = proxy:\(map("canonical"))
      mydestination = localhost !\(map("destinations"))
      myorigin = mx.example

      """, user: "nobody")
    func grants(_ steps: [MigrationPlan.Step]) -> [String] {
      steps.flatMap(\.commands).filter { $0.hasPrefix("setfacl") }
    }
    let commands = grants(found.steps) + grants(found.policySteps)
    #expect(Set(commands).count == commands.count, "each once: \(commands)")
    for command in commands { try TestSupport.Command.check(["sh", "-c", command]) }
    let nobody = try #require(Self.nobody)
    for name in files {
      let path = try #require(Path(sandbox("maps/\(name)").utf8))
      #expect(nobody.credentials.acting { isAllowed(.reading, to: path) }, "\(name): \(commands)")
    }
  }

  @Test("Where Postfix has another queue directory, the units are told to listen there")
  func otherQueue() throws {
    for (queue, isUsual) in [("/var/spool/postfix", true), ("/q", false)] {
      let text = "virtual_mailbox_base = /m\nvirtual_mailbox_maps = static:x/\nqueue_directory = \(queue)\n"
      let files = try PostfixFiles(sandbox, main: text, master: PostfixFiles.virtual)
      let options = Migration.Options(
        configurationFile: Ullage.configurationFile, transport: "ullage_lmtp", user: "nobody", usesLMTP: true)
      let plan = try Migration.plan(from: try PostfixDirectory(files.path), options, Survey(files.path))
      let commands = (plan.steps + plan.policySteps).flatMap(\.commands)
      #expect(commands.contains { $0.hasSuffix("-e virtual_transport=ullage_lmtp:unix:private/ullage-lmtp") })
      #expect(plan.steps.contains { $0.title.contains("lmtp_socket = \(queue)/private/ullage-lmtp in ullage.cf") })
      for service in ["lmtp", "policy"] {
        let change =
          "printf '%s\\n' '[Unit]' ConditionPathIsDirectory= ConditionPathIsDirectory=/q/private '[Socket]'"
          + " ListenStream= ListenStream=/q/private/ullage-\(service)"
          + " > /etc/systemd/system/ullaged-\(service).socket.d/site.conf"
        #expect(commands.contains(change) != isUsual, "\(commands)")
      }
    }
  }

  @Test("The package's units are told who the mail user is and where the Maildirs are, unless both are the usual ones")
  func unusualPlaces() throws {
    let usual = try plan(user: "nobody").steps.flatMap(\.commands)
    #expect(usual.contains { $0.contains("User=nobody") && !$0.contains("ReadWritePaths") })
    let elsewhere = try plan(user: "nobody", base: "/srv/mail boxes")
    let commands = elsewhere.steps.flatMap(\.commands)
    #expect(commands.contains { $0.contains("User=nobody") && $0.contains("'ReadWritePaths=\"/srv/mail boxes\"'") })
    #expect(commands.contains { $0.contains("usermod -a -G nogroup ullage") })
  }

  @Test(
    "The way back is the earlier value, or none; after the switch the earlier value is unknown",
    arguments: [
      ("", "-X virtual_transport"), ("virtual_transport = maildrop\n", "-e virtual_transport=maildrop"),
      ("virtual_transport = ullage\n", "-e virtual_transport=virtual"),
    ])
  func wayBack(main: String, command: String) throws {
    let commands = try plan(main, user: "nobody").wayBack.commands
    #expect(commands == ["postconf -c \(sandbox("postfix")) \(command)", "postfix -c \(sandbox("postfix")) reload"])
  }

  @Test("Domains that transport_maps keep on virtual(8) are switched over by a command, and back by another")
  func routes() throws {
    try sandbox.write("transport", "a.example virtual:\nb.example smtp:\n", mode: 0o644)
    let before = sandbox.text("transport")
    let plan = try plan("transport_maps = texthash:\(sandbox("transport"))\n", user: "nobody")
    func run(_ commands: [String]) throws {
      for command in commands where command.contains(sandbox("transport")) {
        try TestSupport.Command.check(["sh", "-c", command])
      }
    }
    try run(plan.steps.flatMap(\.commands))
    #expect(sandbox.text("transport") == "a.example ullage:\nb.example smtp:\n")
    try run(plan.wayBack.commands)
    #expect(sandbox.text("transport") == before)
  }

  @Test("Other parameters that send mail to virtual(8) are switched over and back, each with its nexthop")
  func otherTransports() throws {
    let plan = try plan("local_transport = virtual\nrelay_transport = virtual:x\n", user: "nobody")
    let commands = plan.steps.flatMap(\.commands)
    for change in ["local_transport=ullage", "relay_transport=ullage:x"] {
      #expect(commands.contains("postconf -c \(sandbox("postfix")) -e \(change)"), "\(change)")
    }
    for change in ["local_transport=virtual", "relay_transport=virtual:x"] {
      #expect(plan.wayBack.commands.contains("postconf -c \(sandbox("postfix")) -e \(change)"), "\(change)")
    }
  }

  @Test("Another virtual(8) with settings of its own is not forgotten")
  func secondEntry() throws {
    let master = PostfixFiles.virtual + "other unix - n n - - virtual\n  -o virtual_mailbox_base=/other\n"
    let found = try plan(user: "nobody", master: master).findings(.different)
    #expect(
      found.contains { $0.subject.name == "master.cf, line 3" && $0.evidence.hasPrefix("other is another virtual(8)") })
  }
}
