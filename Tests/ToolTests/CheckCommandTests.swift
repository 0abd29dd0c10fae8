// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// `ullage check` without any server: ullage.cf and the files of Postfix.
struct CheckCommandTests {
  private let host: MailHost
  private let files: PostfixFiles

  init() throws {
    host = try MailHost("message_size_limit = 10240000")
    try host.makeMaildir()
    files = try PostfixFiles(host.sandbox, main: "", master: "")
    try configure()
  }

  /// Writes the files of a Postfix with nothing wrong, except for the changes.
  ///
  /// - Parameters:
  ///   - entry: a part of the entry of master.cf, and its replacement.
  ///   - main: lines for main.cf.
  private func configure(entry: (String, String) = ("", ""), main: String = "") throws {
    let base = """
      virtual_transport = ullage
      virtual_mailbox_base = \(host.sandbox("base"))
      ullage_destination_recipient_limit = 1

      """
    try files.set("main.cf", base + main)
    let text = "ullage unix - n n - 20 pipe " + PostfixInstance.entry(host, program: MailHost.program)
    try files.set("master.cf", (entry.0.isEmpty ? text : text.replacingOccurrences(of: entry.0, with: entry.1)) + "\n")
  }

  private func check(_ options: String...) throws -> Command.Ending { try check(options) }

  /// Ignores what is installed on this machine, and what tests cannot have right: the mail user owns all
  /// files, and there is no list of mailboxes.
  private func check(_ options: [String]) throws -> Command.Ending {
    let elsewhere = ["--dovecot=/nowhere", "--courier=/nowhere"].filter { option in
      !options.contains { $0.hasPrefix(option.prefix(5)) }
    }
    return try host.ullage(
      ["check", "--postfix=\(files.path)", "--ignore=mailbox-list", "--ignore=configuration-rights", "--format=jsonl"]
        + elsewhere + options)
  }

  /// The findings, without notices, as `severity kind`.
  private func findings(_ options: String...) throws -> [String] {
    let ending = try check(options)
    #expect(ending.errors == "")
    let found = try ending.records.filter { $0["severity"] != "notice" }
    // Each finding says why it matters and what to do.
    #expect(found.allSatisfy { $0["reason"] != "" && $0["remedy"] != "" && $0["place"] != "" }, "\(found)")
    let worst: Int32 = found.contains { $0["severity"] == "error" } ? 2 : found.isEmpty ? 0 : 1
    #expect(ending.status == worst)
    return found.map { "\($0["severity"] ?? "") \($0["kind"] ?? "")" }
  }

  @Test("With nothing wrong, it lists only what is right, and exits with 0")
  func right() throws {
    let ending = try check("--format=table")
    #expect(ending.status == 0 && ending.errors == "", "\(ending)")
    #expect(ending.output.contains("ok       \(host.sandbox("ullage.cf")) is valid\n"))
    #expect(ending.output.contains("ok       the entry ullage in \(files.path)/master.cf is right\n"))
    #expect(ending.output.contains("ok       virtual_transport is ullage\n"))
  }

  @Test(
    "Each mistake in Postfix's entry is found",
    arguments: [
      ("flags=ORX", "flags=OX", "error flags"), ("flags=ORX", "flags=RX", "warning flags"),
      ("flags=ORX", "flags=ORXF", "error flags"), ("flags=ORX", "flags=ORXq", "error flags"),
      ("flags=ORX", "flags=DORX", "warning flags"), (" --delivered-to=${recipient}", "", "warning arguments"),
      ("null_sender= ", "", "warning null-sender"), ("user=nobody ", "", "error mail-user"),
      ("user=nobody", "user=nosuchuser", "error mail-user"), ("user=nobody", "user=root", "error mail-user"),
      ("user=nobody", "user=nobody:nosuchgroup", "error mail-user"), (" --sender=${sender}", "", "error arguments"),
      ("--recipient=${recipient}", "--recipient=${user}", "error arguments"),
      ("--size=${size}", "--sise=${size}", "error arguments"), ("--size=${size}", "-s ${size}", "error arguments"),
      ("unix - n n -", "unix - n y -", "error entry-fields"), ("unix - n n -", "unix - - n -", "error entry-fields"),
      ("/ullage-deliver ", "/nowhere/ullage-deliver ", "error program"),
      ("20 pipe", "20 pipe -o soft_bounce=yes", "warning soft-bounce"),
      ("20 pipe", "20 pipe -o ullage_time_limit=100", "error time-limit"),
      ("20 pipe", "20 pipe -o { command_time_limit = 2m }", "error time-limit"),
      ("20 pipe", "20 pipe -o command_time_limit=140s", "warning time-limit"),
    ])
  func entry(old: String, new: String, finding: String) throws {
    try configure(entry: (old, new))
    let found = try findings("--user=nobody")
    #expect(found == [finding])
  }

  @Test(
    "Each mistake in main.cf is found",
    arguments: [
      ("ullage_destination_recipient_limit = 50", "error recipient-limit"),
      ("soft_bounce = yes", "warning soft-bounce"),
      ("command_time_limit = 60", "error time-limit"), ("ullage_time_limit = $other\nother = 1m", "error time-limit"),
      ("ullage_time_limit = soon", "error time-limit"), ("message_size_limit = 5", "warning other-value"),
      ("recipient_delimiter = +", "error other-value"), ("virtual_mailbox_base = /srv", "warning other-value"),
    ])
  func main(line: String, finding: String) throws {
    try configure(main: line)
    #expect(try findings() == [finding])
  }

  @Test("A missing entry, no mail for it, and unreadable files are distinguished")
  func otherPostfix() throws {
    try configure(main: "virtual_transport = virtual")
    let ending = try check()
    #expect(
      ending.status == 0 && ending.output.contains("\"kind\":\"no-mail\""), "a notice before the switch: \(ending)")
    try files.set("master.cf", PostfixFiles.virtual)
    #expect(try findings() == ["error no-entry"])
    try files.set("master.cf", "virtual unix\n")
    let broken = try check()
    #expect(broken.output.contains("master.cf, line 1: expected eight fields"), "\(broken)")
    try Command.check(["rm", "\(files.path)/main.cf"])
    #expect(try findings() == ["error postfix-directory"])
  }

  @Test("In the configuration, all unknown, quoted, user-defined and ignored names are found, and wrong permissions")
  func configuration() throws {
    try host.configure(
      """
      virtual_trash_name = ".Trash"
      dir = /nowhere
      virtual_maildir_limit_message = see $dir
      mailbox_size_limit = 0
      """)
    let notices = try check().records
    #expect(
      Set(notices.compactMap { $0["kind"] }).isSuperset(of: ["quoted-value", "own-name", "ignored-parameter"]))
    let quoted = try #require(notices.first { $0["kind"] == "quoted-value" })
    #expect(
      quoted["place"]?.hasSuffix("ullage.cf, line 6") == true && quoted["reason"]?.contains("VDA kept them") == true)
    try host.configure("virtual_mailbox_limits = 5\nvirtual_thrash_name = .Trash")
    let unknown = try check().records.filter { $0["kind"] == "unknown-parameter" }
    #expect(unknown.compactMap { $0["place"]?.components(separatedBy: ", ").last } == ["line 6", "line 7"])
    try host.configure("virtual_mailbox_limit_override = perhaps")
    #expect(try findings() == ["error bad-configuration"])
    try host.configure("message_size_limit = 10240000")
    try Command.check(["chmod", "666", host.sandbox("ullage.cf")])
    let open = try host.ullage("check", "--format=jsonl").records.filter { $0["kind"] == "configuration-rights" }
    #expect(open.contains { $0["finding"]?.contains("users other than its owner may write to it (mode 666)") == true })
    try Command.check(["rm", host.sandbox("ullage.cf")])
    #expect(try findings() == ["error bad-configuration"])
  }

  @Test("A query into which a sender could inject SQL is found, and a missing table file")
  func tables() throws {
    try host.sandbox.write("t.cf", "hosts = /nowhere\ndbname = x\nquery = SELECT 1 WHERE %s = 1\n")
    try host.configure("message_size_limit = 10240000\nvirtual_mailbox_limit_maps = pgsql:\(host.sandbox("t.cf"))")
    let table = try #require(try check().records.first { $0["kind"] == "bad-table" })
    #expect(table["finding"]?.contains("t.cf: line 3: an expansion must be inside single quotes") == true)
    try host.configure("message_size_limit = 10240000\nvirtual_mailbox_limit_maps = texthash:/nowhere/t")
    #expect(try findings() == ["error bad-table"])
  }

  @Test("--defaults lists every parameter, and is itself an ullage.cf, except for required parameters")
  func defaults() throws {
    let ending = try host.ullage("check", "--defaults")
    #expect(ending.status == 0 && ending.output.split(separator: "\n").count > 30)
    #expect(ending.output.contains("\nvirtual_trash_name = .Trash\n") && ending.output.contains("\nlookup_socket =\n"))
    try host.sandbox.write(
      "ullage.cf", ending.output + "virtual_mailbox_base = \(host.sandbox("base"))\nvirtual_mailbox_maps = static:a/\n")
    #expect(try !check().output.contains("bad-configuration"))
  }

  @Test("An empty base is an error; one that the mail user cannot write to is a warning")
  func base() throws {
    try Command.check(["rm", "-r", host.sandbox("base/example.org")])
    #expect(try findings() == ["error base"])
    try host.makeMaildir()
    try Command.check(["chmod", "555", host.sandbox("base")])
    #expect(try findings() == ["warning base"])
    try Command.check(["chmod", "755", host.sandbox("base")])
  }

  @Test("A usage error exits with 64")
  func usage() throws {
    #expect(try host.ullage("check", "--user=nosuchuser").status == 64)
    #expect(try host.ullage("check", "--ignore=nonsense").status == 64)
    #expect(try host.ullage("check", "--mailboxes=-1").status == 64)
  }
}
