// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// `ullage migrate` on files that no Postfix runs from.
struct MigrateTests {
  private let sandbox: Sandbox
  private var target: String { sandbox("ullage.cf") }

  init() throws {
    sandbox = try Sandbox()
  }

  private func main(_ lines: String) -> String {
    """
    virtual_mailbox_base = /var/vmail
    virtual_mailbox_maps = static:example.org/you/
    virtual_uid_maps = static:\(MailUser.id)
    virtual_gid_maps = static:\(MailUser.group)
    \(lines)

    """
  }

  private func migrate(_ files: PostfixFiles, _ options: String...) throws -> Command.Ending {
    try Command.run(
      [Programs.path("ullage"), "migrate", "--from=\(files.path)", "--to=\(target)"] + options, asMailUser: true)
  }

  /// The report as one line, so that a sentence is found wherever it is wrapped.
  private func flat(_ ending: Command.Ending) -> String { ending.output.replacing(#/\s+/#, with: " ") }

  @Test("VDA's lines are taken over without the quotes, and each change is reported; Postfix's files stay unchanged")
  func lines() throws {
    let text = main(linesOfVDA(limits: "static:1000000"))
    let files = try PostfixFiles(sandbox, main: text)
    let ending = try migrate(files)
    #expect(ending.status == 0 && ending.errors == "", "\(ending)")
    let expected = """
      virtual_mailbox_base = /var/vmail
      virtual_mailbox_maps = static:example.org/you/
      virtual_mailbox_limit_maps = static:1000000
      virtual_mailbox_limit_override = yes
      virtual_mailbox_limit_inbox = no
      virtual_overquota_bounce = no
      virtual_maildir_limit_message = Sorry, the recipients mailbox is currently full. Please try again later.
      virtual_trash_count = no
      virtual_trash_name = .Trash
      virtual_uid_maps = static:\(MailUser.id)
      virtual_gid_maps = static:\(MailUser.group)
      virtual_maildir_extended = yes
      virtual_maildir_filter = no
      message_size_limit = 20971520

      """
    #expect(sandbox.text("ullage.cf")?.contains("\n\n" + expected) == true, "\(sandbox.text("ullage.cf") ?? "")")
    #expect(sandbox.status("ullage.cf").map { $0.st_mode & 0o7777 } == 0o640)
    let report = flat(ending)
    #expect(
      report.contains("virtual_trash_name the quotes around .Trash were removed. For VDA they were part of the name"))
    #expect(report.contains("virtual_maildir_limit_message the quotes around the text were removed; VDA showed them"))
    #expect(report.contains("limited to 51200000 bytes (Postfix's default, since main.cf does not set it)"))
    #expect(!report.contains("Solve this first"))
    #expect(files.text("main.cf") == text && files.text("master.cf") == PostfixFiles.virtual)
  }

  @Test("User-defined names are taken over with all that they use; Postfix's own names get their values")
  func macros() throws {
    let files = try PostfixFiles(
      sandbox,
      main: main(
        """
        sqldir = ${tables}/sql
        tables = $config_directory/tables
        unused = 1
        virtual_mailbox_limit_maps = static:5 inline:{ {a@example.org = $nobody_knows} }
        virtual_maildir_limit_message_maps = texthash:${sqldir}/texts
        """))
    try sandbox.write("postfix/tables/sql/texts", "you@example.org full\n", mode: 0o644)
    try Command.check(["touch", "-d", "1 hour ago", sandbox("postfix/tables/sql/texts")])
    let ending = try migrate(files)
    let text = try #require(sandbox.text("ullage.cf"))
    #expect(
      text.contains("\nconfig_directory = \(files.path)\nnobody_knows = \nsqldir = ${tables}/sql\ntables = $config"))
    #expect(!text.contains("unused"))
    let report = flat(ending)
    #expect(report.contains("$config_directory is defined in the new file: \(files.path)"))
    #expect(report.contains("$nobody_knows is used but not defined: Postfix takes it for empty"))
    #expect(ending.status == 1)
  }

  @Test("Unusable input is reported with what to do, and nothing is written")
  func refusals() throws {
    let files = try PostfixFiles(sandbox, main: main("a = $b\nb = ${a}\nvirtual_maildir_suffix = $a"))
    let cycle = try migrate(files)
    #expect(
      cycle.status == 78 && cycle.errors.contains("refers to itself, and Postfix cannot use it either"), "\(cycle)")
    try files.set("main.cf", "virtual_mailbox_base /var/vmail\n")
    let mistake = try migrate(files)
    #expect(mistake.errors.contains("postfix/main.cf, line 1: expected name = value"), "\(mistake)")
    try files.set("main.cf", "myhostname = mx.example.org\n")
    #expect(try migrate(files).errors.contains("sets nothing for virtual(8), so there is nothing to migrate"))
    try Command.check(["rm", sandbox("postfix/main.cf")])
    let missing = try migrate(files)
    #expect(missing.errors.contains("No such file or directory; name the directory that has main.cf and master.cf"))
    try files.set("main.cf", main(""))
    try Command.check(["chmod", "000", sandbox("postfix")])
    let closed = try migrate(files)
    #expect(closed.status == 78 && closed.errors.contains("Permission denied; run ullage as root"), "\(closed)")
    try Command.check(["chmod", "700", sandbox("postfix")])
    #expect(sandbox.list("").filter { $0.hasPrefix("ullage.cf") } == [])
  }

  @Test("A file with settings is replaced only with --force, which keeps a copy; one with only comments is replaced")
  func existing() throws {
    let files = try PostfixFiles(sandbox, main: main(""))
    try sandbox.write("ullage.cf", "# nothing yet\n\n")
    #expect(try migrate(files).status == 0)
    let made = sandbox.text("ullage.cf")
    #expect(made?.contains("virtual_mailbox_base") == true)
    #expect(try migrate(files).status == 0, "a second run changes nothing")
    try sandbox.write("ullage.cf", "virtual_mailbox_base = /srv\n")
    let refused = try migrate(files)
    #expect(refused.status == 78 && refused.errors.contains("ullage.cf has settings already, and nothing was written"))
    #expect(sandbox.text("ullage.cf") == "virtual_mailbox_base = /srv\n")
    let dry = try migrate(files, "--dry-run")
    #expect(dry.status == 0 && dry.output.contains("    virtual_mailbox_base = /var/vmail\n"))
    #expect(sandbox.text("ullage.cf") == "virtual_mailbox_base = /srv\n")
    #expect(try migrate(files, "--force").status == 0 && sandbox.text("ullage.cf") == made)
    #expect(sandbox.text("ullage.cf.old") == "virtual_mailbox_base = /srv\n")
  }

  @Test(
    "Each change in behaviour is reported, with what to do",
    arguments: [
      (
        "virtual_mailbox_limit_maps = mysql:/etc/l.cf", 0,
        "mysql:/etc/l.cf is queried by postmap -q, one process per lookup, with Postfix's own support for mysql"
          + " (on Debian the package postfix-mysql)"
      ),
      ("virtual_mailbox_limit_maps = ldap:/etc/l.cf", 0, "the package postfix-ldap"),
      (
        "virtual_mailbox_limit_maps = proxy:hash:/etc/limits", 1, "texthash:/etc/limits reads the same text without one"
      ),
      (
        "virtual_mailbox_limit_maps = pgsql:limits", 1,
        "its settings are in main.cf, as limits_hosts and so on; write them into a file"
      ),
      ("virtual_mailbox_limit_maps = pgsql:/nowhere/l.cf", 1, "/nowhere/l.cf: No such file or directory"),
      (
        "virtual_mailbox_maps = static:example.org/you", 1,
        "a path ends without a slash (example.org/you): those are mbox files, but only Maildirs work here. Convert them"
      ),
      (
        "virtual_mailbox_maps = inline:{ a@example.org=a/, {b@example.org = b}, {c@example.org = c} }", 1,
        "2 paths end without a slash (b)"
      ),
      (
        "virtual_maildir_filter = yes", 1,
        "VDA's filter does not exist here: its rules will not be applied. Filter with Sieve"
      ),
      ("virtual_maildir_filter_maps = pgsql:/etc/f.cf", 1, "VDA's filter does not exist here"),
      (
        "virtual_maildir_limit_message = 100 % full", 0, "contains a %: VDA took it for a format, here it is plain text"
      ),
      ("virtual_maildir_extended = no", 0, "VDA wrote no maildirsize. From now on there is one"),
      (
        "virtual_mailbox_limit = 0", 0,
        "mailboxes without a limit of their own are unlimited (as Postfix's files say)"
      ),
      ("virtual_mailbox_limit_inbox = yes", 0, "is yes: no maildirsize is written"),
      (
        "virtual_uid_maps = pgsql:/etc/uids.cf", 1,
        "gives each mailbox its own user (pgsql:/etc/uids.cf), but pipe(8) has one per master.cf entry"
      ),
      (
        "virtual_uid_maps = static:4294967290", 1,
        "no user has uid 4294967290, and pipe(8) needs a name. Create one, and run this again"
      ),
      ("virtual_create_maildirsize = yes", 0, "virtual_create_maildirsize is left out: no version of VDA read it"),
      ("virtual_mailbox_limit_message = full", 0, "is written as virtual_maildir_limit_message"),
      ("virtual_overquota_bounce = perhaps", 1, "virtual_overquota_bounce must be yes or no"),
      ("virtual_destination_concurrency_limit = 1", 0, "the new one has ullage_destination_concurrency_limit"),
      ("virtual_transport = lmtp:unix:x", 0, "is lmtp:unix:x, so virtual(8) does not deliver now"),
      (
        "transport_maps = inline:{ example.org=virtual:, {example.net = ullage:} }", 0,
        "sends a domain (example.org) to virtual, which overrides virtual_transport"
      ),
      (
        "transport_maps = regexp:/etc/t", 0,
        "it can only be queried for one key at a time). Where it sends a domain to virtual"
      ),
      (
        "virtual_mailbox_limit_override = \"yes\"", 0,
        "virtual_mailbox_limit_override the quotes around the value were removed"
      ),
      (
        "virtual_minimum_uid = 4294967294", 1,
        "below virtual_minimum_uid (4294967294): no mail is delivered as such a user"
      ),
      ("virtual_mailbox_limit_maps = regexp:/nowhere/r", 1, "there is no /nowhere/r"),
    ])
  func remarks(line: String, status: Int32, sentence: String) throws {
    let name = line.prefix { $0 != " " }
    let text = main("").split(separator: "\n").filter { !$0.hasPrefix("\(name) ") }.joined(separator: "\n")
    let ending = try migrate(try PostfixFiles(sandbox, main: text + "\n" + line + "\n"))
    #expect(flat(ending).contains(sentence) && ending.status == status, "\(ending)")
    #expect(flat(ending).contains("Solve this first") == (status == 1))
  }

  @Test("What the entry of virtual(8) sets by -o outranks main.cf, and another such entry is named")
  func overrides() throws {
    let files = try PostfixFiles(
      sandbox, main: main("virtual_overquota_bounce = no\nvirtual_transport = vmailbox:"),
      master: """
        vmailbox  unix  -       n       n       -       -       virtual
          -o virtual_overquota_bounce=yes
          -o { virtual_maildir_limit_message = Full, sorry. }
        other     unix  -       n       n       -       -       virtual -o virtual_mailbox_base=/srv

        """)
    let ending = try migrate(files)
    let text = try #require(sandbox.text("ullage.cf"))
    #expect(text.contains("\nvirtual_overquota_bounce = yes\n"))
    #expect(text.contains("\nvirtual_maildir_limit_message = Full, sorry.\n"))
    let report = flat(ending)
    #expect(report.contains("virtual_overquota_bounce is taken from -o in master.cf, line 1, which overrides main.cf"))
    #expect(
      report.contains("master.cf, line 4 other is another virtual(8) with settings of its own, which were not taken"))
    #expect(
      commands(in: ending.output, after: "The way back.").first?.hasSuffix("-e virtual_transport=vmailbox:") == true)
  }

  @Test("Quotes around the trash matter only if it is not counted; those of a user-defined name are reported, too")
  func quotes() throws {
    let files = try PostfixFiles(
      sandbox,
      main: main(
        """
        mine = "full"
        virtual_maildir_limit_message = $mine
        virtual_trash_count = yes
        virtual_trash_name = ".Trash"
        """))
    let report = flat(try migrate(files))
    #expect(
      report.contains("the quotes around .Trash were removed. It counts anyway, because virtual_trash_count is yes"))
    #expect(report.contains("mine the quotes around the value were removed"))
    #expect(sandbox.text("ullage.cf")?.contains("\nmine = full\n") == true)
  }

  @Test("The printed commands switch domains in a file over and back, and change nothing else in it")
  func transportFile() throws {
    let text =
      "# virtual: no\nexample.org virtual:\nexample.net\tvirtual:[x]\nexample.com  smtp:virtual\n"
      + "  virtual:more\nb.example \t virtual:\n"
    try sandbox.write("postfix/transport", text)
    let files = try PostfixFiles(sandbox, main: main("transport_maps = texthash:\(sandbox("postfix/transport"))"))
    try Command.check(["touch", "-d", "1 hour ago", sandbox("postfix/transport")])
    let ending = try migrate(files)
    #expect(flat(ending).contains("sends 3 domains (example.org) to virtual"))
    func run(_ commands: [String]) throws {
      for command in commands where command.contains(sandbox("postfix/transport")) {
        try Command.check(["sh", "-c", command], asMailUser: true)
      }
    }
    try run(commands(in: ending.output))
    #expect(
      sandbox.text("postfix/transport")
        == "# virtual: no\nexample.org ullage:\nexample.net\tullage:[x]\nexample.com  smtp:virtual\n"
        + "  virtual:more\nb.example \t ullage:\n"
    )
    try run(commands(in: ending.output, after: "The way back."))
    #expect(sandbox.text("postfix/transport") == text)
  }

  @Test("In a second run after the switch, the way back still leads to virtual; a foreign entry is not replaced")
  func secondRun() throws {
    let entry = "ullage unix - n n - 20 pipe flags=DORXhu user=vmail argv=/usr/libexec/ullage/ullage-deliver\n"
    let files = try PostfixFiles(
      sandbox, main: main("virtual_transport = ullage:"), master: PostfixFiles.virtual + entry)
    let ending = try migrate(files)
    #expect(ending.status == 0 && flat(ending).contains("is ullage: already: mail has been switched over"))
    #expect(
      commands(in: ending.output, after: "The way back.").first?.hasSuffix("-e virtual_transport=virtual") == true)
    try files.set("master.cf", "ullage unix - n n - 20 pipe user=x argv=/usr/bin/other\nsmtp unix - - y - - smtp\n")
    let other = try migrate(files)
    #expect(
      other.status == 78 && other.errors.contains("an entry ullage already, which runs /usr/bin/other"), "\(other)")
    #expect(try migrate(files, "--transport=smtp").errors.contains("an entry smtp already, which runs smtp"))
    #expect(try migrate(files, "--transport=mine").status == 0)
    // For the LMTP service, too.
    #expect(
      try migrate(files, "--lmtp", "--transport=ullage").errors.contains("ullage already, which runs /usr/bin/other"))
    #expect(try migrate(files, "--lmtp", "--dry-run").output.contains("-M ullage_lmtp/unix='ullage_lmtp unix - - n"))
    for (options, text) in [
      (["--lmtp", "--transport=mine"], "must begin with ullage: check knows the entry by that"),
      (["--lmtp", "--transport=ullage-lmtp"], "must be letters, digits and _"),
    ] {
      let refused = try Command.run(
        [Programs.path("ullage"), "migrate", "--from=\(files.path)", "--dry-run"] + options, asMailUser: true)
      #expect(refused.status == 64 && refused.errors.contains(text), "\(refused)")
    }
  }

  @Test("Names that a shell would split are quoted; a slash after the directory makes no difference")
  func quoting() throws {
    let strange = try Sandbox()
    let files = try PostfixFiles(strange, main: main(""))
    try Command.check(["mv", files.path, strange("it's $(odd)")])
    let ending = try Command.run(
      [Programs.path("ullage"), "migrate", "--from=\(strange("it's $(odd)"))/", "--to=\(target)"], asMailUser: true)
    let step = try #require(commands(in: ending.output).first { $0.hasPrefix("postfix ") })
    let words = try Command.check(["sh", "-c", "printf '%s\\n' \(step)"])
    #expect(words == "postfix\n-c\n\(strange("it's $(odd)"))\nreload\n")
  }

  @Test("Control characters in files do not reach the terminal")
  func controlCharacters() throws {
    let files = try PostfixFiles(
      sandbox,
      main: main("virtual_maildir_limit_message = a\u{1B}[2Jb\ntransport_maps = inline:{ {x\u{07} = virtual:} }"))
    let ending = try migrate(files, "--dry-run")
    #expect(!ending.output.contains("\u{1B}") && !ending.output.contains("\u{07}"))
    #expect(ending.output.contains("a\\x1B[2Jb") && ending.output.contains("(x\\x07)"))
  }

  @Test("With a user other than vmail or a base elsewhere, a printed command adapts the nightly audit")
  func audit() throws {
    let ending = try migrate(try PostfixFiles(sandbox, main: main("virtual_mailbox_base = /srv/mail")))
    let steps = commands(in: ending.output)
    #expect(
      steps.contains { $0.hasPrefix("printf ") && $0.contains("ReadWritePaths=/srv/mail") && $0.contains("User=") })
  }

  @Test("If main.cf has no virtual_transport, the way back removes it again")
  func wayBack() throws {
    let ending = try migrate(try PostfixFiles(sandbox, main: main("")))
    #expect(
      commands(in: ending.output, after: "The way back.") == [
        "postconf -c \(sandbox("postfix")) -X virtual_transport", "postfix -c \(sandbox("postfix")) reload",
      ])
    let steps = commands(in: ending.output)
    #expect(
      steps.contains { $0.hasPrefix("postconf -c \(sandbox("postfix")) -M ullage/unix='ullage unix - n n - 20 pipe") })
    // Without PostgreSQL there is no list of all mailboxes.
    #expect(!steps.contains { $0.contains("recompute") })
    #expect(steps.contains("ullage check --config=\(target) --postfix=\(sandbox("postfix"))"))
  }
}
