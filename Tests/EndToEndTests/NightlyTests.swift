// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

/// The files of scripts/package.d that run the audit every night.
@Suite(.takesRoot)
struct NightlyTests {
  private static let files = Project.path("scripts/package.d")

  private static func text(_ name: String) throws -> String {
    try String(contentsOfFile: "\(files)/\(name)", encoding: .utf8)
  }

  /// A host with a list of one mailbox, its ledger, and its own state directory.
  private func host(ledger: String) throws -> MailHost {
    let cluster = try Shared.cluster()
    let host = try MailHost()
    try host.sandbox.write("list.cf", cluster.tableFile("SELECT 1"))
    try host.configure(
      """
      virtual_mailbox_limit = 1000000
      mailbox_list_database = pgsql:\(host.sandbox("list.cf"))
      mailbox_list_query = SELECT 'you@example.org', 'example.org/you/', 1000000
      """)
    try host.store("a,S=500:2,S", bytes: 500)
    try host.setLedger(ledger)
    try host.sandbox.makeDirectory("state")
    return host
  }

  /// The cron.d file as an administrator would adapt it to this host.
  private func cronFile(_ host: MailHost) throws -> String {
    try Self.text("debian/ullage.cron.d")
      .replacing(
        "PATH=", with: "PATH=\(URL(fileURLWithPath: Programs.path("ullage")).deletingLastPathComponent().path):"
      )
      .replacing("17 2 * * *  vmail", with: "* * * * *  nobody")
      .replacing("/var/lib/ullage", with: host.sandbox("state"))
      .replacing("/etc/ullage/ullage.cf", with: host.sandbox("ullage.cf"))
      // Whether or not systemd runs on this machine.
      .replacing("/run/systemd/system", with: host.sandbox("systemd"))
      .replacing("/usr/libexec/ullage/mail-report", with: Self.mailReport)
      .replacing("ullage audit", with: "ullage audit --config \(host.sandbox("ullage.cf")) --share 1")
  }

  private static let mailReport = Project.path("scripts/package.d/mail-report")

  @Test("cron runs the audit as the mail user, and mails its report only when there are findings")
  func cron() throws {
    let clean = try host(ledger: "1000000S\n 500 1\n")
    let dirty = try host(ledger: "1000000S\n 100 1\n")
    let place = try Sandbox()
    for name in ["cron.d", "crontabs", "run", "mail"] { try place.makeDirectory(name) }
    for (name, text) in [("cron.d/clean", try cronFile(clean)), ("cron.d/dirty", try cronFile(dirty)), ("crontab", "")]
    {
      try place.write(name, text, mode: 0o644)
    }
    try place.write("sendmail", "#!/bin/sh\nexec cat >\(place("mail"))/$$\n", mode: 0o755)
    try Command.check(["chown", "-R", "root:root", place("cron.d"), place("crontab"), place("crontabs"), place("run")])
    try Command.check(["chmod", "755", place("cron.d")])
    // A private cron, which sees these files instead of the machine's.
    let script = """
      mount --bind \(place("cron.d")) /etc/cron.d
      mount --bind \(place("crontab")) /etc/crontab
      mount --bind \(place("crontabs")) /var/spool/cron/crontabs
      mount --bind \(place("sendmail")) /usr/sbin/sendmail
      mount --bind \(place("run")) /run
      exec cron -f
      """
    let cron = try Command(["unshare", "--mount", "sh", "-ec", script], input: .bytes([]))
    defer {
      cron.kill(SIGTERM)
      _ = cron.wait()
    }
    let mail = try waitUntil("a mail from cron", seconds: 130) {
      let names = place.list("mail")
      let isOver = clean.sandbox.status("state/audit.lock") != nil && dirty.ledger == "1000000S\n 100 1\n400 0\n"
      // cron sends the mail after the job has ended.
      return isOver ? names.first.flatMap { place.text("mail/\($0)") }.flatMap { $0.contains("drift") ? $0 : nil } : nil
    }
    #expect(mail.contains("\nSubject: Ullage: no errors, no warnings, 1 notice; 1 repaired on "), "\(mail)")
    #expect(mail.contains("To: root") && mail.contains("Audit of 1 mailbox, 1 counted"), "\(mail)")
    #expect(mail.contains("you@example.org  maildirsize says 100 bytes in 1 message") && mail.contains("[repaired]"))
    #expect(!mail.contains("\u{1B}"), "no colours, no progress")
    #expect(dirty.sandbox.status("\(dirty.maildir)/maildirsize")?.st_uid == MailUser.id)
    // The next run of both found nothing.
    #expect(place.list("mail").count == 1)
  }

  @Test("While one audit runs, cron's next one exits at once without output")
  func guarded() throws {
    let host = try host(ledger: "1000000S\n 100 1\n")
    let line = try #require(try cronFile(host).split(separator: "\n").last { $0.hasPrefix("*") })
    // Without the mail, which the test before this one looks at.
    let command = line.split(separator: " ", maxSplits: 6, omittingEmptySubsequences: true)[6]
      .replacing("| \(Self.mailReport) root", with: "")
    let path = try #require(try cronFile(host).split(separator: "\n").first { $0.hasPrefix("PATH=") })
    func run(_ front: String) throws -> Command.Ending {
      try Command.run(
        ["env", "-i", String(path), "HOME=/", "LOGNAME=nobody", "sh", "-c", front + command], asMailUser: true)
    }
    let held = try run("exec 9>\(host.sandbox("state"))/audit.lock; flock 9; ")
    #expect(
      held.status == 0 && held.output == "" && held.errors == "" && host.ledger == "1000000S\n 100 1\n", "\(held)")
    // Where systemd runs, its timer runs the audit instead.
    let timed = try run("mkdir \(host.sandbox("systemd")); ")
    #expect(timed.status == 0 && timed.output == "" && host.ledger == "1000000S\n 100 1\n", "\(timed)")
    let free = try run("rmdir \(host.sandbox("systemd")); ")
    #expect(
      free.status == 1 && free.output.contains("drift: 1") && host.ledger == "1000000S\n 100 1\n400 0\n", "\(free)")
  }

  @Test("The command of the systemd unit makes a report, which is mailed when it is not empty")
  func unit() throws {
    let host = try host(ledger: "1000000S\n 100 1\n")
    let unit = try Self.text("ullage-audit.service").split(separator: "\n")
    let command = try #require(unit.first { $0.hasPrefix("ExecStart=") }).dropFirst("ExecStart=".count)
      .replacing("/var/lib/ullage", with: host.sandbox("state"))
    let words = command.split(separator: " ").map(String.init).dropFirst()
    // `+/bin/sh -c '…'`; systemd writes $ as $$.
    let stop = try #require(unit.first { $0.hasPrefix("ExecStopPost=+/bin/sh -c '") }).dropFirst(
      "ExecStopPost=+/bin/sh -c '".count
    )
    .dropLast().replacing("$$", with: "$").replacing("/usr/libexec/ullage", with: Self.files)
    let place = try Sandbox()
    try place.write("sendmail", "#!/bin/sh\nexec cat >\(place("mail"))\n", mode: 0o755)
    // In place of the journal: what this invocation of the unit wrote.
    try place.write(
      "journalctl",
      "#!/bin/sh\n[ $# = 1 ] || { [ \"$4\" = _SYSTEMD_INVOCATION_ID=4711 ] && cat \(place("report")); }\n",
      mode: 0o755)
    // Without settings the unit is skipped: 1 would count as success (SuccessExitStatus=).
    let condition = try #require(unit.first { $0.hasPrefix("ExecCondition=+/bin/sh -c '") })
      .dropFirst("ExecCondition=+/bin/sh -c '".count).dropLast()
    func isMet(_ file: String) throws -> Int32 {
      try Command.run(["sh", "-c", String(condition).replacing("/etc/ullage/ullage.cf", with: file)]).status
    }
    #expect(try isMet(host.sandbox("ullage.cf")) == 0)
    try host.sandbox.write("empty.cf", "# virtual_mailbox_base = /srv\n")
    #expect(try isMet(host.sandbox("empty.cf")) == 3 && isMet("/nowhere") == 3)
    for expected in [true, false] {
      let ending = try host.ullage(words + ["--share=1"])
      #expect(ending.status == (expected ? 1 : 0))
      try place.write("report", ending.output + ending.errors)
      let script = "mount --bind \(place("sendmail")) /usr/sbin/sendmail; \(stop)"
      try Command.check(
        ["env", "INVOCATION_ID=4711", "PATH=\(place.path):/usr/bin:/bin", "unshare", "--mount", "sh", "-ec", script])
      let mail = place.text("mail")
      #expect((mail != nil) == expected)
      if let mail {
        #expect(mail.contains("To: root\nSubject: Ullage: no errors, no warnings, 1 notice; 1 repaired on "), "\(mail)")
        #expect(mail.contains("\n\nAudit of 1 mailbox") && mail.contains("drift: 1"))
        try Command.check(["rm", place("mail")])
      }
    }
  }
}
