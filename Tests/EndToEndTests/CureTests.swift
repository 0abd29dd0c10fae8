// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

/// What `ullage check` prints as the cure is run, and cures: the finding is gone, and no other has come.
@Suite(.takesRoot)
final class CureTests: CheckFixture {
  private func troubles() throws -> [[String: String]] {
    try findings("--user=nobody").filter { ["error", "warning"].contains($0["severity"]) }
  }

  /// Runs the remedy of the first finding, which is of this kind; others come from the same cause.
  private func cure(
    _ kind: String, _ comment: String = "", sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let found = try troubles()
    #expect(found.first?["kind"] == kind, "\(comment) \(found)", sourceLocation: sourceLocation)
    let remedy = try #require(found.first?["remedy"])
    // A sentence may come before the commands.
    let command = remedy.components(separatedBy: ": ").last ?? remedy
    let ending = try Command.run(["sh", "-ec", command], environment: ["PATH": path])
    #expect(ending.status == 0, "\(command): \(ending)", sourceLocation: sourceLocation)
    try age()
    let rest = try troubles()
    #expect(rest == [], "\(comment) after \(command): \(rest)", sourceLocation: sourceLocation)
  }

  /// The tool as an administrator calls it.
  private var path: String {
    let directory = URL(fileURLWithPath: Programs.path("ullage")).deletingLastPathComponent().path
    return "\(directory):/usr/sbin:/usr/bin:/sbin:/bin"
  }

  /// A file that has just been changed is read with some patience.
  private func age() throws {
    let files = ["ullage.cf", "list.cf", "limits.cf"].map { host.sandbox($0) } + ["\(self.files.path)/main.cf"]
    try Command.check(["touch", "-d", "1 hour ago"] + files.filter { FileManager.default.fileExists(atPath: $0) })
  }

  @Test("ullage.cf: closed to the mail user, or its own, or writable for others")
  func configurationRights() throws {
    let file = host.sandbox("ullage.cf")
    for change in [
      "chown root:root \(file); chmod 600 \(file)", "chown nobody \(file); chmod 600 \(file)", "chmod 666 \(file)",
      "chown nobody:root \(file); chmod 640 \(file)",
    ] {
      try Command.check(["sh", "-ec", change])
      try cure("configuration-rights", change)
      try lock()
    }
  }

  @Test("A table's file: closed, readable for everybody, writable for everybody; proxymap(8) can read it afterwards")
  func tableRights() throws {
    let file = host.sandbox("limits.cf")
    for (change, kind) in [
      ("chown root:root \(file); chmod 640 \(file)", "bad-table"),
      ("chown root:root \(file); chmod 644 \(file)", "table-rights"),
      ("chmod 642 \(file)", "table-rights"),
    ] {
      try lock()
      try Command.check(["setfacl", "-b", file])
      try Command.check(["sh", "-ec", change])
      try cure(kind, change)
      if change.hasSuffix("chmod 644 \(file)") {
        let postfix = ["setpriv", "--reuid=postfix", "--regid=postfix", "--clear-groups", "cat", file]
        #expect(try Command.run(postfix).status == 0)
      }
    }
  }

  @Test("Two closed directories above a table's file are opened by one command")
  func nestedDirectories() throws {
    let text = try #require(host.sandbox.text("limits.cf"))
    try host.sandbox.write("a/b/limits.cf", text, mode: 0o640)
    try Command.check(["sh", "-ec", "cd \(host.sandbox.path); chown -R root:root a; chmod 700 a a/b"])
    try site.host.configure(
      Self.required + "\nvirtual_mailbox_limit_maps = pgsql:\(host.sandbox("a/b/limits.cf"))\n"
        + "mailbox_list_query = SELECT * FROM \(site.table)", maps: "pgsql:\(host.sandbox("list.cf"))")
    try lock()
    try cure("bad-table")
  }

  @Test("The base: of another user, without the right to write, below a closed directory")
  func base() throws {
    let base = host.sandbox("base")
    for change in [
      "chmod 555 \(base)", "chown root \(base); chmod 755 \(base)", "chown root \(base); chmod 700 \(base)",
    ] {
      try Command.check(["sh", "-ec", "chown nobody \(base); chmod 755 \(base); \(change)"])
      try cure("base", change)
    }
    try Command.check(["mkdir", host.sandbox("closed")])
    try Command.check(["sh", "-ec", "mv \(base) \(host.sandbox("closed/base")); chmod 700 \(host.sandbox("closed"))"])
    try configure("virtual_mailbox_base = \(host.sandbox("closed/base"))")
    try Command.check(["chown", "root", host.sandbox("closed")])
    try cure("base", "closed")
  }

  @Test("A Maildir of another user, a ledger that is missing, broken, or has another limit")
  func mailboxes() throws {
    let maildir = host.sandbox("base/example.org/a")
    for (change, kind) in [
      ("chown -R games \(maildir)", "mailbox-rights"), ("rm \(maildir)/maildirsize", "limit-not-enforced"),
      ("printf '1000000S\\n500' > \(maildir)/maildirsize", "broken-mailbox"),
      ("printf '0S\\n0 0\\n' > \(maildir)/maildirsize", "limit-not-enforced"),
      ("printf '77S\\n500 1\\n' > \(maildir)/maildirsize", "header-limit"),
    ] {
      try Command.check(["sh", "-ec", change])
      try cure(kind, change)
    }
  }

  @Test("A value that Postfix has differently is set in ullage.cf")
  func otherValue() throws {
    for line in ["message_size_limit = 600000", "recipient_delimiter = -+"] {
      try configure("")
      try files.set("main.cf", Self.main + line + "\n")
      try cure("other-value", line)
    }
  }

  @Test("Without ullage.cf, migrate writes the file that was looked for")
  func noConfiguration() throws {
    let other = try Sandbox()
    try Command.check(["chmod", "755", other.path])
    let postfix = try PostfixFiles(
      other,
      main: Self.main + "virtual_mailbox_base = \(host.sandbox("base"))\nvirtual_mailbox_maps = static:x/\n"
        + "virtual_uid_maps = static:\(MailUser.id)\nvirtual_gid_maps = static:\(MailUser.group)\n")
    func check() throws -> [[String: String]] {
      try Command.run([
        Programs.path("ullage"), "check", "--config=\(other("none.cf"))", "--postfix=\(postfix.path)", "--format=jsonl",
        "--user=nobody",
      ]).records
    }
    let found = try #require(try check().first { $0["kind"] == "bad-configuration" })
    let command = try #require(found["remedy"]?.components(separatedBy: ": ").last)
    try Command.check(["env", "PATH=\(path)", "sh", "-ec", command])
    #expect(try !check().contains { $0["kind"] == "bad-configuration" })
  }

  @Test("The list without a password: the role and the file of the manual, admitted by peer, read the list alone")
  func listWithoutPassword() throws {
    let cluster = try PostgresCluster()
    try cluster.makePostfixAdmin(quota: 3_000_000)
    try cluster.setAccess("local all postgres trust\nlocal all nobody peer\nlocal all all scram-sha-256\n")
    let page = try Project.text("man/ullage.cf.5")
    let section = try #require(
      page.components(separatedBy: ".Sh THE LIST WITHOUT A PASSWORD").last?.components(separatedBy: "\n.Sh ").first)
    let blocks = section.matches(of: #/\.Bd -literal\n((?:.*\n)*?)\.Ed/#).map { String($0.1) }
    try #require(blocks.count == 3)
    let socket = host.sandbox("lookup")
    try host.sandbox.write("pa.cf", cluster.tableFile(PostgresCluster.pathQuery), mode: 0o600)
    try Command.check(["chown", "root:root", host.sandbox("pa.cf")])
    func configure(_ lines: String) throws {
      try host.configure(
        Self.required + "\nlookup_socket = \(socket)\n\(lines)", maps: "pgsql:\(host.sandbox("pa.cf"))")
      try lock()
    }
    try configure("")
    let before = try findings("--user=nobody").first { $0["kind"] == "mailbox-list" }
    let printed = try #require(before?["remedy"])
    #expect(printed.contains("The list without a password"), "\(printed)")
    // The statements of the finding are those of the manual, for this user.
    let sql = blocks[0].replacing("vmail", with: "\"nobody\"")
    for statement in sql.split(separator: "\n") { #expect(printed.contains(statement.dropLast()), "\(statement)") }
    try cluster.sql(sql)
    let file = blocks[1].replacing("unix:/var/run/postgresql", with: "unix:\(cluster.sandbox.path)")
      .replacing("user = vmail", with: "user = nobody").replacing(
        "dbname = postfix", with: "dbname = port=\(cluster.port) dbname=postgres")
    try host.sandbox.write("role.cf", file, mode: 0o644)
    try configure(blocks[2].replacing("/etc/ullage/list.cf", with: host.sandbox("role.cf")))
    #expect(try !findings("--user=nobody").contains { $0["kind"] == "mailbox-list" })
    let audit = try host.ullage("status", "--all", "--format=jsonl", asMailUser: true)
    #expect(audit.status == 0 && audit.output.contains("you@example.org"), "\(audit)")
    let other = try Command.run(
      MailUser.drop + [
        "psql", "-h", cluster.sandbox.path, "-p", "\(cluster.port)", "-d", "postgres", "-c", "TABLE alias",
      ])
    #expect(other.status != 0 && other.errors.contains("permission denied"))
  }
}
