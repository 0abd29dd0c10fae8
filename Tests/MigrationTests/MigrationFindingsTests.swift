// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Quota
import Site
import TestSupport
import Testing
import Text

@testable import Migration

/// Postfix's files in; the new file and what to know out. The commands are run in `MigrateTests`.
struct MigrationFindingsTests {
  private let sandbox: Sandbox

  init() throws { sandbox = try Sandbox() }

  private static let base = "virtual_mailbox_base = /var/vmail\nvirtual_mailbox_maps = static:x/\n"

  private func plan(
    _ main: String, master: String = PostfixFiles.virtual, transport: String = "ullage", usesLMTP: Bool = false
  ) throws -> MigrationPlan {
    let files = try PostfixFiles(sandbox, main: Self.base + main, master: master)
    return try Migration.plan(
      from: try PostfixDirectory(files.path),
      Migration.Options(
        configurationFile: Ullage.configurationFile, transport: transport, user: "nobody", usesLMTP: usesLMTP),
      Survey(files.path))
  }

  @Test(
    "What changes, what is different, and what must be solved first",
    arguments: [
      ("virtual_trash_name = \".Trash\"\n", .changed, "virtual_trash_name", "the quotes around .Trash were removed"),
      (
        "virtual_trash_count = yes\nvirtual_trash_name = \".Trash\"\n", .changed, "virtual_trash_name",
        "It counts anyway, because virtual_trash_count is yes"
      ),
      (
        "virtual_maildir_limit_message = \"full\"\n", .changed, "virtual_maildir_limit_message",
        "VDA showed them to the sender"
      ),
      (
        "virtual_mailbox_limit_message = full\n", .changed, "virtual_mailbox_limit_message",
        "is written as virtual_maildir_limit_message"
      ),
      ("virtual_maildir_filter = yes\n", .changed, "virtual_maildir_filter", "is left out: there is no filter here"),
      (
        "virtual_maildir_suffix = $spelling\n", .obstacle, "$spelling",
        "is used but not defined: Postfix takes it for empty"
      ),
      ("virtual_mailbox_limit = 0\n", .different, "virtual_mailbox_limit", "are unlimited (as Postfix's files say)"),
      ("", .different, "virtual_mailbox_limit", "are limited to 51200000 bytes (Postfix's default, since main.cf"),
      ("", .different, "virtual_mailbox_limit_maps", "is not set: virtual_mailbox_limit is the quota of every mailbox"),
      (
        "virtual_mailbox_limit_maps = static:5\n", .different, "virtual_mailbox_limit_maps",
        "while it cannot be queried, mail is deferred"
      ),
      (
        "message_size_limit = 20\n", .different, "virtual_mailbox_limit_override",
        "limits below message_size_limit (20 bytes) do not apply"
      ),
      ("virtual_transport = lmtp:x\n", .different, "virtual_transport", "so virtual(8) does not deliver now"),
      ("virtual_transport = ullage\n", .different, "virtual_transport", "mail has been switched over"),
      (
        "virtual_mailbox_limit_maps = mysql:/etc/l.cf\n", .different, "mysql:/etc/l.cf",
        "is queried by postmap -q, one process per lookup"
      ),
      (
        "virtual_mailbox_limit_maps = hash:/nonexistent/l\n", .obstacle, "hash:/nonexistent/l",
        "there is no /nonexistent/l.db; create it:"
      ),
      (
        "virtual_mailbox_limit_maps = texthash:/nonexistent/l\n", .obstacle, "texthash:/nonexistent/l",
        "/nonexistent/l"
      ),
      ("virtual_mailbox_limit = many\n", .obstacle, "ullage.cf", "virtual_mailbox_limit"),
      (
        "virtual_transport = lmtp:x\n", .different, "virtual_transport",
        "Whatever that transport does beside delivering, filtering for instance, ends"
      ),
      ("virtual_mailbox_maps = static:var/vmail/x/\n", .obstacle, "static:var/vmail/x/", "base below the base"),
      (
        "virtual_mailbox_limit_maps = inline:{a@d=8192}\n", .different, "inline:{a@d=8192}",
        "into which no ordinary message fits. If the column is in MB"
      ),
      (
        "virtual_mailbox_limit_maps = inline:{a@d=10M}\n", .different, "inline:{a@d=10M}",
        "gives \"10M\", which is not a whole number: mail for such mailboxes is deferred"
      ),
    ] as [(String, FindingKind, String, String)])
  func findings(lines: String, kind: FindingKind, subject: String, text: String) throws {
    let found = try plan(lines).findings(kind)
    #expect(
      found.contains { $0.subject.name == subject && $0.evidence.contains(text) },
      "\(found.map { "\($0.subject.name): \($0.evidence)" })")
  }

  @Test("Every mistake of a pasted main.cf is named at once, with its line in the new file")
  func allMistakes() throws {
    let plan = try plan("virtual_mailbox_limit = many\nvirtual_trash_count = maybe\nmessage_size_limit = 1.5\n")
    let found = plan.findings(.obstacle).filter { $0.subject.name == "ullage.cf" }.map(\.evidence)
    for name in ["virtual_mailbox_limit must", "virtual_trash_count must", "message_size_limit must"] {
      #expect(found.count { $0.hasPrefix(name) && $0.hasSuffix(" of the new file)") } == 1, "\(name): \(found)")
    }
    #expect(found.count == 3)
  }

  @Test("Where no ledger is kept, there is no step that counts, though all mailboxes could be listed")
  func inboxOnly() throws {
    try sandbox.write("l.cf", "hosts = /nonexistent\ndbname = d\nquery = SELECT '%s'\n", mode: 0o644)
    func counts(_ lines: String) throws -> Bool {
      try plan("virtual_mailbox_maps = pgsql:\(sandbox("l.cf"))\n\(lines)").steps.flatMap(\.commands).contains {
        $0.hasSuffix("recompute --all")
      }
    }
    #expect(try counts(""))
    #expect(try !counts("virtual_mailbox_limit_inbox = yes\n"))
  }

  @Test("Where maildrop or Dovecot's LDA delivers, what filters there is said to end")
  func filters() throws {
    for (program, text) in [
      ("/usr/bin/maildrop -d ${recipient}", "Filters in maildroprc and .mailfilter are not applied any more"),
      ("/usr/lib/dovecot/dovecot-lda -d ${recipient}", "Sieve scripts are not run any more"),
    ] {
      let plan = try plan(
        "virtual_transport = agent:\n",
        master: PostfixFiles.virtual + "agent unix - n n - - pipe user=x argv=\(program)\n")
      #expect(plan.findings(.different).contains { $0.evidence.contains(text) }, "\(text)")
    }
  }

  @Test("A plain configuration has no obstacle and no change")
  func plain() throws {
    let plan = try plan("virtual_trash_count = no\nvirtual_trash_name = .Trash\n")
    #expect(plan.findings(.obstacle) == [] && plan.findings(.changed) == [])
    #expect(plan.parameterCount == 4)
  }

  @Test("User-defined names move along with the lines that use them, and no others do")
  func names() throws {
    let plan = try plan("root = /srv\nunused = 1\ndeep = $root/x\nvirtual_maildir_suffix = $deep/\n")
    let text = plan.configuration.text
    #expect(text.contains("\ndeep = $root/x\nroot = /srv\n\n") && !text.contains("unused"))
    #expect(text.contains("virtual_maildir_suffix = $deep/\n\n# Copied for the policy service"))
  }

  @Test("-o of virtual(8)'s entry takes precedence, and is reported")
  func override() throws {
    let plan = try plan(
      "virtual_mailbox_limit = 5\n", master: "virtual unix - n n - - virtual -o virtual_mailbox_limit=7\n")
    #expect(plan.configuration.text.contains("\nvirtual_mailbox_limit = 7\n"))
    #expect(
      plan.findings(.changed).map(\.evidence) == ["is taken from -o in master.cf, line 1, which overrides main.cf"])
  }

  @Test("The result is a configuration that the programs accept, and it gives the same values")
  func result() throws {
    let plan = try plan("b = 4\nvirtual_mailbox_limit = ${b}2\nvirtual_overquota_bounce = yes\n")
    let settings = try Settings(ConfigurationFile(parsing: plan.configuration))
    #expect(settings.limitRule.fallback == 42 && settings.overquotaBounces)
  }

  @Test("The steps: the entry, the check, the switch, the end of soft_bounce, and the way back")
  func steps() throws {
    let plan = try plan("", transport: "quota")
    let commands = plan.steps.flatMap(\.commands)
    let order = [
      "postconf -c \(sandbox("postfix")) -M quota/unix=", "ullage check", "virtual_transport=quota", "-PX quota/unix",
    ]
    let places = order.map { word in commands.firstIndex { $0.contains(word) } }
    #expect(places.compactMap { $0 } == places.compactMap { $0 }.sorted() && !places.contains(nil), "\(commands)")
    #expect(plan.wayBack.commands.first?.contains("virtual_transport") == true)
  }

  @Test("The steps for the LMTP service: its user, the entry, the service, the check, the switch, and the way back")
  func lmtpSteps() throws {
    let plan = try plan(
      "virtual_transport = vmailbox:\nrelay_transport = virtual:x\n", transport: "ullage_lmtp", usesLMTP: true)
    let commands = plan.steps.flatMap(\.commands)
    let postconf = "postconf -c \(sandbox("postfix"))"
    let order = [
      "> /etc/systemd/system/ullaged-lmtp.service.d/site.conf",
      "\(postconf) -M ullage_lmtp/unix='ullage_lmtp unix - - n - - lmtp -o soft_bounce=yes"
        + " -o lmtp_line_length_limit=0 -o lmtp_send_xforward_command=yes flags=ORX'",
      "\(postconf) -e ullage_lmtp_destination_recipient_limit=1",
      "[ ! -d /run/systemd/system ] || systemctl enable --now ullaged-lmtp.socket ullaged-lmtp.service", "ullage check",
      "\(postconf) -e relay_transport=ullage_lmtp:unix:private/ullage-lmtp",
      "\(postconf) -e virtual_transport=ullage_lmtp:unix:private/ullage-lmtp",
      "\(postconf) -PX ullage_lmtp/unix/soft_bounce",
    ]
    let places = order.map { word in commands.firstIndex { $0.contains(word) } }
    #expect(places.compactMap { $0 } == places.compactMap { $0 }.sorted() && !places.contains(nil), "\(commands)")
    #expect(
      plan.wayBack.commands == [
        "\(postconf) -e relay_transport=virtual:x", "\(postconf) -e virtual_transport=vmailbox:",
        "postfix -c \(sandbox("postfix")) reload",
      ])
    #expect(!commands.contains { $0.contains(" pipe ") })
  }

  @Test("The commands for the units give the LMTP service the mail user, and that is where the check finds it")
  func lmtpUnit() throws {
    let commands = try plan("", transport: "ullage_lmtp", usesLMTP: true).steps.flatMap(\.commands)
    let units = sandbox("units")
    for command in commands where command.contains("/etc/systemd/system/ullaged-lmtp.service.d") {
      try TestSupport.Command.check(["sh", "-c", command.replacing("/etc/systemd/system", with: units)])
    }
    try TestSupport.Command.check(["sh", "-c", "echo '[Service]\nUser=vmail' > \(units)/ullaged-lmtp.service"])
    try TestSupport.Command.check(["sh", "-c", "find \(units) -type f | xargs touch -d '1 hour ago'"])
    #expect(UnitFile.user(of: "ullaged-lmtp.service", in: [units]) == "nobody")
  }

  @Test("From ullage-deliver to the LMTP service and back only the transports change, those of domains, too")
  func betweenOwn() throws {
    let pipe = "ullage unix - n n - 20 pipe user=x argv=/usr/libexec/ullage/ullage-deliver\n"
    try sandbox.write("transport", "a.org ullage:\nb.org virtual:\n", mode: 0o644)
    try Command.check(["touch", "-d", "1 hour ago", sandbox("transport")])
    let plan = try plan(
      "virtual_transport = ullage\ntransport_maps = texthash:\(sandbox("transport"))\n",
      master: PostfixFiles.virtual + pipe, transport: "ullage_lmtp", usesLMTP: true)
    #expect(
      plan.findings(.different).contains {
        $0.subject.name == "virtual_transport" && $0.evidence.hasPrefix("is ullage, another way to deliver")
      })
    for command in plan.steps.flatMap(\.commands) where command.hasPrefix("sed -i --follow") {
      try Command.check(["sh", "-c", command])
    }
    #expect(sandbox.text("transport") == "a.org ullage_lmtp:unix:private/ullage-lmtp\nb.org virtual:\n")
    for command in plan.wayBack.commands where command.hasPrefix("sed ") { try Command.check(["sh", "-c", command]) }
    #expect(sandbox.text("transport") == "a.org ullage:\nb.org virtual:\n")
    #expect(plan.wayBack.commands.contains { $0.hasSuffix(" -e virtual_transport=ullage") })
  }

  @Test("A second run after the switch to the LMTP service says so, and its way back leads to what is there")
  func lmtpAgain() throws {
    let pipe = "ullage unix - n n - 20 pipe user=x argv=/usr/libexec/ullage/ullage-deliver\n"
    for (rest, back) in [("", "virtual"), (pipe, "ullage")] {
      let plan = try plan(
        "virtual_transport = ullage_lmtp:unix:private/ullage-lmtp\n",
        master: PostfixFiles.virtual + MasterEntry.lmtpLine() + "\n" + rest, transport: "ullage_lmtp", usesLMTP: true)
      #expect(
        plan.findings(.different).contains {
          $0.evidence == "is ullage_lmtp:unix:private/ullage-lmtp already: mail has been switched over"
        })
      #expect(plan.wayBack.commands.first?.hasSuffix(" -e virtual_transport=\(back)") == true)
    }
  }

  @Test("The LMTP service has one user, and that is what is said of mailboxes with users of their own")
  func lmtpUser() throws {
    let files = try PostfixFiles(sandbox, main: Self.base + "virtual_uid_maps = pgsql:/etc/uids.cf\n")
    let plan = try Migration.plan(
      from: try PostfixDirectory(files.path),
      Migration.Options(
        configurationFile: Ullage.configurationFile, transport: "ullage_lmtp", user: nil, usesLMTP: true),
      Survey(files.path))
    #expect(
      plan.findings(.obstacle).contains {
        $0.evidence.contains("but the LMTP service has one. Give all Maildirs to one user")
      })
  }

  @Test("A name that refers to itself is an error: Postfix cannot use it either")
  func circle() throws {
    #expect(throws: ConfigurationError.self) {
      try plan("a = $b\nb = $a\nvirtual_maildir_suffix = $a\n")
    }
  }
}
