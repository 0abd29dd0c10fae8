// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// The examples for IMAP servers that the package installs, with the real programs and PostfixAdmin's columns.
final class ExampleTests: CheckFixture {
  private static func text(_ name: String) throws -> String {
    try Project.text("scripts/package.d/examples/\(name)")
  }

  @Test("Dovecot 2.3: the real doveconf takes the lines, and check finds nothing")
  func dovecot() throws {
    try host.sandbox.write(
      "dovecot.conf", "ssl = no\nprotocols = imap\n" + (try Self.text("dovecot-2.3.conf")), mode: 0o644)
    let ending = try check("--dovecot=\(host.sandbox("dovecot.conf"))", "--format=table")
    #expect(ending.output.contains("Dovecot keeps maildirsize as Ullage does"), "\(ending)")
  }

  private static func cluster() throws -> PostgresCluster {
    let cluster = try PostgresCluster()
    try cluster.makePostfixAdmin(quota: 5_000_000)
    try cluster.sql("ALTER TABLE mailbox ADD password varchar(255) NOT NULL DEFAULT '{PLAIN}x'")
    return cluster
  }

  @Test("Dovecot's user_query gives the Maildir and the limit of the same column")
  func userQuery() throws {
    let text = try Self.text("dovecot-sql.conf.ext").replacing("\\\n", with: "")
    for (name, expected) in [
      ("user_query", "/var/vmail/example.org/you/|vmail|vmail|*:bytes=5000000\n"),
      ("password_query", "you@example.org|{PLAIN}x\n"),
    ] {
      let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("\(name) = ") })
      let query = line.dropFirst("\(name) = ".count).replacing("%u", with: "you@example.org")
      #expect(try Self.cluster().sql(String(query)) == expected)
    }
  }

  /// What Courier's authtest(1) says about a login, with the real authdaemond and the file as /etc/courier/authpgsqlrc.
  private func courierLogin(_ file: String, _ password: String) throws -> String {
    let configuration = """
      authmodulelist=authpgsql
      authmodulelistorig=authpgsql
      daemons=1
      authdaemonvar=/run/courier/authdaemon

      """
    try host.sandbox.write("etc/courier/authdaemonrc", configuration, mode: 0o644)
    try host.sandbox.write("etc/courier/authpgsqlrc", file, mode: 0o644)
    // Its paths are compiled in.
    let script = """
      mount --make-rprivate /
      mount -t overlay overlay -o lowerdir="$1":/usr /usr
      mount -t overlay overlay -o lowerdir="$0":/etc /etc
      mount -t tmpfs tmpfs /run
      mkdir -p /run/courier/authdaemon
      set -a
      . /etc/courier/authdaemonrc
      /usr/lib/courier/courier-authlib/authdaemond >&2 &
      until [ -S /run/courier/authdaemon/socket ]; do kill -0 $!; done
      authtest -s imap you@example.org "$2"
      """
    let ending = try TestSupport.Command.run([
      "unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", script, host.sandbox("etc"),
      Peers.program("usr"), password,
    ])
    return ending.output + ending.errors
  }

  @Test("Courier lets a user of PostfixAdmin in, and gets the Maildir and the limit; none for a mailbox without one")
  func courier() throws {
    let cluster = try Self.cluster()
    let crypt = try TestSupport.Command.check(["openssl", "passwd", "-6", "open sesame"])
    try cluster.sql("UPDATE mailbox SET password = '\(crypt.trimmingCharacters(in: .whitespacesAndNewlines))'")
    let file = try Self.text("courier-authpgsqlrc")
      .replacing("dbname=postfix", with: "port=\(cluster.port) dbname=postgres")
    let answer = try courierLogin(file, "open sesame")
    for line in [
      "Authenticated: you@example.org  (uid 5000, gid 5000)", "Home Directory: /var/vmail",
      "Maildir: example.org/you/", "Quota: 5000000S",
    ] {
      #expect(answer.contains("\(line)\n"), "\(answer)")
    }
    #expect(try !courierLogin(file, "wrong").contains("Authenticated"))
    try cluster.sql("UPDATE mailbox SET quota = 0")
    let unlimited = try courierLogin(file, "open sesame")
    #expect(unlimited.contains("Authenticated") && unlimited.contains("Quota: (none)\n"), "\(unlimited)")
  }
}
