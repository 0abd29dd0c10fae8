// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// `ullage recompute` on Maildirs that no other program uses.
struct RecomputeTests {
  private static let limit = "virtual_mailbox_limit = 1000000"

  /// A mailbox that holds 500 bytes in one message, and 70 in the trash.
  private func host(_ ledger: String? = nil, _ settings: String = "") throws -> MailHost {
    let host = try MailHost(Self.limit + "\n" + settings)
    try host.store("a,S=500:2,S", bytes: 500)
    try host.store("b,S=70:2,S", bytes: 70, folder: ".Trash")
    if let ledger { try host.setLedger(ledger) }
    return host
  }

  private func recompute(_ host: MailHost, _ options: String...) throws -> [String: String] {
    let ending = try host.ullage(["recompute", MailHost.recipient, "--format=jsonl"] + options)
    #expect(ending.status == 0 && ending.errors == "", "\(ending)")
    return try #require(try ending.records.first)
  }

  @Test("A correct ledger is left unchanged, bytes and inode")
  func exact() throws {
    let host = try host("1000000S\n400 2\n100 -1\n")
    let before = host.sandbox.status("\(host.maildir)/maildirsize")
    let record = try recompute(host)
    #expect(record["result"] == "exact" && record["drift_bytes"] == "0" && record["cause"] == nil)
    #expect(host.ledger == "1000000S\n400 2\n100 -1\n")
    #expect(host.sandbox.status("\(host.maildir)/maildirsize")?.st_ino == before?.st_ino)
    #expect(host.tmp == [])
  }

  @Test(
    "A total that is too low is raised at once; one that is too high stays while the mailbox is in use",
    arguments: [
      ("100 0", "corrected", "400 1", "500", "1"), ("900 3", "busy", nil, "900", "3"),
      ("100 3", "raised", "400 0", "500", "3"),
      ("900 0", "raised", "0 1", "900", "1"),
    ] as [(String, String, String?, String, String)])
  func append(entry: String, result: String, added: String?, bytes: String, messages: String) throws {
    // Both totals are above zero, so that the ledger itself is valid.
    let ledger = "1000000S\n 1 1\n\(entry)\n-1 -1\n"
    let host = try host(ledger)
    let record = try recompute(host)
    #expect(record["result"] == result && record["after_bytes"] == bytes && record["after_messages"] == messages)
    #expect(host.ledger == ledger + (added.map { $0 + "\n" } ?? ""))
  }

  @Test("--dry-run reports the same and writes nothing; --force rewrites the ledger")
  func modes() throws {
    let ledger = "1000000S\n 900 3\n"
    let host = try host(ledger)
    #expect(try recompute(host, "--dry-run", "--force")["result"] == "replaced" && host.ledger == ledger)
    #expect(try recompute(host, "--dry-run")["result"] == "busy" && host.ledger == ledger)
    #expect(try recompute(host, "--force")["result"] == "replaced" && host.ledger == "1000000S\n 500 1\n")
    #expect(host.tmp == [])
  }

  @Test(
    "An unusable ledger is rewritten, and the damage is named",
    arguments: [
      (nil, "missing"), ("", "empty"), ("1000000S\n", "header-only"), ("1000000S\n500 1", "torn"),
      ("1000000S\n500 1\n\n", "bad-entry"), ("1000000S\n500 1 x\n", "bad-entry"),
      ("1000000S\r\n500 1\r\n", "CR-line-ends"),
      ("9223372036854775808S\n500 1\n", "bad-header"), ("1000000S\n9223372036854775807 1\n1 1\n", "overflow"),
      ("1000000S\n-500 1\n", "negative"), ("0S\n500 1\n", "headed-unlimited"),
      ("1000000S\n500 0\n0 0\n", "bytes-without-messages"),
      ("1000000S\n" + String(repeating: "1 0\n", count: 1300), "too-long"),
    ] as [(String?, String)])
  func broken(ledger: String?, fault: String) throws {
    let host = try host(ledger)
    let record = try recompute(host)
    #expect(record["result"] == "replaced" && record["fault"] == fault && record["before_bytes"] == nil)
    #expect(record["cause"] == (["missing", "headed-unlimited"].contains(fault) ? nil : "damaged-lines"))
    #expect(host.ledger == "1000000S\n 500 1\n" && host.tmp == [])
  }

  @Test("A FIFO or a symlink in the ledger's place is replaced without being opened; a directory is reported")
  func notAFile() throws {
    for make in ["mkfifo", "ln -s /etc/passwd", "ln -s /nonexistent/x"] {
      let host = try host()
      let name = host.sandbox("\(host.maildir)/maildirsize")
      try Command.check(make.split(separator: " ").map(String.init) + [name], asMailUser: true)
      #expect(try recompute(host)["fault"] == "not-a-file")
      #expect(host.ledger == "1000000S\n 500 1\n" && host.sandbox.status("\(host.maildir)/maildirsize")?.st_nlink == 1)
    }
    let host = try host()
    try host.sandbox.makeDirectory("\(host.maildir)/maildirsize")
    let ending = try host.ullage("recompute", MailHost.recipient)
    #expect(ending.status == 2 && ending.output.contains("maildirsize is a directory"))
  }

  @Test(
    "The likely cause of a drift is named, for each documented cause",
    arguments: [
      // The inbox holds 500 bytes in 1 message, 30 in one flagged T, 11 in one whose name begins with a dot; the
      // trash 70.
      (" 530 2\n", "trashed-messages"), (" 570 2\n", "trash"), (" 500 1\n12", "damaged-lines"),
      (" 541 3\n", "profile:dovecot"), ("20 1\n", "replaced-file"), (" 20 1\n", "unknown"), ("7777 9\n", "unknown"),
    ])
  func cause(entries: String, cause: String) throws {
    let host = try host("1000000S\n" + entries)
    try host.configure(Self.limit + "\nmaildir_count_profile = courier")
    try host.store("t,S=30:2,ST", bytes: 30)
    try host.store(".dot,S=11:2,S", bytes: 11)
    let record = try recompute(host, "--dry-run")
    #expect(record["cause"] == cause && record["counted_bytes"] == "500", "\(record)")
  }

  @Test("Messages that virtual(8) has delivered without updating maildirsize are named as the cause")
  func unsized() throws {
    let host = try host("1000000S\n 500 1\n")
    try host.store("1700000000.V1I1.mail", bytes: 7)
    #expect(try recompute(host, "--dry-run")["cause"] == "unsized-messages")
  }

  @Test("Explaining a drift lists each directory once more, and not once for each way of counting")
  func cost() throws {
    func listings(_ ledger: String) throws -> Int {
      let host = try host(ledger)
      for number in 0..<20 { try host.store("a,S=10:2,S", bytes: 10, folder: ".F\(number)") }
      try host.sandbox.write("trace", "", mode: 0o666)
      let trace = ["strace", "-f", "-e", "trace=getdents64", "-o", host.sandbox("trace")]
      let ending = try Command.run(
        trace + host.toolArguments(["recompute", "--dry-run", MailHost.recipient]), asMailUser: true)
      #expect(ending.status == 0, "\(ending)")
      return host.sandbox.text("trace")?.split(separator: "\n").count { $0.contains("getdents64(") } ?? 0
    }
    let exact = try listings("1000000S\n 700 21\n")
    let unknown = try listings("1000000S\n 7777 9\n")
    // Two directories in each of 20 folders and the inbox, the Maildir itself, VDA's tmp/, and folders in folders.
    #expect(exact > 42 && unknown < 4 * exact, "\(exact) and \(unknown)")
  }

  @Test("The limit in the first line becomes the database's at once, and the total is marked as carried over")
  func limit() throws {
    for ledger in ["2000S\n 500 1\n", "2000S\n500 1\n", "2000S,5C\n500 1\n"] {
      let host = try host(ledger)
      #expect(try recompute(host)["result"] == "exact")
      #expect(host.ledger == "1000000S\n 500 1\n0 0\n" && host.tmp == [])
    }
    let host = try host("2000S\n500 1\n")
    #expect(try recompute(host, "--dry-run")["result"] == "exact" && host.ledger == "2000S\n500 1\n")
  }

  @Test("--maildir needs no table; the limit is the ledger's, or the one given")
  func directory() throws {
    let host = try host("2000S,7C\n500 1\n")
    try host.configure(Self.limit, maps: "texthash:/nonexistent/table")
    let directory = host.sandbox(host.maildir)
    #expect(try host.ullage("recompute", "--maildir", directory).status == 0)
    #expect(host.ledger == "2000S,7C\n500 1\n")
    #expect(try host.ullage("recompute", "--maildir", directory + "/", "--limit", "3K").status == 0)
    #expect(host.ledger == "3072S\n 500 1\n0 0\n")
    try Command.check(["rm", directory + "/maildirsize"])
    #expect(try host.ullage("recompute", "--maildir", directory).status == 2)
    #expect(host.ledger == nil, "there is no limit to keep")
    #expect(try host.ullage("recompute", "--maildir", directory, "--limit", "0").status == 0)
    #expect(host.ledger == "0S\n 500 1\n")
    // A torn file still has its limit.
    try host.setLedger("2000S\n500 1")
    #expect(try host.ullage("recompute", "--maildir", directory).status == 0 && host.ledger == "2000S\n 500 1\n")
    try host.sandbox.write("\(host.maildir)/.Trash/maildirfolder", "")
    let folder = try host.ullage("recompute", "--maildir", directory + "/.Trash", "--limit", "5")
    #expect(folder.status == 64 && folder.errors.contains("that is a folder; give the Maildir above it"))
  }

  @Test(
    "Usage errors exit with 64 and say what is wrong",
    arguments: [
      [], ["--all", "--domain", "example.org"], ["you@example.org", "--all"], ["--limit", "5", "you@example.org"],
      ["--maildir", "/x", "--limit", "5.5"], ["--jobs", "0", "--all"], ["--format", "xml", "--all"],
      ["--maildir", "/x", "you@example.org", "--all"], ["--nonsense"],
    ])
  func usage(arguments: [String]) throws {
    let ending = try host().ullage(["recompute"] + arguments)
    #expect(ending.status == 64 && ending.errors.hasPrefix("Error: ") && ending.output == "", "\(ending)")
  }

  @Test("An unknown address is named, and the exit status is 67; the others are recomputed")
  func unknown() throws {
    let host = try host()
    let ending = try host.ullage("recompute", "ghost@example.org", MailHost.recipient)
    #expect(ending.status == 67 && ending.errors.contains("ghost@example.org: no such mailbox"), "\(ending)")
    #expect(host.ledger == "1000000S\n 500 1\n")
  }

  @Test("A missing Maildir is no failure, and is not created")
  func absent() throws {
    let host = try MailHost(Self.limit)
    let ending = try host.ullage("recompute", MailHost.recipient)
    #expect(ending.status == 0 && ending.output.contains("no Maildir yet"), "\(ending)")
    #expect(host.sandbox.status(host.maildir) == nil)
  }

  @Test("Without a ledger to keep, there is nothing to recompute")
  func inboxOnly() throws {
    let ending = try host(nil, "virtual_mailbox_limit_inbox = yes").ullage("recompute", MailHost.recipient)
    #expect(ending.status == 78 && ending.errors.contains("virtual_mailbox_limit_inbox = yes"), "\(ending)")
  }

  @Test("An unreadable folder is not counted, and is named on standard error")
  func unreadable() throws {
    let host = try host()
    try host.store("c,S=9:2,S", bytes: 9, folder: ".A")
    try Command.check(["chmod", "0", host.sandbox("\(host.maildir)/.A")])
    let ending = try host.ullage("recompute", MailHost.recipient, "--format=jsonl")
    #expect(ending.status == 2 && ending.errors.contains("not counted, no permission to read it: .A/"), "\(ending)")
    #expect(try ending.records.first?["counted_bytes"] == "500")
  }

  @Test(
    "As root, each Maildir is recomputed as its owner, leaving no file of root; one that root owns is reported",
    .takesRoot)
  func root() throws {
    let host = try MailHost(Self.limit)
    try host.configure(
      Self.limit,
      maps:
        "inline:{ you@example.org=example.org/you/, me@example.org=example.org/me/,"
        + " root@example.org=example.org/root/ }"
    )
    for (name, owner) in [("you", "nobody:nogroup"), ("me", "1234:1235"), ("root", "root:root")] {
      try host.sandbox.makeMaildir("base/example.org/\(name)")
      try host.sandbox.write("base/example.org/\(name)/cur/a,S=500:2,S", "")
      try Command.check(["chown", "-R", owner, host.sandbox("base/example.org/\(name)")])
    }
    try Command.check(["chmod", "755", host.sandbox("base"), host.sandbox("base/example.org")])
    let ending = try host.ullage(
      "recompute", "you@example.org", "me@example.org", "root@example.org", asMailUser: false)
    #expect(
      ending.status == 2 && ending.output.contains("root@example.org") && ending.output.contains("it belongs to root"))
    for (name, owner, group) in [("you", 65534, 65534), ("me", 1234, 1235)] as [(String, UInt32, UInt32)] {
      let status = try #require(host.sandbox.status("base/example.org/\(name)/maildirsize"))
      #expect(status.st_uid == owner && status.st_gid == group && status.st_mode & 0o777 == 0o600)
      #expect(host.sandbox.text("base/example.org/\(name)/maildirsize") == "1000000S\n 500 1\n")
    }
    #expect(host.sandbox.list("base/example.org/root") == ["cur", "new", "tmp"])
  }

  @Test(
    "As the mail user, another user's Maildir is reported with what to do",
    .takesRoot)
  func foreign() throws {
    let host = try host()
    try Command.check(["chown", "1234", host.sandbox(host.maildir)])
    try Command.check(["chmod", "755", host.sandbox(host.maildir)])
    let ending = try host.ullage("recompute", MailHost.recipient)
    #expect(ending.status == 2 && ending.output.contains("uid 1234"), "\(ending)")
    #expect(ending.output.contains("run ullage as that user or as root"))
  }

  @Test("Root does not follow a symlink that the mail user put in a Maildir's place")
  func symlink() throws {
    let host = try host()
    let other = try Sandbox()
    try other.makeMaildir("m")
    try Command.check(["rm", "-r", host.sandbox(host.maildir)])
    try Command.check(["ln", "-s", other("m"), host.sandbox(host.maildir)], asMailUser: true)
    let ending = try host.ullage("recompute", MailHost.recipient, asMailUser: false)
    #expect(ending.status == 2 && ending.output.contains("symlink not owned by root"), "\(ending)")
    #expect(other.list("m") == ["cur", "new", "tmp"])
  }

  @Test("The table is human-readable, with units and results in words; the summary is on standard error")
  func table() throws {
    let host = try host("1000000S\n900 3\n")
    try host.configure(
      Self.limit, maps: "inline:{ you@example.org=example.org/you/, other@example.org=example.org/other/ }")
    let ending = try host.ullage("recompute", MailHost.recipient, "other@example.org")
    #expect(
      ending.output == """
        MAILBOX            BEFORE  COUNTED  MESSAGES      DRIFT  AFTER  RESULT
        you@example.org     900 B    500 B         1  +400 B +2  900 B  busy, not lowered: cause unknown
        other@example.org       -        -         -          -      -  no Maildir yet

        """)
    #expect(
      ending.errors.hasPrefix("2 mailboxes recomputed in 0.")
        && ending.errors.hasSuffix(" s: 1 busy, not lowered, 1 without a Maildir\n"))
  }

  @Test("A Maildir that vanishes while it is counted is reported, and the others are recomputed")
  func vanishes() throws {
    let host = try host("1000000S\n 1 1\n")
    try host.configure(
      Self.limit, maps: "inline:{ you@example.org=example.org/you/, me@example.org=example.org/me/ }")
    try host.sandbox.makeMaildir("base/example.org/me")
    try host.sandbox.write("base/example.org/me/cur/a,S=9:2,S", "")
    // The worker stops when it has the lock on the first Maildir's cur/.
    let run = try StoppedCommand(
      host.toolArguments(["recompute", MailHost.recipient, "me@example.org", "--jobs=1"]), at: "flock")
    try Command.check(["rm", "-r", host.sandbox(host.maildir)])
    let ending = try run.resume()
    #expect(ending.status == 2 && ending.output.contains("it vanished in the meantime"), "\(ending)")
    #expect(host.sandbox.text("base/example.org/me/maildirsize") == "1000000S\n 9 1\n")
  }

  @Test("On Ctrl-C, started work is finished, nothing is left in tmp/, and the summary says that it was interrupted")
  func interrupted() throws {
    let host = try MailHost()
    let names = (0..<400).map { "u\($0)" }
    for name in names {
      try host.sandbox.makeMaildir("base/example.org/\(name)")
    }
    let directories = names.map { host.sandbox("base/example.org/\($0)") }
    let run = try Command(
      ["setsid"] + host.toolArguments(["recompute", "--limit", "1G", "--maildir"] + directories), input: .bytes([]),
      asMailUser: true)
    try waitUntil("the first ledger") { host.sandbox.status("base/example.org/u0/maildirsize").map { _ in () } }
    // To the whole process group, as a terminal does.
    #expect(Foundation.kill(-run.process, SIGINT) == 0)
    let ending = run.wait()
    #expect(
      ending.status == 130 && ending.errors.contains("interrupted; work in progress was finished"),
      "\(ending.errors)")
    let ledgers = names.map { host.sandbox.text("base/example.org/\($0)/maildirsize") }
    #expect(ledgers.allSatisfy { $0 == nil || $0 == "1073741824S\n 0 0\n" } && ledgers.contains(nil))
    #expect(names.allSatisfy { host.sandbox.list("base/example.org/\($0)/tmp") == [] })
  }

  @Test("A count with the Exim profile ends even if symlinks form a cycle", .timeLimit(.minutes(1)))
  func circles() throws {
    let host = try host("1000000S\n 1 1\n")
    try host.configure(Self.limit + "\nmaildir_count_profile = exim")
    for name in [".a", ".b"] {
      try Command.check(["ln", "-s", ".", host.sandbox("\(host.maildir)/\(name)")], asMailUser: true)
    }
    let record = try recompute(host)
    #expect(record["counted_bytes"] == "500" && record["counted_messages"] == "1", "\(record)")
  }

  @Test("On a network file system the ledger is rewritten under the lock")
  func networkLock() throws {
    let host = try host("2000S\n500 1\n")
    let trace = [
      "strace", "-f", "-o", host.sandbox("trace"), "-e", "trace=fcntl,rename,renameat,renameat2,close,openat",
    ]
    let ending = try Command.run(
      trace + host.toolArguments(["recompute", MailHost.recipient]), environment: ["ULLAGE_FILE_SYSTEM": "nfs"],
      asMailUser: true)
    #expect(ending.status == 0 && host.ledger == "1000000S\n 500 1\n0 0\n", "\(ending)")
    // The last lock taken before the rename is still held: its file has not been closed since.
    let lines = try #require(host.sandbox.text("trace")).split(separator: "\n").map(String.init)
    let rename = try #require(lines.lastIndex { $0.contains("rename") && $0.contains("\"maildirsize\"") })
    let lock = try #require(lines[..<rename].lastIndex { $0.contains("F_OFD_SETLK") })
    let descriptor = try #require(lines[lock].firstMatch(of: #/fcntl\((\d+),/#)).1
    #expect(!lines[lock...rename].contains { $0.contains("close(\(descriptor))") }, "\(lines[lock...rename])")
  }

  @Test("With an unreadable folder the total is not lowered")
  func unreadableIsNotGone() throws {
    let host = try host("1000000S\n 1500 2\n")
    try host.store("c,S=1000:2,S", bytes: 1000, folder: ".A")
    try Command.check(["chmod", "0", host.sandbox("\(host.maildir)/.A/cur")])
    let ending = try host.ullage("recompute", MailHost.recipient, "--format=jsonl")
    #expect(try ending.records.first?["result"] == "busy" && host.ledger == "1000000S\n 1500 2\n")
  }

  @Test("Several folders can be the trash, with or without those below them")
  func trash() throws {
    let host = try host()
    try host.store("c,S=1000:2,S", bytes: 1000, folder: ".Junk")
    try host.store("d,S=20000:2,S", bytes: 20000, folder: ".Trash.old")
    for (settings, bytes) in [
      ("", "21500"), ("virtual_trash_name = .Trash, .Junk", "20500"),
      ("virtual_trash_name = .Trash, .Junk\nvirtual_trash_subfolders = yes", "500"),
      ("virtual_trash_count = yes", "21570"),
    ] {
      try host.configure(Self.limit + "\n" + settings)
      #expect(try recompute(host, "--dry-run")["counted_bytes"] == bytes, "\(settings)")
    }
  }

  @Test("A directory can be recomputed without an ullage.cf: its defaults apply")
  func noConfiguration() throws {
    let host = try host()
    let command = [Programs.path("ullage"), "recompute", "--maildir", host.sandbox(host.maildir), "--limit", "1M"]
    let ending = try Command.run(command, asMailUser: true)
    #expect(ending.status == 0 && ending.errors.contains("there is no /etc/ullage/ullage.cf"), "\(ending)")
    #expect(host.ledger == "1048576S\n 500 1\n")
  }

  @Test("No worker waits while there is work, whatever the number of jobs", arguments: [1, 2, 5])
  func neverIdle(jobs: Int) throws {
    let host = try MailHost()
    let names = (0..<60).map { "u\($0)" }
    for name in names {
      try host.sandbox.makeMaildir("base/example.org/\(name)")
    }
    let directories = names.map { host.sandbox("base/example.org/\($0)") }
    let trace = ["strace", "-f", "-o", host.sandbox("trace"), "-e", "trace=poll"]
    let command = ["recompute", "--jobs=\(jobs)", "--limit=1G", "--maildir"] + directories
    let ending = try Command.run(trace + host.toolArguments(command), asMailUser: true)
    #expect(ending.status == 0 && ending.errors.hasPrefix("60 mailboxes recomputed in "), "\(ending.errors)")
    // The pool waits for answers, never for a time to pass.
    let polls = try #require(host.sandbox.text("trace")).split(separator: "\n").filter { $0.contains("poll(") }
    #expect(polls.count > 30 && !polls.contains { $0.contains("Timeout") || $0.contains(", 0, 1000)") }, "\(polls)")
  }

  @Test("If the output cannot be written, the exit status is 74")
  func noOutput() throws {
    let host = try host()
    for target in ["/dev/full", "&-"] {
      let command = host.toolArguments(["recompute", MailHost.recipient]).joined(separator: " ")
      let ending = try Command.run(["sh", "-c", "\(command) >\(target)"], asMailUser: true)
      #expect(ending.status == 74 && ending.errors.hasPrefix("ullage: recompute: "), "\(target) \(ending)")
    }
  }

  @Test("A directory that was given and does not exist is a failure")
  func mistypedDirectory() throws {
    let ending = try host().ullage("recompute", "--maildir", "/nonexistent/you", "--limit", "0")
    #expect(ending.status == 2 && ending.output.contains("there is no /nonexistent"), "\(ending)")
    let host = try host()
    let other = try host.ullage("recompute", "--maildir", host.sandbox("base/example.org/other"), "--limit", "0")
    #expect(other.status == 2 && other.output.contains("there is no Maildir"), "\(other)")
  }

  @Test("If the reader closes the pipe, the command ends without a message")
  func closedPipe() throws {
    let host = try host()
    let command = host.toolArguments(
      ["recompute"] + Array(repeating: MailHost.recipient, count: 3000) + ["--format=json"])
    try host.sandbox.write("command", command.map { "'\($0)'" }.joined(separator: " ") + "\n", mode: 0o644)
    let ending = try Command.run(
      ["bash", "-c", ". \(host.sandbox("command")) | head -n 1; echo ${PIPESTATUS[0]}"], asMailUser: true)
    #expect(ending.output == "[\n141\n" && ending.errors == "", "\(ending.errors.prefix(300))")
  }
}
