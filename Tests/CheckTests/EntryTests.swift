// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Posix
import TestSupport
import Testing

@testable import Check
@testable import Site

/// An entry of master.cf in, findings out.
struct EntryTests {
  private let sandbox: Sandbox

  init() throws { sandbox = try Sandbox() }

  private static let attributes = "flags=ORX user=nobody null_sender= "
  private static let program =
    "argv=/usr/libexec/ullage-deliver --sender=${sender} --recipient=${recipient}"
    + " --delivered-to=${recipient} --extension=${extension}"
    + " --original-recipient=${original_recipient} --queue-id=${queue_id} --size=${size}"
  private static let main = "compatibility_level = 3.6\nullage_destination_recipient_limit = 1\n"

  /// An entry of a site whose ullage.cf has the default path.
  private func entry(
    _ attributes: String = attributes, fields: String = "- n n - 20", program: String = program, main: String = main,
    settings: String = ""
  ) throws -> Entry {
    let files = try PostfixFiles(
      sandbox, main: main, master: "ullage unix \(fields) pipe \(attributes) \(program)\n")
    let postfix = try PostfixDirectory(files.path)
    let text = "virtual_mailbox_base = /m\nvirtual_mailbox_maps = static:x/\n\(settings)"
    let site = Site(
      configurationFile: Ullage.configurationFile, settings: try Settings(ConfigurationFile(parsing: Array(text.utf8))),
      user: nil, postfix: .success(postfix))
    return Entry(site: site, postfix: postfix, service: try #require(postfix.master.services.first))
  }

  /// `severity kind evidence` of each finding.
  private static func lines(_ findings: [Finding]) -> [String] {
    findings.map { "\($0.severity.rawValue) \($0.kind?.rawValue ?? "-") \($0.evidence)" }
  }

  /// The entry after the command of a remedy has been run on it.
  private static func remedied(_ finding: Finding?) throws -> MasterService? {
    guard case .run(let commands)? = finding?.remedy,
      let command = commands.first(where: { $0.words.first == "postconf" })
    else { return nil }
    let directory = try #require(command.words.dropFirst(2).first)
    let change = try #require(command.words.last)
    let line = try #require(change.split(separator: "=", maxSplits: 1).last)
    #expect(command.words.dropLast() == ["postconf", "-c", directory, "-F"])
    return try MasterFile(parsing: Array("ullage unix - n n - 20 \(line)\n".utf8)).services.first
  }

  @Test("An entry as the manual gives it has no finding")
  func right() throws {
    #expect(Self.lines(ArgumentsCheck(try entry()).findings()) == [])
    #expect(Self.lines(EntryCheck(try entry(settings: "virtual_minimum_uid = 1\n"), connections: 90).findings()) == [])
  }

  @Test(
    "A flag that changes messages or addresses is an error, one that is missing as bad as what it causes",
    arguments: [
      ("ORXF", ["error flags flags= has F, which puts a line \"From …\" in front of each message"]),
      ("ORXB", ["error flags flags= has B, which adds an empty line to each message"]),
      ("ORX.", ["error flags flags= has ., which doubles dots at the start of lines"]),
      ("ORXq", ["error flags flags= has q, which quotes addresses, so that those with blanks are not found"]),
      ("OX", ["error flags flags= lacks R"]), ("ORXhu", []), ("RX", ["warning flags flags= lacks O"]),
      ("ORhu", ["warning flags flags= lacks X"]),
      (
        "DORXhu",
        ["warning flags flags= has D, which also bounces each message that has a Delivered-To: of its recipient"]
      ),
    ])
  func flags(flags: String, lines: [String]) throws {
    let found = ArgumentsCheck(try entry("flags=\(flags) user=nobody null_sender= ")).findings()
    #expect(Self.lines(found) == lines)
    // Each remedy makes the flags right at once.
    for finding in found {
      let service = try Self.remedied(finding)
      #expect(Set(service?.attributes["flags"] ?? "") == Set("ORX") && service?.attributes["user"] == "nobody")
    }
  }

  @Test("An entry as it was before has one warning, and one command makes it like the one in the manual")
  func oldEntry() throws {
    let program =
      "argv=/p --config=/x.cf --sender=${sender} --recipient=${recipient} --original-recipient=${original_recipient}"
      + " --queue-id=${queue_id} --size=${size}"
    let found = ArgumentsCheck(try entry("flags=DORXhu user=nobody null_sender= ", program: program)).findings()
    #expect(
      Self.lines(found).filter { !$0.contains("reads /x.cf") } == [
        "warning flags flags= has D, which also bounces each message that has a Delivered-To: of its recipient",
        "warning arguments --extension is not given",
      ])
    let service = try #require(try Self.remedied(found.first))
    #expect(service.attributes == ["flags": "ORX", "user": "nobody", "null_sender": ""])
    #expect(service.program == ["/p", "--config=/x.cf"] + MasterEntry.arguments)
  }

  @Test("Without D and without --delivered-to nothing writes the header")
  func noDeliveredTo() throws {
    let found = ArgumentsCheck(
      try entry(program: Self.program.replacing(" --delivered-to=${recipient}", with: ""))
    ).findings()
    #expect(Self.lines(found) == ["warning arguments --delivered-to is not given"])
    #expect(try Self.remedied(found.first)?.program.contains("--delivered-to=${recipient}") == true)
  }

  @Test("A sender in bounces is a warning, and its remedy sets an empty one")
  func nullSender() throws {
    let found = ArgumentsCheck(try entry("flags=ORX user=nobody ")).findings()
    #expect(Self.lines(found) == ["warning null-sender null_sender= is missing or not empty"])
    #expect(try Self.remedied(found.first)?.attributes["null_sender"] == "")
  }

  @Test(
    "Wrong arguments of the program",
    arguments: [
      ("--recipient=${recipient}", ["error arguments the arguments are wrong"]),
      ("--sender=${sender} --recipient=${recipient} --size=5 --nonsense", ["error arguments the arguments are wrong"]),
      (
        "--sender=${sender} --recipient=${user}",
        [
          "warning arguments --original-recipient, --queue-id, --size are not given",
          "warning arguments --extension is not given", "warning arguments --delivered-to is not given",
          "error arguments --recipient is ${user}, not ${recipient}",
        ]
      ),
      (
        "--sender=${recipient} --recipient=${recipient} --original-recipient=x --queue-id=x",
        ["warning arguments --size is not given", "error arguments --sender is ${recipient}, not ${sender}"]
      ),
      (
        "--sender=${sender} --recipient=${recipient} --delivered-to=${user} --extension=${mailbox}",
        [
          "warning arguments --delivered-to is ${user}, not ${recipient}",
          "warning arguments --extension is ${mailbox}, not ${extension}",
        ]
      ),
      (
        "--config=/other.cf --sender=$sender --recipient=$(recipient) --original-recipient=x --queue-id=x --size=x",
        ["warning arguments the entry reads /other.cf, but this check /etc/ullage/ullage.cf"]
      ),
    ])
  func arguments(arguments: String, lines: [String]) throws {
    let found = ArgumentsCheck(try entry(program: "argv=/p \(arguments)")).findings()
    let shown = Self.lines(found)
    for line in lines { #expect(shown.contains { $0.hasPrefix(line) }, "\(shown)") }
    // What a remedy writes is right.
    for finding in found where finding.severity == .error {
      let service = try #require(try Self.remedied(finding))
      var request = DeliveryRequest()
      try request.parse(service.program.dropFirst().map { Array($0.utf8) })
      #expect(request.recipient == Array("${recipient}".utf8) && request.sender == Array("${sender}".utf8))
    }
  }

  @Test(
    "How Postfix runs the entry",
    arguments: [
      ("- n y - 20", main, 90, ["error entry-fields the entry runs in a chroot"]),
      ("- n - - 20", "ullage_destination_recipient_limit = 1\n", 90, ["error entry-fields the entry runs in a chroot"]),
      ("- n - - 20", main, 90, []), ("- - n - 20", main, 90, ["error entry-fields the entry is unprivileged"]),
      ("- n n - 20", "", 90, ["error recipient-limit ullage_destination_recipient_limit is not 1"]),
      ("- n n - 20", "default_destination_recipient_limit = 1\n", 90, []),
      ("- n n - 20", main, 30, ["warning process-limit up to 20 processes hold a connection each, more than half"]),
      ("- n n - 20", main, 20, ["error process-limit up to 20 processes hold a connection each, but PostgreSQL has"]),
      ("- n n - -", main, 90, ["error process-limit up to 100 processes hold a connection each"]),
      ("- n n - 0", main, 90, ["error process-limit any number of processes hold a connection each"]),
      ("- n n - 20", main + "soft_bounce = yes\n", 90, ["warning soft-bounce soft_bounce is on"]),
      ("- n n - 20", main + "command_time_limit = 60s\n", 90, ["error time-limit command_time_limit is 60 s"]),
      ("- n n - 20", main + "ullage_time_limit = 5m\n", 90, ["warning time-limit ullage_time_limit is 300 s"]),
      ("- n n - 20", main + "ullage_time_limit = soon\n", 90, ["error time-limit ullage_time_limit is \"soon\""]),
      ("- n n - 20", main + "soft_bounce = ${x\n", 90, ["error postfix-directory"]),
    ] as [(String, String, Int64, [String])])
  func fields(fields: String, main: String, connections: Int64, lines: [String]) throws {
    let entry = try entry(
      fields: fields, main: main, settings: "virtual_minimum_uid = 1\ndelivery_time_limit = 290\n")
    let check = EntryCheck(entry, connections: connections)
    let found = Self.lines(check.findings() + Self.softBounce(entry))
    #expect(found.count == lines.count && zip(found, lines).allSatisfy { $0.hasPrefix($1) }, "\(found)")
  }

  private static func softBounce(_ entry: Entry) -> [Finding] {
    var found = FindingList(.postfix)
    entry.checkSoftBounce(&found)
    return found.findings
  }

  @Test("With the lookup service the connections of deliveries do not matter")
  func service() throws {
    let entry = try entry(
      fields: "- n n - 0", settings: "virtual_minimum_uid = 1\nlookup_socket = /run/ullage/lookup\n")
    #expect(Self.lines(EntryCheck(entry, connections: 5).findings()) == [])
  }

  @Test(
    "The user of the entry",
    arguments: [
      ("", "user= is missing"), ("user=nosuchuser", "there is no user nosuchuser"),
      ("user=root", "root is uid 0, below virtual_minimum_uid"),
    ])
  func user(attribute: String, evidence: String) throws {
    let found = EntryCheck(try entry("flags=ORX null_sender= \(attribute)"), connections: nil).findings()
    #expect(Self.lines(found) == ["error mail-user \(evidence)"])
    #expect(try Self.remedied(found.first)?.attributes["user"] == "vmail")
  }

  @Test(
    "A time limit that is too short is set where it is",
    arguments: [
      ("-o ullage_time_limit=60s ", "", "-F", "ullage_time_limit"),
      ("-o ullage_time_limit=$short ", "short = 60s\n", "-F", "ullage_time_limit"),
      ("-o command_time_limit=5s ", "ullage_time_limit = 20s\n", "-e", ""),
      ("", "ullage_time_limit = 20s\n", "-e", ""),
    ])
  func timeLimit(option: String, main: String, way: String, set: String) throws {
    let entry = try entry(
      option + Self.attributes, main: Self.main + main, settings: "virtual_minimum_uid = 1\ndelivery_time_limit = 290\n"
    )
    let found = EntryCheck(entry, connections: 90).findings()
    #expect(found.map(\.kind) == [.timeLimit])
    #expect(found.first?.subject.name == (way == "-F" ? entry.place : entry.mainFile))
    guard case .run(let commands)? = found.first?.remedy else { return #expect(Bool(false), "\(found)") }
    let words = try #require(commands.first?.words)
    #expect(
      words.dropLast().last == way && (set.isEmpty || words.last?.contains("-o \(set)=1000s ") == true), "\(words)")
  }

  @Test("A longer time limit in an entry's options stays, whatever else is corrected")
  func longTimeLimit() throws {
    let entry = try entry(
      "-o ullage_time_limit=$long user=nobody null_sender= ", main: Self.main + "long = 3600s\n",
      settings: "virtual_minimum_uid = 1\n")
    #expect(entry.commands(running: "/p").first?.words.last?.contains("-o ullage_time_limit=$long ") == true)
  }

  @Test("What is printed as the process limit cures the finding")
  func processLimit() throws {
    for connections: Int64 in [20, 39, 3, 1] {
      let found = EntryCheck(
        try entry(settings: "virtual_minimum_uid = 1\n"), connections: connections
      ).findings()
      guard case .run(let commands)? = found.first?.remedy else {
        Issue.record("no command")
        continue
      }
      let limit = try #require(commands.first?.words.last?.split(separator: "=").last)
      let again = EntryCheck(
        try entry(fields: "- n n - \(limit)", settings: "virtual_minimum_uid = 1\n"), connections: connections)
      #expect(connections == 1 || again.findings() == [], "\(limit) of \(connections)")
    }
  }

  @Test("A configuration file with a blank in its name stays in braces")
  func blankInName() throws {
    let old = try entry(
      "flags=DORX user=nobody null_sender= ", program: "argv=/p { --config=/etc/my mail.cf } --sender=$s")
    let service = try #require(try Self.remedied(ArgumentsCheck(old).findings().first))
    #expect(service.program == ["/p", "--config=/etc/my mail.cf"] + MasterEntry.arguments)
  }

  @Test("soft_bounce of the entry is taken away there, that of main.cf there")
  func softBounce() throws {
    let own = Self.softBounce(try entry("-o soft_bounce=yes \(Self.attributes)"))
    #expect(own.map(\.kind) == [.softBounce] && own.first?.subject.name.hasSuffix("master.cf, line 1") == true)
    guard case .run(let commands)? = own.first?.remedy else {
      Issue.record("no command")
      return
    }
    #expect(commands.first?.words.suffix(2) == ["-PX", "ullage/unix/soft_bounce"])
  }

  @Test("Entries are known by their program, and by the file that they read")
  func known() throws {
    let postfix = try entry().postfix
    #expect(EntryCheck.entries(in: postfix).map(\.name) == ["ullage"])
    #expect(EntryCheck.configurationFile(of: try entry().service) == Ullage.configurationFile)
    let other = try entry(program: "argv=/p --config=/x.cf --nonsense")
    #expect(EntryCheck.configurationFile(of: other.service) == "/x.cf")
    #expect(EntryCheck.entries(in: other.postfix).isEmpty)
  }
}
