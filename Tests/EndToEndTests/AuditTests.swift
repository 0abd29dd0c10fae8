// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

/// What `ullage audit` finds and repairs in the mailboxes of a real database.
struct AuditTests {
  @Test("With nothing found: exit 0 and a summary, or no output with --quiet")
  func clean() throws {
    let site = try AuditSite()
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

  @Test("Every kind is found, with evidence, cause, remedy and severity; a broken mailbox stops no other")
  func kinds() throws {
    let site = try AuditSite()
    // Findings in ledgers.
    try site.add("drift", ledger: "1000000S\n 700 2\n")
    try site.add("header", ledger: "2000S\n500 1\n")
    try site.add("changed", ledger: "2000S\n 500 1\n")
    try site.add("missing", ledger: nil)
    try site.add("unlimited", ledger: "0S\n500 1\n")
    try site.add("torn", ledger: "1000000S\n500 1")
    try site.add("fifo", ledger: nil)
    try Command.check(["mkfifo", site.host.sandbox("base/example.org/fifo/maildirsize")], asMailUser: true)
    try site.add("over", ledger: "400S\n 500 1\n", bytes: "400")
    // Findings in files.
    try site.add("mark")
    try site.host.sandbox.write("base/example.org/mark/maildirfolder", "")
    try site.add("mode")
    try Command.check(["chmod", "666", site.host.sandbox("base/example.org/mode/maildirsize")])
    try site.add("size")
    try site.host.sandbox.write("base/example.org/size/cur/b,S=7:2,S", "12345678")
    try site.host.sandbox.write("base/example.org/size/maildirsize", "1000000S\n 507 2\n")
    try site.add("nocur")
    try Command.check(["rm", "-r", site.host.sandbox("base/example.org/nocur/cur")])
    // Findings in the list.
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
    // Findings in the base.
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
    // Of "twice" and "shared", the one listed second is reported.
    #expect(
      found.map { $0 == "duplicate-path shared@example.org" ? "duplicate-path twice@example.org" : $0 } == expected)

    let ending = try site.audit("--level=2", "--share=1")
    #expect(ending.status == 1 && ending.errors == "")
    for text in [
      "maildirsize says 700 bytes in 2 messages, but there are 500 bytes in 1 message (+200, +1)",
      "maildirsize has 2,000 bytes, the database 1,000,000 bytes (VDA wrote it earlier, or the IMAP server has"
        + " another limit",
      "(the limit changed, and no mail has arrived since)",
      "it holds 500 bytes in 1 message, and its limit is 400 bytes",
      "a name states a size other than the file's (b,S=7:2,S: 8 bytes)", "listed 2 times", "its limit is -1 bytes",
      "anyone can write to maildirsize, mode 666",
      "to do:  ullage recompute --config=\(site.host.sandbox("ullage.cf")) ADDRESS",
      "there is no cur",
    ] { #expect(ending.output.contains(text), "\(text): \(ending.output)") }
    // Errors come before warnings, and warnings before notices.
    let order = ["broken-ledger: 2", "drift: 1", "mailbox-without-maildir: 2"]
    let places = order.compactMap { ending.output.range(of: $0)?.lowerBound }
    #expect(places.count == 3 && places == places.sorted())
  }

  @Test("--repair fixes what recompute would, and reports it; without it nothing is written; --ignore omits kinds")
  func repair() throws {
    let site = try AuditSite()
    try site.add("low", ledger: "1000000S\n 100 1\n")
    try site.add("torn", ledger: "1000000S\n500 1")
    try site.add("high", ledger: "1000000S\n 900 2\n")
    try site.add("header", ledger: "2000S\n500 1\n")
    let before = ["low", "torn", "high", "header"].map { site.ledger($0) }
    #expect(try site.findings("--share=1").count == 4)
    #expect(["low", "torn", "high", "header"].map { site.ledger($0) } == before)
    let ending = try site.audit("--share=1", "--repair")
    #expect(ending.status == 1 && ending.output.contains("; 2 repaired"), "\(ending)")
    #expect(site.ledger("low") == "1000000S\n 100 1\n400 0\n" && site.ledger("torn") == "1000000S\n 500 1\n")
    #expect(site.ledger("high") == "1000000S\n 900 2\n" && site.ledger("header") == "2000S\n500 1\n")
    // Another program's recent file is left alone, so that the two do not correct each other forever.
    #expect(try site.findings("--share=1") == ["drift high@example.org", "header-limit header@example.org"])
    #expect(try site.audit("--share=1", "--ignore=drift", "--ignore=header-limit").status == 0)
  }

  @Test("Level 0 counts nothing; level 1 counts each mailbox once in 7 nights, and suspicious ones every night")
  func levels() throws {
    let site = try AuditSite()
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

  @Test("A mailbox that is switched off in the panel is no orphan, and status says so (PostfixAdmin)")
  func inactive() throws {
    let cluster = try PostgresCluster()
    try cluster.makePostfixAdmin(quota: 1_000_000)
    try cluster.sql(
      """
      INSERT INTO mailbox (username, maildir, quota, domain, active)
      VALUES ('leave@example.org', 'example.org/leave/', 1000000, 'example.org', false);
      """)
    let host = try MailHost()
    try host.sandbox.write("mailboxes.cf", cluster.tableFile(PostgresCluster.pathQuery))
    try host.sandbox.write("limits.cf", cluster.tableFile(PostgresCluster.limitQuery))
    func configure(_ lines: String) throws {
      try host.configure(
        "virtual_mailbox_limit_maps = pgsql:\(host.sandbox("limits.cf"))\n\(lines)",
        maps: "pgsql:\(host.sandbox("mailboxes.cf"))")
    }
    try configure("")
    for name in ["you", "leave", "gone"] {
      try host.sandbox.makeMaildir("base/example.org/\(name)")
      try host.sandbox.write("base/example.org/\(name)/maildirsize", "1000000S\n 0 0\n")
    }
    func orphans() throws -> [String] {
      let ending = try Command.run(
        MailUser.drop + FakeClock.words(ahead: "1h") + host.toolArguments(["audit", "--format=jsonl", "--level=0"]))
      return try ending.records.filter { $0["kind"] == "maildir-without-mailbox" }.compactMap { $0["mailbox"] }
    }
    #expect(try orphans() == ["example.org/gone/"])
    let status = try host.ullage("status", "leave@example.org", "none@example.org")
    #expect(status.status == 67 && status.errors.contains("leave@example.org: its mailbox is switched off"))
    #expect(status.errors.contains("none@example.org: no such mailbox"), "\(status)")
    // Of a list of its own it is unknown, unless a query says it.
    try configure("mailbox_list_query = SELECT username, maildir, quota FROM mailbox WHERE active = true")
    #expect(try orphans() == ["example.org/gone/", "example.org/leave/"])
    try configure(
      "mailbox_list_query = SELECT username, maildir, quota FROM mailbox WHERE active = true\n"
        + "mailbox_inactive_query = SELECT username, maildir FROM mailbox WHERE active = false")
    #expect(try orphans() == ["example.org/gone/"])
    // A query that fails is named, and no Maildir is called superfluous.
    try configure("mailbox_inactive_query = SELECT nothing")
    let failing = try Command.run(
      MailUser.drop + FakeClock.words(ahead: "300h") + host.toolArguments(["audit", "--level=0"]))
    #expect(failing.status == 2 && failing.output.contains("which mailboxes are switched off: "), "\(failing)")
    #expect(failing.output.contains("keep it, and correct mailbox_inactive_query"), "\(failing)")
  }

  @Test("Stale files in tmp/ are found when a mailbox is counted, and removed with --clean-tmp; younger ones stay")
  func staleFiles() throws {
    let site = try AuditSite()
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
    #expect(cleaned.status == 1 && cleaned.output.contains("[repaired]"), "\(cleaned)")
    #expect(site.host.sandbox.list("base/example.org/a/tmp") == [])
  }

  @Test("The total of a mailbox at rest for a minute is lowered; that of one with a file in tmp/ is not")
  func atRest() throws {
    let site = try AuditSite()
    for name in ["rest", "busy"] {
      try site.add(name, ledger: "1000000S\n 900 2\n")
      try site.host.sandbox.makeMaildir("base/example.org/\(name)/.A")
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

  @Test(
    "No false alarm for lost+found, a mailbox made meanwhile, or a domain under a second name by root's symlink",
    .takesRoot)
  func falseAlarms() throws {
    let site = try AuditSite()
    try site.list("a@new.example", "new.example/a/")
    try site.make("example.org/a")
    try site.host.sandbox.makeDirectory("base/lost+found")
    try Command.check(["chmod", "0", site.host.sandbox("base/lost+found")])
    try Command.check(["ln", "-s", "example.org", site.host.sandbox("base/new.example")])
    #expect(try site.audit("--share=1").output.hasSuffix("Nothing found.\n"))
    // The list has been read when the first worker runs; the Maildir is made after that.
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

  @Test("A limit in the list that no table gives to deliveries is not enforced, and is reported")
  func unusedLimit() throws {
    let site = try AuditSite()
    try site.add("a", ledger: nil)
    let text = try #require(site.host.sandbox.text("ullage.cf")).split(separator: "\n")
      .filter { !$0.hasPrefix("virtual_mailbox_limit") }.joined(separator: "\n")
    try site.host.sandbox.write("ullage.cf", text + "\nvirtual_mailbox_limit = 5000000\n")
    #expect(try site.host.ullage("recompute", "--all").status == 0)
    #expect(site.ledger("a") == "5000000S\n 500 1\n")
    #expect(try site.findings("--level=0") == ["limit-not-enforced a@example.org"])
  }

  @Test("Where paths in the list repeat the base, the Maildirs that they mean are not to be removed")
  func repeatedBase() throws {
    let site = try AuditSite()
    try site.make("example.org/a")
    try site.list("a@example.org", site.host.sandbox("base/example.org/a/"))
    let found = try site.host.ullage("audit", "--format=jsonl").records
    #expect(found.contains { $0["kind"] == "path-repeats-base" && $0["mailbox"] == "a@example.org" }, "\(found)")
    let orphan = try #require(found.first { $0["kind"] == "maildir-without-mailbox" })
    #expect(orphan["remedy"] == "keep it, and correct those paths")
    // Without such paths: mail has just arrived.
    try site.cluster.sql("DELETE FROM \(site.table)")
    try site.add("b")
    let used = try #require(
      try site.host.ullage("audit", "--format=jsonl").records.first { $0["kind"] == "maildir-without-mailbox" })
    #expect(used["remedy"]?.hasPrefix("keep it, and find out which address leads there") == true)
  }

  @Test("Paths that the list spells unusually name one Maildir each, and none is taken for an orphan")
  func strangePaths() throws {
    let site = try AuditSite("virtual_maildir_suffix = Maildir/")
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
}
