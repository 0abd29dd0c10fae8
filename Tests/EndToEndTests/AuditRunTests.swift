// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

/// How `ullage audit` runs: interruptions, rates, statuses, errors, memory, terminal output.
struct AuditRunTests {
  @Test("--nagios prints one line with figures, and uses a plugin's exit statuses")
  func nagios() throws {
    let site = try AuditSite()
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

  @Test("Permission denied on one of 10,000 mailboxes: it is named, the rest are audited, exit 2")
  func notAudited() throws {
    let site = try AuditSite(
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

  @Test("--max-rate limits the rate", arguments: [40])
  func rate(rate: Int) throws {
    let site = try AuditSite()
    for number in 0..<60 { try site.add("u\(number)") }
    let start = ContinuousClock.now
    #expect(try site.audit("--level=0", "--max-rate=\(rate)").status == 0)
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    // The last batch, two mailboxes, may start at the beginning of its time slot.
    #expect(seconds >= Double(60 - 2) / Double(rate), "\(seconds) s")
  }

  @Test("A terminal shows a bar with rate and time left, and colours unless NO_COLOR is set; a pipe gets neither")
  func terminal() throws {
    let site = try AuditSite()
    for number in 0..<60 { try site.add("u\(number)", ledger: "") }
    func audit(_ variables: String) throws -> String {
      let command = site.host.toolArguments(["audit", "--level=0", "--max-rate=40"]).joined(separator: " ")
      // script(1) runs it on its own terminal.
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

  @Test("Findings and repairs made before an error stay in the report")
  func partly() throws {
    let site = try AuditSite()
    try site.add("a", ledger: "1000000S\n 100 1\n")
    try Command.check(["chmod", "0", site.host.sandbox("base/example.org/a/tmp")])
    try site.host.sandbox.write("base/example.org/a/maildirfolder", "")
    let ending = try site.audit("--share=1", "--repair")
    #expect(site.ledger("a") == "1000000S\n 100 1\n400 0\n")
    for text in ["drift: 1", "[repaired]", "stray-maildirfolder: 1", "tmp has mode 0"] {
      #expect(ending.output.contains(text), "\(text): \(ending)")
    }
  }

  @Test("An interruption among the rows without a path makes no Maildir an orphan")
  func resumeAtTheEnd() throws {
    let site = try AuditSite()
    try site.add("a")
    for number in 0..<30 { try site.list("n\(number)@example.org", nil) }
    let state = site.host.sandbox("audit.state")
    let options = ["audit", "--level=0", "--format=jsonl", "--state=\(state)"]
    let run = try Command(site.host.toolArguments(options + ["--max-rate=2"]), input: .bytes([]), asMailUser: true)
    try waitUntil("a row without a path") {
      // Written at the interruption, or before that after five seconds.
      (try? String(contentsOfFile: state, encoding: .utf8))?.contains("null-in-list") == true ? () : nil
    }
    run.kill(SIGTERM)
    let first = run.wait()
    let rest = try site.host.ullage(options)
    let kinds = try (first.records + rest.records).map { $0["kind"] ?? "" }
    #expect(first.status == 143 && rest.status == 1 && !kinds.contains("maildir-without-mailbox"), "\(first) \(rest)")
  }

  @Test("Every mailbox that could not be audited is named, even if the table has no room for them all")
  func manyNotAudited() throws {
    let site = try AuditSite(
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

  @Test("The memory of an audit grows neither with the mailboxes nor with the findings")
  func memory() throws {
    let site = try AuditSite()
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

  @Test("--state never overwrites a file that is no audit state; --nagios keeps its exit statuses")
  func mistakenFiles() throws {
    let site = try AuditSite()
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
    // This directory can only be removed by hand.
    try site.add("dir", ledger: nil)
    try site.host.sandbox.makeDirectory("base/example.org/dir/maildirsize")
    for options in [[], ["--repair"], ["--share=1"]] {
      let audit = try site.host.ullage(["audit", "--format=jsonl"] + options)
      #expect(try audit.records.map { $0["kind"] } == ["broken-maildir"], "\(audit)")
    }
  }

  @Test("An interrupted run is resumed, and both parts together find everything once")
  func resume() throws {
    let site = try AuditSite()
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
    #expect(second.status == 1 && second.errors.contains("continuing the audit that was interrupted"), "\(second)")
    #expect(second.output.hasPrefix("Audit of 300 mailboxes") && second.output.contains("broken-ledger: 30\n"))
    #expect(second.output.contains("maildir-without-mailbox: 1\n"))
    #expect(!FileManager.default.fileExists(atPath: state) && !FileManager.default.fileExists(atPath: state + ".new"))
  }

  @Test("If the database goes down in mid-run, it is retried; if it stays down, the run ends and can be resumed")
  func databaseLost() throws {
    let cluster = try PostgresCluster()
    try cluster.makePostfixAdmin(quota: 0)
    let site = try AuditSite(cluster: cluster)
    try cluster.sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO postfix")
    // More rows than two fetches of the list.
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
      // Before the first rows have arrived there would be nothing to report.
      try waitUntil("the first fetch") {
        try cluster.sql(
          """
          SELECT 1 FROM pg_stat_activity
          WHERE application_name = 'ullage' AND state = 'idle in transaction' AND query LIKE 'FETCH%'
          """
        )
        .contains("1") ? () : nil
      }
      try cluster.stop()
      if comesBack { try cluster.start() }
      let ending = run.wait()
      if comesBack {
        #expect(ending.status == 1 && ending.output.hasPrefix("Audit of 10,000 mailboxes"), "\(ending)")
      } else {
        #expect(ending.status == 75 && ending.output.contains("Incomplete: it was interrupted."), "\(ending)")
        #expect(ending.errors.contains("pgsql:") && FileManager.default.fileExists(atPath: state), "\(ending)")
        try cluster.start()
        let rest = try site.host.ullage(options)
        #expect(rest.status == 1 && rest.output.hasPrefix("Audit of 10,000 mailboxes"), "\(rest)")
        #expect(rest.output.contains("maildir-without-mailbox: 1\n"))
      }
    }
  }

  @Test("An empty base, such as an unmounted volume, is one error, not a thousand lost mailboxes")
  func emptyBase() throws {
    let site = try AuditSite()
    try site.list("a@example.org", "example.org/a/")
    try Command.check(["sh", "-c", "rm -r \(site.host.sandbox("base"))/*"])
    let ending = try site.audit()
    #expect(ending.status == 75 && ending.errors.contains("is its volume mounted?") && ending.output == "", "\(ending)")
  }

  @Test(
    "As root, each Maildir is audited and repaired as its owner",
    .takesRoot)
  func root() throws {
    let site = try AuditSite()
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
}
