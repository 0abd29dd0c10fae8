// SPDX-License-Identifier: Apache-2.0
import Configuration
import Foundation
import Posix
import Tables
import TestSupport
import Testing
import Text

/// Quotas in a real PostgreSQL, in every state it can be in.
struct PostgresTests {
  /// A mail host whose tables are the files `mailboxes.cf` and `limits.cf`.
  private func host(_ cluster: PostgresCluster, _ settings: String = "") throws -> MailHost {
    let host = try MailHost()
    try host.sandbox.write("mailboxes.cf", cluster.tableFile(PostgresCluster.pathQuery))
    try host.sandbox.write("limits.cf", cluster.tableFile(PostgresCluster.limitQuery))
    try host.configure(
      "virtual_mailbox_limit_maps = pgsql:\(host.sandbox("limits.cf"))\n\(settings)",
      maps: "proxy:pgsql:\(host.sandbox("mailboxes.cf"))")
    return host
  }

  private func cluster(quota: Int64 = 1000) throws -> PostgresCluster {
    let cluster = try PostgresCluster()
    try cluster.makePostfixAdmin(quota: quota)
    return cluster
  }

  @Test("PostfixAdmin's tables and Postfix's unchanged files give path and limit; a new limit in SQL applies at once")
  func postfixAdmin() throws {
    let cluster = try cluster()
    let host = try host(cluster)
    #expect(try host.deliver(bytes: 600).status == 0)
    #expect(try host.deliver(bytes: 600).output.hasPrefix("4.2.2 "))
    try cluster.sql("UPDATE mailbox SET quota = 1200")
    #expect(try host.deliver(bytes: 600).status == 0)
    #expect(host.ledgerTotal == [1200, 2])
    try cluster.sql("UPDATE mailbox SET quota = 0")
    #expect(try host.deliver(bytes: 6000).status == 0)
    try cluster.sql("UPDATE mailbox SET active = false")
    #expect(try host.deliver(bytes: 6).output.hasPrefix("5.1.1 "))
  }

  @Test(
    "Values that are not a single whole number are errors, never unlimited",
    arguments: [
      "SELECT '10M' WHERE '%s' <> ''", "SELECT unnest(ARRAY[1, 2]) WHERE '%s' <> ''", "SELECT 5, 6 WHERE '%s' <> ''",
      "SELECT '' WHERE '%s' <> ''", "SELECT 9223372036854775808 WHERE '%s' <> ''", "SELECT '1e9' WHERE '%s' <> ''",
    ])
  func badValues(query: String) throws {
    let cluster = try Shared.cluster()
    let host = try host(cluster)
    try host.sandbox.write("limits.cf", cluster.tableFile(query))
    #expect(try host.deliver(bytes: 10).output.hasPrefix("4.3.5 "))
    #expect(host.new == [])
  }

  @Test(
    "More than one result for a path is an error that says how many, for known and unknown addresses alike",
    arguments: [
      ("SELECT maildir FROM mailbox", "2 rows for \"you@example.org\""),
      ("SELECT maildir FROM mailbox, generate_series(1, 3) WHERE username = '%s'", "3 rows for \"you@example.org\""),
      ("SELECT maildir, maildir FROM mailbox WHERE username = '%s'", "a row of 2 columns for \"you@example.org\""),
    ])
  func severalPaths(query: String, text: String) throws {
    let cluster = try cluster()
    let host = try host(cluster)
    try cluster.sql("INSERT INTO mailbox (username, maildir) VALUES ('v@example.org', 'example.org/v/')")
    try host.sandbox.write("mailboxes.cf", cluster.tableFile(query))
    let delivery = try host.deliver(bytes: 10)
    #expect(delivery.status == 75 && delivery.output.hasPrefix("4.3.5 "))
    #expect(delivery.warning.contains(text) && delivery.warning.contains("where one value is expected"), "\(delivery)")
    #expect(host.sandbox.list("base") == ["example.org"] && host.sandbox.list("base/example.org") == [])
  }

  @Test("NULL is no entry (pgsql_table(5)): virtual_mailbox_limit applies")
  func null() throws {
    let cluster = try Shared.cluster()
    let host = try host(cluster, "virtual_mailbox_limit = 100")
    try host.sandbox.write("limits.cf", cluster.tableFile("SELECT NULL WHERE '%s' <> ''"))
    #expect(try host.deliver(bytes: 101).output.hasPrefix("5.2.2 "))
    #expect(try host.deliver(bytes: 100).status == 0)
  }

  @Test(
    "Addresses are text, never SQL and never a path",
    arguments: [
      "o'brien@example.org", "'; DROP TABLE mailbox; --@example.org", "a\\'b@example.org", "%s@example.org",
      "ümlaut@example.org",
      "\\@example.org", "a b@example.org", "' OR ''='@example.org", "E'\\\\''@example.org", "x\u{1}y@example.org",
    ])
  func hostileAddresses(address: String) throws {
    let cluster = try Shared.cluster()
    let host = try host(cluster)
    let arguments = host.arguments.map { $0.hasPrefix("--recipient=") ? "--recipient=\(address)" : $0 }
    #expect(try host.deliver(MailHost.message(10), arguments: arguments).output.hasPrefix("5.1.1 "))
    #expect(try cluster.sql("SELECT count(*) FROM mailbox") == "1\n")
    // The same address is found, literally, if the table has it.
    let folded = address.lowercased().replacingOccurrences(of: "'", with: "''")
    let literal = "SELECT 'example.org/you/' WHERE '%s' = '\(folded.replacingOccurrences(of: "%", with: "%%"))'"
    try host.sandbox.write("mailboxes.cf", cluster.tableFile(literal))
    let found = try host.deliver(MailHost.message(10), arguments: arguments)
    #expect(found.status == 0, "\(found.log)")
  }

  @Test("A database that is down defers, and the next delivery after its start succeeds")
  func restart() throws {
    let cluster = try cluster()
    let host = try host(cluster)
    try cluster.stop()
    let delivery = try host.deliver(bytes: 10)
    #expect(delivery.status == 75 && delivery.output == "4.3.0 The mail system has a temporary problem.")
    #expect(delivery.warning.contains("no connection: ") && !delivery.log.joined().contains("geheim"))
    try cluster.start()
    #expect(try host.deliver(bytes: 10).status == 0)
  }

  @Test("A server that accepts but never answers is abandoned after 5 s, and the next host is queried")
  func silentServer() throws {
    let cluster = try Shared.cluster()
    let host = try host(cluster)
    let silent = try SilentServer()
    try host.sandbox.write(
      "limits.cf",
      cluster.tableFile(PostgresCluster.limitQuery, hosts: "127.0.0.1:\(silent.port) inet:127.0.0.1:\(cluster.port)"))
    let start = Date()
    #expect(try host.deliver(bytes: 10).status == 0)
    #expect((4.5..<9).contains(Date().timeIntervalSince(start)))
    try host.sandbox.write(
      "limits.cf", cluster.tableFile(PostgresCluster.limitQuery, hosts: "127.0.0.1:\(silent.port)"))
    let delivery = try host.deliver(bytes: 10)
    #expect(delivery.output.hasPrefix("4.3.0 ") && delivery.warning.contains("no answer in time"))
    withExtendedLifetime(silent) {}
  }

  @Test("A query that takes too long defers within its share of the time limit")
  func slowQuery() throws {
    let cluster = try Shared.cluster()
    let host = try host(cluster)
    try host.sandbox.write("limits.cf", cluster.tableFile("SELECT 1 FROM pg_sleep(60) WHERE '%s' <> ''"))
    let start = Date()
    #expect(try host.deliver(bytes: 10).output.hasPrefix("4.3.0 "))
    #expect(Date().timeIntervalSince(start) < 15)
  }

  @Test("A wrong password defers, and is not logged")
  func wrongPassword() throws {
    let cluster = try cluster()
    try cluster.setAccess("local all postgres trust\nlocal all all scram-sha-256\n")
    let host = try host(cluster)
    #expect(try host.deliver(bytes: 10).status == 0)
    try cluster.sql("ALTER ROLE postfix PASSWORD 'other'")
    let delivery = try host.deliver(bytes: 10)
    #expect(delivery.output.hasPrefix("4.3.0 ") && delivery.warning.contains("password authentication failed"))
    #expect(!delivery.log.joined().contains("geheim"))
  }

  @Test(
    "An invalid connection string or URI is not quoted in the log: it may contain a password",
    arguments: [
      "hosts = postgresql://u:s3cret@word@127.0.0.1:1/d", "hosts = postgresql://u:my%zzs3cret@127.0.0.1:1/d",
      "hosts = /nonexistent\ndbname = host=x password = 's3cret' oops",
      "hosts = postgresql://127.0.0.1:1/d?password=s3cret",
    ])
  func secretConnectionString(lines: String) throws {
    let host = try MailHost()
    try host.sandbox.write("limits.cf", "\(lines)\nquery = SELECT 1 WHERE '%s' <> ''\n")
    try host.configure("virtual_mailbox_limit_maps = pgsql:\(host.sandbox("limits.cf"))")
    let delivery = try host.deliver(bytes: 10)
    #expect(delivery.output.hasPrefix("4.3.0 "))
    let log = delivery.log.joined()
    #expect(!log.contains("s3cret") && !log.contains("word@"), "\(log)")
  }

  @Test(
    "A failed connection is logged with libpq's own message",
    arguments: [
      ("unix:/nonexistent", "No such file or directory"), ("inet:nohost.invalid", "could not translate host name"),
      ("127.0.0.1:1", "Connection refused"),
    ])
  func connectionErrors(hosts: String, text: String) throws {
    let host = try MailHost()
    try host.sandbox.write("limits.cf", "hosts = \(hosts)\ndbname = d\nquery = SELECT 1 WHERE '%s' <> ''\n")
    try host.configure("virtual_mailbox_limit_maps = pgsql:\(host.sandbox("limits.cf"))")
    let delivery = try host.deliver(bytes: 10)
    #expect(delivery.output.hasPrefix("4.3.0 ") && delivery.warning.contains(text), "\(delivery.log)")
  }

  @Test("A missing libpq defers; a run without an SQL lookup does not need it")
  func libpqMissing() throws {
    let cluster = try Shared.cluster()
    let host = try host(cluster)
    let hide = "for f in /usr/lib/*/libpq.so.5*; do mount --bind /dev/null \"$(readlink -f \"$f\")\"; done"
    let delivery = try host.deliver(bytes: 10, behind: hide)
    #expect(delivery.status == 75 && delivery.output.hasPrefix("4.3.0 "))
    #expect(delivery.warning.contains("libpq cannot be loaded") && delivery.warning.contains("libpq5"))
    try host.configure("")
    #expect(try host.deliver(bytes: 10, behind: hide).status == 0)
  }

  @Test("A row missing on a standby does not mean an unknown user; an existing one delivers")
  func standby() throws {
    let primary = try cluster()
    let standby = try PostgresCluster(following: primary)
    let host = try host(primary)
    for name in ["mailboxes.cf", "limits.cf"] {
      let query = name == "limits.cf" ? PostgresCluster.limitQuery : PostgresCluster.pathQuery
      try host.sandbox.write(name, standby.tableFile(query))
    }
    #expect(try host.deliver(bytes: 10).status == 0)
    let arguments = host.arguments.map { $0.hasPrefix("--recipient=") ? "--recipient=new@example.org" : $0 }
    let delivery = try host.deliver(MailHost.message(10), arguments: arguments)
    #expect(delivery.output.hasPrefix("4.3.0 ") && delivery.warning.contains("standby"))
    // Without a matching row, an aggregate returns a row with NULL.
    try host.sandbox.write(
      "mailboxes.cf", standby.tableFile("SELECT max(maildir) FROM mailbox WHERE username = '%s'"))
    #expect(try host.deliver(MailHost.message(10), arguments: arguments).output.hasPrefix("4.3.0 "))
    // With the primary after it in the list, the primary decides.
    let hosts = "unix:\(standby.sandbox.path) inet:127.0.0.1:\(primary.port)"
    try host.sandbox.write(
      "mailboxes.cf",
      primary.tableFile(PostgresCluster.pathQuery, hosts: hosts).replacingOccurrences(
        of: "dbname = postgres", with: "dbname = port=\(standby.port) dbname=postgres"))
    #expect(try host.deliver(MailHost.message(10), arguments: arguments).output.hasPrefix("5.1.1 "))
  }

  @Test("A server's warning reaches neither standard output nor standard error")
  func notice() throws {
    let cluster = try cluster()
    try cluster.sql(
      """
      CREATE FUNCTION noisy(text) RETURNS bigint LANGUAGE plpgsql AS
        $$ BEGIN RAISE WARNING 'collation version mismatch'; RETURN 5; END $$
      """)
    let host = try host(cluster)
    try host.sandbox.write("limits.cf", cluster.tableFile("SELECT noisy('%s')"))
    let delivery = try host.deliver(bytes: 10)
    #expect(delivery.output.hasPrefix("5.2.2 maildir delivery failed: ") && delivery.errors == "")
    let shell = ["sh", "-c", "exec \"$@\" 2>&-", "sh"]
    let closed = try host.deliver(MailHost.message(10), arguments: shell + host.arguments)
    #expect(closed.output == delivery.output)
  }

  @Test("A message map gives each mailbox its own text; if its lookup fails, the parameter's text is used")
  func messageMap() throws {
    let cluster = try Shared.cluster()
    let host = try host(cluster)
    try host.sandbox.write("texts.cf", cluster.tableFile("SELECT 'Full: ' || '%u' || ' 100%% %%s'"))
    let maps = "virtual_maildir_limit_message_maps = pgsql:\(host.sandbox("texts.cf"))"
    try host.configure("virtual_mailbox_limit = 15\nvirtual_overquota_bounce = yes\n\(maps)")
    try #require(try host.deliver(bytes: 10).status == 0)
    #expect(try host.deliver(bytes: 10).output == "5.2.2 maildir delivery failed: Full: you 100% %s")
    try host.sandbox.write("texts.cf", cluster.tableFile("SELECT nonsense FROM '%s'"))
    let delivery = try host.deliver(bytes: 10)
    #expect(delivery.output.hasPrefix("5.2.2 maildir delivery failed: Sorry, the user's maildir"))
    #expect(
      delivery.warning.contains("virtual_maildir_limit_message applies: ") && delivery.warning.contains("query failed"))
  }

  @Test(
    "Answers equal those of the real postmap -q, for every key and table file here (pgsql_table(5))",
    arguments: [
      ("SELECT 'v' || '%s'", ""), ("SELECT '%u' || '/' || '%d'", ""), ("SELECT '%1' || '%2'", ""),
      ("SELECT 'a' UNION ALL SELECT 'b' UNION ALL SELECT '%s'", ""), ("SELECT 'x', NULL, 'y', '%s'", ""),
      ("SELECT 'v' || '%s'", "result_format = <%s>"), ("SELECT 'u1@d1.e1'", "result_format = %u=%d=%S=%U=%D=%%"),
      ("SELECT 'value'", "result_format = %1-%2"), ("SELECT 'value'", "result_format = %d"),
      ("SELECT '%s'", "domain = example.org, !other.org"), ("SELECT 'a' WHERE '%s' = 'none'", ""),
      ("SELECT 'a' UNION ALL SELECT '%s'", "expansion_limit = 1"), ("SELECT '100%%' || '%s' || ';'", ""),
      ("SELECT broken '%s' FROM", ""),
      ("SELECT '%s'", "domain = !sub.example.org, DIRECTORY/domains"),
      ("SELECT '%s'", "domain = !DIRECTORY/domains x.example.org inline:{b.org=x} example.org"),
      ("SELECT '%s'", "domain = texthash:DIRECTORY/table, !inline:{sub.example.org=x}, tld"),
      ("SELECT '%s'", "domain = DIRECTORY/none"),
      ("", "table = mailbox\nselect_field = quota\nwhere_field = username"),
      ("", "table = mailbox\nselect_field = quota\nwhere_field = username\nadditional_conditions = AND quota < 5"),
      ("", "select_function = quote_literal"), ("", "select_function = no_such_function"), ("", "table = mailbox"),
      ("SELECT 'query'", "select_function = quote_literal"),
    ])
  func sameAsPostmap(query: String, extra: String) throws {
    let cluster = try Shared.cluster()
    let host = try MailHost()
    try host.sandbox.write("domains", "# domains\nexample.org,\n  other.org\n", mode: 0o644)
    try host.sandbox.write("table", "tld x\na..org x\nsub.example.org x\n", mode: 0o644)
    let lines = extra.replacing("DIRECTORY", with: host.sandbox.path)
    let file = cluster.tableFile(query, extra: lines)
    try host.sandbox.write("table.cf", query.isEmpty ? file.replacing("query = \n", with: "") : file, mode: 0o644)
    let keys = [
      "you@example.org", "o'brien@example.org", "a\\b@x.example.org", "%s@example.org", "plain", "@example.org", "x@",
      "ümlaut@example.org", "a@b@other.org", "'quoted'@sub.example.org", "a b@example.org", "u@tld", "u@a..org",
    ]
    try host.sandbox.write("postfix/main.cf", "compatibility_level = 3.6\n", mode: 0o644)
    let table = try #require(TableReference(Array("pgsql:\(host.sandbox("table.cf"))".utf8)))
    // All in parallel: a postmap that fails pauses for seconds before it exits.
    let commands = try keys.map { try Command(["postmap", "-c", host.sandbox("postfix"), "-q", $0, table.text]) }
    for (key, postmap) in zip(keys, commands.map { $0.wait() }) {
      let isError = ["fatal:", "error:", "lookup error"].contains { postmap.errors.contains($0) }
      let expected = postmap.status == 0 ? String(postmap.output.dropLast()) : isError ? "error" : nil
      var answer: String?
      do { answer = try TableSet().lookup(TableQuery(Array(key.utf8), until: .never), in: [table])?.text } catch {
        answer = "error"
      }
      #expect(answer == expected, "\(key): \(postmap.errors)")
    }
  }
}

/// A cluster that tests share: they may add to it, but change nothing that is there.
enum Shared {
  private static let made: Result<PostgresCluster, any Error> = Result {
    let cluster = try PostgresCluster()
    try cluster.makePostfixAdmin(quota: 1000)
    // A static value is never deinitialized.
    atexit { (try? Shared.cluster())?.remove() }
    return cluster
  }

  static func cluster() throws -> PostgresCluster { try made.get() }
}
