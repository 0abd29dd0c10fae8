// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// `ullage audit` and `ullage status` over the mailboxes of a real database.
struct AuditTests {
  /// A host whose mailboxes are rows of a table of its own in the shared cluster.
  private final class Site {
    let host: MailHost
    let cluster: PostgresCluster
    private let table = "list_\(UUID().uuidString.prefix(8).lowercased())"

    init(_ settings: String = "", cluster: PostgresCluster? = nil) throws {
      host = try MailHost()
      self.cluster = try cluster ?? Shared.cluster()
      try self.cluster.sql("CREATE TABLE \(table) (address text, path text, bytes numeric, messages int)")
      try self.cluster.sql("GRANT SELECT ON \(table) TO PUBLIC")
      try host.sandbox.write("list.cf", self.cluster.tableFile("SELECT path FROM \(table) WHERE address = '%s'"))
      try configure(settings)
    }

    func configure(_ settings: String) throws {
      try host.configure(
        """
        virtual_mailbox_limit_maps = pgsql:\(host.sandbox("limits.cf"))
        mailbox_list_query = SELECT * FROM \(table)
        \(settings)
        """, maps: "pgsql:\(host.sandbox("list.cf"))")
      try host.sandbox.write("limits.cf", cluster.tableFile("SELECT bytes FROM \(table) WHERE address = '%s'"))
    }

    /// Lists a mailbox; NULL is nil.
    func list(_ address: String?, _ path: String?, bytes: String? = "1000000", messages: Int = 0) throws {
      func value(_ text: String?) -> String { text.map { "'\($0)'" } ?? "NULL" }
      try cluster.sql("INSERT INTO \(table) VALUES (\(value(address)), \(value(path)), \(value(bytes)), \(messages))")
    }

    /// Makes a Maildir with one message of 500 bytes and a ledger.
    func make(_ name: String, ledger: String? = "1000000S\n 500 1\n") throws {
      for part in ["cur", "new", "tmp"] { try host.sandbox.makeDirectory("base/\(name)/\(part)") }
      try host.sandbox.write("base/\(name)/cur/a,S=500:2,S", MailHost.message(500))
      if let ledger { try host.sandbox.write("base/\(name)/maildirsize", ledger) }
    }

    /// Both.
    func add(_ name: String, ledger: String? = "1000000S\n 500 1\n", bytes: String? = "1000000") throws {
      try list("\(name)@example.org", "example.org/\(name)/", bytes: bytes)
      try make("example.org/\(name)", ledger: ledger)
    }

    func ledger(_ name: String) -> String? { host.sandbox.text("base/example.org/\(name)/maildirsize") }

    /// Runs the tool with a clock that is ahead: the ages of files are what they are.
    func ullage(_ arguments: [String], clockAhead: String) throws -> Command.Ending {
      let clock = [
        "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "FAKETIME=+\(clockAhead)", "NO_FAKE_STAT=1",
      ]
      // The library changes the environment of the first program that loads it, and Swift finds its arguments beside that.
      let shell = ["sh", "-c", "exec \"$@\"", "sh"]
      return try Command.run(MailUser.drop + ["env"] + clock + shell + host.toolArguments(arguments))
    }

    func audit(_ options: String..., asMailUser: Bool = true) throws -> Command.Ending {
      try host.ullage(["audit"] + options, asMailUser: asMailUser)
    }

    /// The findings as `kind mailbox`, sorted.
    func findings(_ options: String...) throws -> [String] {
      let ending = try host.ullage(["audit", "--format=jsonl"] + options)
      #expect([0, 1].contains(ending.status), "\(ending)")
      return try ending.records.map { "\($0["kind"] ?? "") \($0["mailbox"] ?? "")" }.sorted()
    }
  }

  @Test("Nothing found: exit 0, a word, and none with --quiet")
  func clean() throws {
    let site = try Site()
    try site.add("a")
    try site.add("b")
    let ending = try site.audit("--level=2", "--share=1")
    #expect(ending.status == 0 && ending.errors == "", "\(ending)")
    #expect(
      ending.output.hasPrefix("Audit of 2 mailboxes, 2 counted, in 0.") && ending.output.hasSuffix("Nothing found.\n"))
    let quiet = try site.audit("--quiet")
    #expect(quiet.status == 0 && quiet.output == "" && quiet.errors == "")
    #expect(try site.audit("--level=0", "--format=json").output == "[]\n")
  }

  @Test("Every kind of finding, each with evidence, cause, remedy and severity; one broken mailbox stops none")
  func kinds() throws {
    let site = try Site()
    // Of the ledger.
    try site.add("drift", ledger: "1000000S\n 700 2\n")
    try site.add("header", ledger: "2000S\n500 1\n")
    try site.add("changed", ledger: "2000S\n 500 1\n")
    try site.add("missing", ledger: nil)
    try site.add("unlimited", ledger: "0S\n500 1\n")
    try site.add("torn", ledger: "1000000S\n500 1")
    try site.add("fifo", ledger: nil)
    try Command.check(["mkfifo", site.host.sandbox("base/example.org/fifo/maildirsize")], asMailUser: true)
    try site.add("over", ledger: "400S\n 500 1\n", bytes: "400")
    // Of the files.
    try site.add("mark")
    try site.host.sandbox.write("base/example.org/mark/maildirfolder", "")
    try site.add("mode")
    try Command.check(["chmod", "666", site.host.sandbox("base/example.org/mode/maildirsize")])
    try site.add("size")
    try site.host.sandbox.write("base/example.org/size/cur/b,S=7:2,S", "12345678")
    try site.host.sandbox.write("base/example.org/size/maildirsize", "1000000S\n 507 2\n")
    try site.add("nocur")
    try Command.check(["rm", "-r", site.host.sandbox("base/example.org/nocur/cur")])
    // Of the list.
    try site.list("absent@example.org", "example.org/absent/")
    try site.add("twice")
    try site.list("twice@example.org", "example.org/other/")
    try site.make("example.org/other")
    try site.list("shared@example.org", "example.org/twice/")
    try site.list(nil, "example.org/noaddress/")
    try site.list("nopath@example.org", nil)
    try site.add("nolimit", ledger: "51200000S\n 500 1\n", bytes: nil)
    try site.add("negative", ledger: "51200000S\n 500 1\n", bytes: "-1")
    try site.add("fraction", ledger: "51200000S\n 500 1\n", bytes: "1.5")
    try site.list("dots@example.org", "../dots/")
    try site.list("mbox@example.org", "example.org/mbox")
    try site.configure("virtual_mailbox_limit = 51200000")
    // Of the base.
    try site.make("example.org/orphan")
    try site.make("gone.example/orphan")
    let found = try site.findings("--level=2", "--share=1")
    let expected = [
      "bad-limit fraction@example.org", "broken-ledger fifo@example.org", "broken-ledger torn@example.org",
      "broken-maildir nocur@example.org",
      "drift drift@example.org", "duplicate-address twice@example.org", "duplicate-path twice@example.org",
      "header-limit changed@example.org", "header-limit header@example.org", "limit-not-enforced missing@example.org",
      "limit-not-enforced unlimited@example.org", "mailbox-without-maildir absent@example.org",
      "mailbox-without-maildir example.org/noaddress/", "maildir-without-mailbox example.org/orphan/",
      "maildir-without-mailbox gone.example/orphan/", "negative-limit negative@example.org",
      "null-in-list example.org/noaddress/", "null-in-list nolimit@example.org", "null-in-list nopath@example.org",
      "over-quota over@example.org", "path-outside-base dots@example.org", "path-outside-base mbox@example.org",
      "path-outside-base nopath@example.org", "size-in-name size@example.org", "stray-maildirfolder mark@example.org",
      "wrong-owner-or-mode mode@example.org",
    ]
    // Of "twice" and "shared", the one that comes second is named.
    #expect(
      found.map { $0 == "duplicate-path shared@example.org" ? "duplicate-path twice@example.org" : $0 } == expected)

    let ending = try site.audit("--level=2", "--share=1")
    #expect(ending.status == 1 && ending.errors == "")
    for text in [
      "maildirsize says 700 bytes in 2 messages, there are 500 bytes in 1 message (+200, +1)",
      "maildirsize has 2,000 bytes, the database 1,000,000 bytes (the IMAP server has another limit",
      "(the limit was changed, and no mail has come since)", "it holds 500 bytes in 1 message and may hold 400 bytes",
      "a name tells another size than the file has (b,S=7:2,S: 8 bytes)", "listed 2 times", "its limit is -1 bytes",
      "everybody may write to maildirsize, mode 666", "to do:  ullage recompute ADDRESS", "there is no cur",
    ] { #expect(ending.output.contains(text), "\(text): \(ending.output)") }
    // Errors stand before warnings, and those before notices.
    let order = ["broken-ledger: 2", "drift: 1", "mailbox-without-maildir: 2"]
    let places = order.compactMap { ending.output.range(of: $0)?.lowerBound }
    #expect(places.count == 3 && places == places.sorted())
  }

  @Test("--repair mends what recompute would, and says so; without it nothing is written; --ignore leaves kinds out")
  func repair() throws {
    let site = try Site()
    try site.add("low", ledger: "1000000S\n 100 1\n")
    try site.add("torn", ledger: "1000000S\n500 1")
    try site.add("high", ledger: "1000000S\n 900 2\n")
    try site.add("header", ledger: "2000S\n500 1\n")
    let before = ["low", "torn", "high", "header"].map { site.ledger($0) }
    #expect(try site.findings("--share=1").count == 4)
    #expect(["low", "torn", "high", "header"].map { site.ledger($0) } == before)
    let ending = try site.audit("--share=1", "--repair")
    #expect(ending.status == 1 && ending.output.contains("; 2 mended"), "\(ending)")
    #expect(site.ledger("low") == "1000000S\n 100 1\n400 0\n" && site.ledger("torn") == "1000000S\n 500 1\n")
    #expect(site.ledger("high") == "1000000S\n 900 2\n" && site.ledger("header") == "2000S\n500 1\n")
    // Another program's young file is left as it is, so that the two do not correct each other for ever.
    #expect(try site.findings("--share=1") == ["drift high@example.org", "header-limit header@example.org"])
    #expect(try site.audit("--share=1", "--ignore=drift", "--ignore=header-limit").status == 0)
  }

  @Test("Level 0 counts nothing; level 1 counts each mailbox once in so many nights, and what looks odd each night")
  func levels() throws {
    let site = try Site()
    for number in 0..<40 { try site.add("u\(number)", ledger: "1000000S\n 600 1\n") }
    try site.add("odd", ledger: "1000000S\n500 1")
    #expect(try site.findings("--level=0") == ["broken-ledger odd@example.org"])
    var seen: [String] = []
    for night in 100..<107 {
      let found = try site.findings("--level=1", "--night=\(night)")
      #expect(found.contains("broken-ledger odd@example.org") && found.count < 20)
      seen += found.filter { $0.hasPrefix("drift") }
    }
    #expect(seen.sorted() == (0..<40).map { "drift u\($0)@example.org" }.sorted())
  }

  @Test("Stale files in tmp/ are found with a count, and removed with --clean-tmp; younger ones stay")
  func staleFiles() throws {
    let site = try Site()
    try site.add("a")
    try site.host.sandbox.write("base/example.org/a/tmp/old", "12345")
    func audit(_ options: String..., hours: Int) throws -> Command.Ending {
      try site.ullage(["audit"] + options, clockAhead: "\(hours)h")
    }
    #expect(try audit("--share=1", hours: 35).status == 0)
    let found = try audit("--share=1", hours: 37)
    #expect(found.status == 1 && found.output.contains("a file in tmp/, older than 36 hours"), "\(found)")
    #expect(try audit("--clean-tmp", "--level=0", hours: 35).status == 0)
    #expect(site.host.sandbox.list("base/example.org/a/tmp") == ["old"])
    let cleaned = try audit("--clean-tmp", "--level=0", hours: 37)
    #expect(cleaned.status == 1 && cleaned.output.contains("[mended]"), "\(cleaned)")
    #expect(site.host.sandbox.list("base/example.org/a/tmp") == [])
  }

  @Test("A mailbox at rest for a minute is lowered; one in whose tmp/ another program writes is not")
  func atRest() throws {
    let site = try Site()
    for name in ["rest", "busy"] {
      try site.add(name, ledger: "1000000S\n 900 2\n")
      for part in ["cur", "new", "tmp"] { try site.host.sandbox.makeDirectory("base/example.org/\(name)/.A/\(part)") }
    }
    try site.host.sandbox.write("base/example.org/busy/.A/tmp/draft", "")
    func recompute(after seconds: Int) throws -> [String?] {
      let command = ["recompute", "--format=jsonl", "rest@example.org", "busy@example.org"]
      return try site.ullage(command, clockAhead: "\(seconds)s").records.map { $0["result"] }
    }
    #expect(try recompute(after: 50) == ["busy", "busy"])
    #expect(try recompute(after: 70) == ["corrected", "busy"])
    #expect(site.ledger("rest") == "1000000S\n 900 2\n-400 -1\n" && site.ledger("busy") == "1000000S\n 900 2\n")
  }

  @Test("--nagios: one line with figures, and the plugin's exit statuses")
  func nagios() throws {
    let site = try Site()
    try site.add("a")
    let clean = try site.audit("--nagios")
    #expect(clean.status == 0)
    #expect(
      clean.output.hasPrefix("ULLAGE OK - 1 mailbox audited, nothing found | mailboxes=1 counted=")
        && clean.output.contains("errors=0 warnings=0 notices=0 mended=0 not_audited=0 time=0."), "\(clean.output)")
    try site.add("b", ledger: "1000000S\n 900 2\n")
    let warning = try site.audit("--nagios", "--share=1")
    #expect(warning.status == 1 && warning.output.hasPrefix("ULLAGE WARNING - 2 mailboxes audited, 1 drift |"))
    try site.add("c", ledger: "")
    #expect(try site.audit("--nagios", "--share=1").status == 2)
    try site.configure("mailbox_list_query = SELECT nonsense")
    let unknown = try site.audit("--nagios")
    #expect(unknown.status == 3 && unknown.output.hasPrefix("ULLAGE UNKNOWN - "), "\(unknown)")
    for ending in [clean, warning, unknown] { #expect(ending.output.filter { $0 == "\n" }.count == 1) }
  }

  @Test("Permission denied on one of 10,000: it is named, the rest is done, exit 2")
  func notAudited() throws {
    let site = try Site(
      """
      mailbox_list_query = SELECT 'u' || i || '@example.org', 'example.org/u' || i || '/', 1000000 \
      FROM generate_series(0, 9999) AS i
      """)
    let script = """
      import os, sys
      for number in range(10000):
        maildir = f'{sys.argv[1]}/example.org/u{number}'
        for part in ('cur', 'new', 'tmp'): os.makedirs(f'{maildir}/{part}', 0o700)
        open(f'{maildir}/maildirsize', 'w').write('1000000S\\n 0 0\\n')
      """
    try Command.check(["python3", "-c", script, site.host.sandbox("base")], asMailUser: true)
    try Command.check(["chmod", "0", site.host.sandbox("base/example.org/u7")])
    let ending = try site.audit("--share=1")
    #expect(ending.status == 2, "\(ending)")
    #expect(
      ending.output.hasPrefix("Audit of 10,000 mailboxes, 9,999 counted") && ending.output.contains("not audited: 1\n"))
    #expect(ending.output.contains("  u7@example.org: ") && ending.output.contains("Permission denied"))
  }

  @Test("--max-rate holds the rate", arguments: [40])
  func rate(rate: Int) throws {
    let site = try Site()
    for number in 0..<60 { try site.add("u\(number)") }
    let start = ContinuousClock.now
    #expect(try site.audit("--level=0", "--max-rate=\(rate)").status == 0)
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    // The last batch, two mailboxes, may be handed out when its time begins.
    #expect(seconds >= Double(60 - 2) / Double(rate), "\(seconds) s")
  }

  @Test("On a terminal: a bar with rate and time left, and colours unless NO_COLOR is set; elsewhere neither")
  func terminal() throws {
    let site = try Site()
    for number in 0..<60 { try site.add("u\(number)", ledger: "") }
    func audit(_ variables: String) throws -> String {
      let command = site.host.toolArguments(["audit", "--level=0", "--max-rate=40"]).joined(separator: " ")
      // script(1) runs it on a terminal of its own.
      return try Command.check(
        MailUser.drop + ["env", "TERM=xterm", "script", "-qec", "\(variables) \(command) || true", "/dev/null"])
    }
    let colourful = try audit("")
    #expect(colourful.contains(" of 60 mailboxes  ") && colourful.contains("/s  0:0") && colourful.contains(" left"))
    #expect(colourful.contains("▕█") && colourful.contains("\u{1B}[31mbroken-ledger: 60\u{1B}[0m"), "\(colourful)")
    let plain = try audit("NO_COLOR=1")
    #expect(
      plain.contains(" of 60 mailboxes  ") && !plain.contains("\u{1B}[31m") && plain.contains("broken-ledger: 60"))
    #expect(try !audit("TERM=dumb").contains("\u{1B}"))
    let piped = try site.audit("--level=0", "--max-rate=40")
    #expect(!(piped.output + piped.errors).contains("\u{1B}") && piped.errors == "")
  }

  @Test("What was seen and mended before an error stays in the report")
  func partly() throws {
    let site = try Site()
    try site.add("a", ledger: "1000000S\n 100 1\n")
    try Command.check(["chmod", "0", site.host.sandbox("base/example.org/a/tmp")])
    try site.host.sandbox.write("base/example.org/a/maildirfolder", "")
    let ending = try site.audit("--share=1", "--repair")
    #expect(site.ledger("a") == "1000000S\n 100 1\n400 0\n")
    for text in ["drift: 1", "[mended]", "stray-maildirfolder: 1", "tmp has mode 0"] {
      #expect(ending.output.contains(text), "\(text): \(ending)")
    }
  }

  @Test(
    "No false alarm: lost+found, a mailbox made meanwhile, a domain that root's symlink gives another name",
    .enabled(if: geteuid() == 0, "takes root: run scripts/test"))
  func falseAlarms() throws {
    let site = try Site()
    try site.list("a@new.example", "new.example/a/")
    try site.make("example.org/a")
    try site.host.sandbox.makeDirectory("base/lost+found")
    try Command.check(["chmod", "0", site.host.sandbox("base/lost+found")])
    try Command.check(["ln", "-s", "example.org", site.host.sandbox("base/new.example")])
    #expect(try site.audit("--share=1").output.hasSuffix("Nothing found.\n"))
    // The list is asked for when the walk has begun; the Maildir is made later.
    for number in 0..<20 { try site.list("u\(number)@example.org", "example.org/u\(number)/") }
    let run = try Command(
      site.host.toolArguments([
        "audit", "--level=0", "--max-rate=20", "--ignore=mailbox-without-maildir", "--format=jsonl",
      ]),
      input: .bytes([]), asMailUser: true)
    try waitUntil("the first worker") {
      let children = try? String(contentsOfFile: "/proc/\(run.process)/task/\(run.process)/children", encoding: .utf8)
      return children?.isEmpty == false ? () : nil
    }
    try site.make("example.org/young")
    #expect(run.wait().output == "")
    try Command.check(["rm", site.host.sandbox("base/new.example")])
    #expect(
      try site.findings("--level=0", "--ignore=mailbox-without-maildir")
        == ["a", "young"].map { "maildir-without-mailbox example.org/\($0)/" })
  }

  @Test("A break among the rows without a path makes no Maildir an orphan; the base / is not searched at its top")
  func resumeAtTheEnd() throws {
    let site = try Site()
    try site.add("a")
    for number in 0..<30 { try site.list("n\(number)@example.org", nil) }
    let state = site.host.sandbox("audit.state")
    let options = ["audit", "--level=0", "--format=jsonl", "--state=\(state)"]
    let run = try Command(site.host.toolArguments(options + ["--max-rate=2"]), input: .bytes([]), asMailUser: true)
    try waitUntil("a row without a path") {
      // Written at the interruption, and before that after five seconds.
      (try? String(contentsOfFile: state, encoding: .utf8))?.contains("null-in-list") == true ? () : nil
    }
    run.kill(SIGTERM)
    let first = run.wait()
    let rest = try site.host.ullage(options)
    let kinds = try (first.records + rest.records).map { $0["kind"] ?? "" }
    #expect(first.status == 143 && rest.status == 1 && !kinds.contains("maildir-without-mailbox"), "\(first) \(rest)")
  }

  @Test("A list limit that no table gives to deliveries does not hold, and is found")
  func unusedLimit() throws {
    let site = try Site()
    try site.add("a", ledger: nil)
    let text = try #require(site.host.sandbox.text("ullage.cf")).split(separator: "\n")
      .filter { !$0.hasPrefix("virtual_mailbox_limit") }.joined(separator: "\n")
    try site.host.sandbox.write("ullage.cf", text + "\nvirtual_mailbox_limit = 5000000\n")
    #expect(try site.host.ullage("recompute", "--all").status == 0)
    #expect(site.ledger("a") == "5000000S\n 500 1\n")
    #expect(try site.findings("--level=0") == ["limit-not-enforced a@example.org"])
  }

  @Test(
    "A domain of which nothing is listed is most likely a mistake; one address that is wrong leaves the others alone")
  func mistakes() throws {
    let site = try Site()
    try site.add("a")
    try site.list("dots@example.org", "../dots/")
    for command in ["audit", "status", "recompute"] {
      let ending = try site.host.ullage(command, "--domain=exmaple.org")
      #expect(ending.status == 67 && ending.errors.contains("lists no mailbox of it"), "\(command) \(ending)")
    }
    let ending = try site.host.ullage("recompute", "dots@example.org", "a@example.org")
    #expect(
      ending.status == 2 && ending.output.contains("must not hold ..") && ending.output.contains("exact"), "\(ending)")
  }

  @Test("More mailboxes than the table has room for could not be audited: each is named")
  func manyNotAudited() throws {
    let site = try Site(
      """
      mailbox_list_query = SELECT 'u' || i || '@example.org', 'example.org/u' || i || '/', 1000000 \
      FROM generate_series(1000, 1149) AS i
      """)
    for number in 1000..<1150 { try site.make("example.org/u\(number)") }
    try Command.check(["sh", "-c", "chmod 0 \(site.host.sandbox("base/example.org"))/*"])
    for format in ["table", "jsonl"] {
      let ending = try site.audit("--level=0", "--format=\(format)")
      let named = (ending.output + ending.errors).matches(of: #/u1\d\d\d@example.org: /#).count
      #expect(ending.status == 2 && named == 150, "\(format): \(named)")
    }
  }

  @Test("The memory that an audit takes does not grow with the mailboxes, nor with what it finds")
  func memory() throws {
    let site = try Site()
    try site.make("example.org/x")
    func peak(_ count: Int) throws -> Int {
      try site.configure(
        """
        mailbox_list_query = SELECT 'u' || i || '@example.org', 'example.org/u' || i || '/', 1000000 \
        FROM generate_series(1000001, 1000000 + \(count)) AS i
        """)
      let script = """
        import resource, subprocess, sys
        status = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
        print(status, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
        """
      let command = site.host.toolArguments(["audit", "--level=0"])
      let words = try Command.check(["python3", "-c", script] + command, asMailUser: true).split {
        $0 == " " || $0 == "\n"
      }
      #expect(words.first == "1", "findings: \(words)")
      return try #require(Int(words[1]))
    }
    let small = try peak(2000)
    let large = try peak(100_000)
    #expect(Double(large) <= 1.2 * Double(small), "\(small) KiB, \(large) KiB")
  }

  @Test("--state never takes the place of a file that is something else; --nagios keeps to its statuses")
  func mistakenFiles() throws {
    let site = try Site()
    try site.add("a")
    try site.host.sandbox.write("precious", "precious")
    let ending = try site.audit("--state=\(site.host.sandbox("precious"))")
    #expect(ending.status == 78 && ending.errors.contains("not the state of an audit"), "\(ending)")
    #expect(site.host.sandbox.text("precious") == "precious")
    let nowhere = try site.audit("--state=/nonexistent/state")
    #expect(
      nowhere.status == 78 && nowhere.errors.contains("--state /nonexistent/state cannot be written"), "\(nowhere)")
    let command = site.host.toolArguments(["audit", "--nagios"]).joined(separator: " ")
    let full = try Command.run(["sh", "-c", "\(command) >/dev/full"], asMailUser: true)
    #expect(full.status == 3 && !full.errors.contains("SystemError"), "\(full)")
    // A directory that only a person can remove.
    try site.add("dir", ledger: nil)
    try site.host.sandbox.makeDirectory("base/example.org/dir/maildirsize")
    for options in [[], ["--repair"], ["--share=1"]] {
      let audit = try site.host.ullage(["audit", "--format=jsonl"] + options)
      #expect(try audit.records.map { $0["kind"] } == ["broken-maildir"], "\(audit)")
    }
  }

  @Test("A run that was interrupted is gone on with, and both together find everything once")
  func resume() throws {
    let site = try Site()
    for number in 100..<400 { try site.add("u\(number)", ledger: number % 10 == 0 ? "" : "1000000S\n 500 1\n") }
    try site.make("example.org/u2555")
    let state = site.host.sandbox("audit.state")
    let options = ["audit", "--level=0", "--state=\(state)"]
    let first = try Command(site.host.toolArguments(options + ["--max-rate=100"]), input: .bytes([]), asMailUser: true)
    try waitUntil("the first worker") {
      let children = try? String(
        contentsOfFile: "/proc/\(first.process)/task/\(first.process)/children", encoding: .utf8)
      return children?.isEmpty == false ? () : nil
    }
    first.kill(SIGINT)
    let interrupted = first.wait()
    #expect(interrupted.status == 130 && interrupted.errors.contains("interrupted after"), "\(interrupted)")
    #expect(FileManager.default.fileExists(atPath: state))
    let second = try site.host.ullage(options)
    #expect(second.status == 1 && second.errors.contains("going on with the one that was broken off"), "\(second)")
    #expect(second.output.hasPrefix("Audit of 300 mailboxes") && second.output.contains("broken-ledger: 30\n"))
    #expect(second.output.contains("maildir-without-mailbox: 1\n"))
    #expect(!FileManager.default.fileExists(atPath: state) && !FileManager.default.fileExists(atPath: state + ".new"))
  }

  @Test("The database goes away in mid-run: asked again; if it stays away, a clear end and a run to go on with")
  func databaseLost() throws {
    let cluster = try PostgresCluster()
    try cluster.makePostfixAdmin(quota: 0)
    let site = try Site(cluster: cluster)
    try cluster.sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO postfix")
    // More than two pieces of the list.
    try site.configure(
      """
      mailbox_list_query = SELECT 'u' || i || '@example.org', 'example.org/u' || i || '/', 1000000 \
      FROM generate_series(10000, 19999) AS i
      """)
    try site.make("example.org/x")
    let state = site.host.sandbox("audit.state")
    let options = ["audit", "--level=0", "--ignore=mailbox-without-maildir", "--state=\(state)", "--max-rate=3000"]
    for comesBack in [true, false] {
      let run = try Command(site.host.toolArguments(options), input: .bytes([]), asMailUser: true)
      try waitUntil("the cursor") {
        try cluster.sql(
          "SELECT 1 FROM pg_stat_activity WHERE application_name = 'ullage' AND state = 'idle in transaction'"
        )
        .contains("1") ? () : nil
      }
      try cluster.stop()
      if comesBack { try cluster.start() }
      let ending = run.wait()
      if comesBack {
        #expect(ending.status == 1 && ending.output.hasPrefix("Audit of 10,000 mailboxes"), "\(ending)")
      } else {
        #expect(ending.status == 75 && ending.output.contains("Not complete: it was broken off."), "\(ending)")
        #expect(ending.errors.contains("pgsql:") && FileManager.default.fileExists(atPath: state), "\(ending)")
        try cluster.start()
        let rest = try site.host.ullage(options)
        #expect(rest.status == 1 && rest.output.hasPrefix("Audit of 10,000 mailboxes"), "\(rest)")
        #expect(rest.output.contains("maildir-without-mailbox: 1\n"))
      }
    }
  }

  @Test("An empty base, as an unmounted volume is, is no thousand lost mailboxes")
  func emptyBase() throws {
    let site = try Site()
    try site.list("a@example.org", "example.org/a/")
    try Command.check(["sh", "-c", "rm -r \(site.host.sandbox("base"))/*"])
    let ending = try site.audit()
    #expect(ending.status == 75 && ending.errors.contains("is its volume mounted?") && ending.output == "", "\(ending)")
  }

  @Test(
    "As root, each Maildir is looked at as its owner, and repaired as its owner",
    .enabled(if: geteuid() == 0, "takes root: run scripts/test"))
  func root() throws {
    let site = try Site()
    for (name, owner) in [("a", "1234:1234"), ("b", "65534:65534"), ("c", "0:0")] {
      try site.add(name, ledger: "1000000S\n 100 1\n")
      try Command.check(["chown", "-R", owner, site.host.sandbox("base/example.org/\(name)")])
    }
    try Command.check(["chmod", "755", site.host.sandbox("base"), site.host.sandbox("base/example.org")])
    let ending = try site.audit("--share=1", "--repair", asMailUser: false)
    #expect(ending.status == 1 && ending.output.contains("the Maildir belongs to root"), "\(ending)")
    #expect(site.ledger("a") == "1000000S\n 100 1\n400 0\n" && site.ledger("b") == "1000000S\n 100 1\n400 0\n")
    #expect(site.ledger("c") == "1000000S\n 100 1\n")
  }

  @Test("Paths that the list writes in a strange way are one Maildir each, and none is taken for an orphan")
  func strangePaths() throws {
    let site = try Site("virtual_maildir_suffix = Maildir/")
    for (address, path) in [
      ("a", "/example.org/a/"), ("b", "example.org//b/"), ("c", "./example.org/c/"), ("d", "example.org/./d/"),
      ("e", "example.org/e/"), ("f", "example.org/e/f/"), ("g", "example.org-x/g/"), ("h", "example.org.y/h/"),
    ] {
      try site.list("\(address)@example.org", path)
      try site.make("\(path)/Maildir")
    }
    try site.make("example.org/orphan/Maildir")
    #expect(try site.findings("--share=1") == ["maildir-without-mailbox example.org/orphan/Maildir/"])
  }

  @Test("status: sorted, filtered, in every format, with the age of the ledger and the source of the limit")
  func status() throws {
    let site = try Site("virtual_mailbox_limit = 2000")
    try site.add("half", ledger: "1000S\n 500 1\n", bytes: "1000")
    try site.add("over", ledger: "1000S\n 1001 3\n", bytes: "1000")
    try site.add("none", ledger: "0S\n 70000 9\n", bytes: "0")
    try site.add("fallback", ledger: "2000S\n 1900 5\n", bytes: nil)
    try site.add("broken", ledger: "")
    try site.list("absent@example.org", "example.org/absent/")
    func order(_ options: String...) throws -> [String] {
      let ending = try site.host.ullage(["status", "--format=jsonl"] + options)
      #expect(ending.status == 0 && ending.errors == "", "\(ending)")
      return try ending.records.map { String(($0["address"] ?? "").prefix { $0 != "@" }) }
    }
    #expect(try order("--all") == ["over", "fallback", "half", "none", "absent", "broken"])
    #expect(try order("--all", "--sort=address") == ["absent", "broken", "fallback", "half", "none", "over"])
    #expect(try order("--all", "--sort=used") == ["none", "fallback", "over", "half", "absent", "broken"])
    #expect(try order("--top=2") == ["over", "fallback"])
    #expect(try order("--over=95") == ["over"] && order("--over=100") == ["over"])
    #expect(try order("--domain=EXAMPLE.org", "--over=49") == ["over", "fallback", "half"])
    #expect(try order("half@example.org", "over@example.org") == ["over", "half"])
    let record = try #require(
      try site.host.ullage("status", "fallback@example.org", "--format=jsonl").records.first)
    #expect(record["used_bytes"] == "1900" && record["limit_bytes"] == "2000" && record["percent"] == "95")
    #expect(record["limit_source"] == "fallback" && record["messages"] == "5" && record["problem"] == nil)
    #expect(Int(record["ledger_age_seconds"] ?? "") ?? -1 >= 0)
    let csv = try site.host.ullage("status", "half@example.org", "--format=csv").output.split(separator: "\n")
    #expect(csv.count == 2 && csv[0].hasPrefix("address,path,used_bytes,limit_bytes,percent,"))
    #expect(csv[1].hasPrefix("half@example.org,example.org/half/,500,1000,50,1,0,table,1000,"))
    let table = try site.host.ullage("status", "--all").output.split(separator: "\n").map(String.init)
    #expect(
      table[0].hasPrefix("MAILBOX                  USED    LIMIT                  %  MESSAGES  LIMIT FROM"),
      "\(table[0])")
    #expect(
      table[1].hasPrefix("over@example.org       1001 B   1000 B  ▕██████████▏  100         3  table"), "\(table[1])")
    #expect(table.last?.hasSuffix("maildirsize is empty") == true, "\(table)")
    #expect(try site.host.ullage("status", "nobody@example.org").status == 67)
  }
}
