// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

/// The real `ullaged lookup` with a real PostgreSQL, used by the real `ullage-deliver` and hostile clients.
struct LookupServiceTests {
  private let cluster: PostgresCluster
  private let host: MailHost
  private var socket: String { host.sandbox("lookup") }

  init() throws {
    cluster = try PostgresCluster()
    try cluster.makePostfixAdmin(quota: 1000)
    host = try MailHost()
    try host.sandbox.write("mailboxes.cf", cluster.tableFile(PostgresCluster.pathQuery))
    try host.sandbox.write("limits.cf", cluster.tableFile(PostgresCluster.limitQuery))
  }

  private func start(
    _ lines: String = "", launcher: [String] = MailUser.drop, environment: [String: String] = [:]
  ) throws -> ServiceDaemon {
    try configure(lines)
    return try ServiceDaemon(
      host.sandbox("ullage.cf"), socket: socket, launcher: launcher, environment: environment)
  }

  private func configure(_ lines: String) throws {
    try host.configure(
      """
      virtual_mailbox_limit_maps = pgsql:\(host.sandbox("limits.cf"))
      lookup_socket = \(socket)
      \(lines)
      """, maps: "pgsql:\(host.sandbox("mailboxes.cf"))")
  }

  private func connections() throws -> Int {
    Int(try cluster.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'postfix'").dropLast()) ?? -1
  }

  @Test("A start by an ordinary user writes to no other log than its own")
  func ownLog() throws {
    let trace = host.sandbox("trace")
    try host.sandbox.write("trace", "", mode: 0o666)
    let daemon = try start(launcher: ["strace", "-D", "-f", "-e", "trace=connect", "-o", trace] + MailUser.drop)
    #expect(try host.deliver(bytes: 10).status == 0)
    daemon.command.kill(SIGTERM)
    #expect(daemon.command.wait().status == 0)
    let connections = try #require(host.sandbox.text("trace"))
    #expect(connections.contains("\"\(socket)\"") && !connections.contains("/dev/log"), "\(connections)")
  }

  // MARK: deliveries

  @Test("A delivery gets path and limit from the service, and does not load libpq")
  func delivers() throws {
    let daemon = try start()
    #expect(try host.deliver(bytes: 600).status == 0)
    #expect(try host.deliver(bytes: 600).output.hasPrefix("4.2.2 "))
    #expect(try host.deliver(to: "none@example.org").output.hasPrefix("5.1.1 "))
    let trace = ["strace", "-f", "-e", "trace=openat", "-o", host.sandbox("trace")]
    let ending = try Command.run(trace + host.arguments, input: .bytes([10]), asMailUser: true)
    #expect(ending.status == 0)
    #expect(host.sandbox.text("trace")?.contains("libpq") == false)
    withExtendedLifetime(daemon) {}
  }

  @Test("32 parallel deliveries share at most lookup_connections connections, as pg_stat_activity shows")
  func sharedConnections() throws {
    let daemon = try start("lookup_connections = 3\nlookup_cache_time = 0")
    // Each lookup holds its connection long enough for all the others to need one.
    let slow = "SELECT quota FROM mailbox, pg_sleep(0.05) WHERE username='%s' AND active = '1'"
    try host.sandbox.write("limits.cf", cluster.tableFile(slow))
    daemon.command.kill(SIGHUP)
    try cluster.sql("UPDATE mailbox SET quota = 0")
    let deliveries = try (0..<32).map { _ in try host.start(.bytes(MailHost.message(10))) }
    var most = 0
    _ = try waitUntil("the end of 32 deliveries") {
      most = max(most, try connections())
      return host.new.count == 32 ? () : nil
    }
    #expect(deliveries.map { $0.wait().status } == Array(repeating: 0, count: 32), "\(host.log.lines())")
    #expect(most == 3)
  }

  @Test("A limit changed in SQL takes effect after lookup_cache_time, and no later")
  func cacheTime() throws {
    let held = try start("lookup_cache_time = 1h")
    #expect(try host.deliver(bytes: 900).status == 0)
    try cluster.sql("UPDATE mailbox SET quota = 5000")
    #expect(try host.deliver(bytes: 900).output.hasPrefix("4.2.2 "))
    // The new setting, and with it an empty cache.
    try configure("lookup_cache_time = 1s")
    held.command.kill(SIGHUP)
    try waitUntil("the new limit") { try host.deliver(bytes: 100).status == 0 ? () : nil }
    try cluster.sql("UPDATE mailbox SET quota = 1100")
    try waitUntil("the old limit") { try host.deliver(bytes: 200).output.hasPrefix("4.2.2 ") ? () : nil }
  }

  @Test("By hand, users who can read the tables see a changed limit at once; others get the service's cached answer")
  func byHand() throws {
    let held = try start("lookup_cache_time = 1h")
    #expect(try host.deliver(bytes: 900).status == 0)
    try cluster.sql("UPDATE mailbox SET quota = 5000")
    func limit() throws -> String? {
      try host.ullage("status", MailHost.recipient, "--format=jsonl").records.first?["limit_bytes"]
    }
    #expect(try limit() == "5000")
    try Command.check(["chmod", "000", host.sandbox("limits.cf")])
    let asked = try Command.run(
      MailUser.drop + host.toolArguments(["status", MailHost.recipient, "--format=jsonl"]))
    #expect(try asked.records.first?["limit_bytes"] == "1000", "\(asked)")
    withExtendedLifetime(held) {}
  }

  @Test("After a recompute by address the new limit holds for deliveries too, and stays in maildirsize")
  func forgets() throws {
    let held = try start("lookup_cache_time = 1h")
    #expect(try host.deliver(bytes: 900).status == 0)
    try cluster.sql("UPDATE mailbox SET quota = 5000")
    #expect(try host.ullage("recompute", "--dry-run", MailHost.recipient).status == 0)
    #expect(try host.deliver(bytes: 900).output.hasPrefix("4.2.2 "))
    let ending = try host.ullage("recompute", "You@example.org")
    #expect(ending.status == 0 && ending.errors == "" && host.ledger?.hasPrefix("5000S\n") == true, "\(ending)")
    #expect(try host.deliver(bytes: 900).status == 0)
    #expect(host.ledger?.hasPrefix("5000S\n") == true)
    // Without the service the work is done all the same.
    held.command.kill(SIGKILL)
    _ = held.command.wait()
    let alone = try host.ullage("recompute", MailHost.recipient)
    #expect(alone.status == 0 && alone.errors.contains("deliveries may use the old limit for lookup_cache_time: "))
  }

  @Test("With lookup_cache_time = 0 a limit changed in SQL applies to the next delivery")
  func noCache() throws {
    let daemon = try start("lookup_cache_time = 0")
    #expect(try host.deliver(bytes: 900).status == 0)
    try cluster.sql("UPDATE mailbox SET quota = 2000")
    #expect(try host.deliver(bytes: 900).status == 0)
    try cluster.sql("UPDATE mailbox SET quota = 1900")
    #expect(try host.deliver(bytes: 900).output.hasPrefix("4.2.2 "))
    withExtendedLifetime(daemon) {}
  }

  @Test("A new mailbox is found, although the service did not find it a moment ago")
  func newMailbox() throws {
    let daemon = try start("lookup_cache_time = 1h")
    #expect(try host.deliver(to: "new@example.org").output.hasPrefix("5.1.1 "))
    try cluster.sql(
      "INSERT INTO mailbox (username, maildir, domain) VALUES ('new@example.org', 'example.org/new/', 'example.org')")
    #expect(try host.deliver(to: "new@example.org").status == 0)
    withExtendedLifetime(daemon) {}
  }

  @Test("The mail user needs no permission to read the table files, and never sees a password")
  func passwordStaysAway() throws {
    try #require(geteuid() == 0, "a second user needs root")
    // The service has its own user, and the mail user's group, so that the mail user may connect.
    let user = ["setpriv", "--reuid=4711", "--regid=\(MailUser.group)", "--clear-groups"]
    for name in ["mailboxes.cf", "limits.cf"] {
      try Command.check(["chown", "4711:4711", host.sandbox(name)])
      try Command.check(["chmod", "640", host.sandbox(name)])
    }
    try configure("")
    try Command.check(["chmod", "644", host.sandbox("ullage.cf")])
    try Command.check(["chmod", "777", host.sandbox.path])
    let daemon = try ServiceDaemon(host.sandbox("ullage.cf"), socket: socket, launcher: user)
    #expect(try Command.run(["cat", host.sandbox("limits.cf")], asMailUser: true).status != 0)
    #expect(try host.deliver(bytes: 10).status == 0)
    // Others may not connect: 4.3.5, with their uid in the log.
    let stranger = ["setpriv", "--reuid=4712", "--regid=4712", "--clear-groups"] + host.arguments
    let ending = try Command.run(stranger, input: .bytes([10]))
    #expect(ending.status == 75 && ending.output.hasPrefix("4.3.5 "))
    #expect(host.log.lines().contains { $0.contains("Permission denied (as uid 4712)") })
    withExtendedLifetime(daemon) {}
  }

  // MARK: failures

  @Test("Without the service mail is deferred; with lookup_fallback the tables are queried, and the log says so")
  func down() throws {
    try configure("")
    let deferred = try host.deliver(bytes: 10)
    #expect(deferred.status == 75 && deferred.output.hasPrefix("4.3.0 "))
    #expect(deferred.warning.contains("is the server running?"))
    try configure("lookup_fallback = yes")
    let delivered = try host.deliver(bytes: 10)
    #expect(delivered.status == 0)
    #expect(delivered.warning.contains("the tables were queried without the lookup service"))
    // A refusal also comes from the tables, and the log says that the service was not used.
    let unknown = try host.deliver(to: "none@example.org")
    #expect(unknown.output.hasPrefix("5.1.1 ") && unknown.warning.contains("without the lookup service"))
  }

  @Test("If the service hangs, mail is deferred within the deadline")
  func hangs() throws {
    let daemon = try start("delivery_time_limit = 2s")
    daemon.command.kill(SIGSTOP)
    let delivery = try host.deliver(bytes: 10)
    daemon.command.kill(SIGCONT)
    #expect(delivery.output.hasPrefix("4.3.0 ") && delivery.warning.contains("in time"), "\(delivery.log)")
  }

  @Test(
    "A wrong answer from the service never bounces or misdelivers a message",
    arguments: [
      "OK ../../etc/", "OK example.org/you", "OK ", "PERM no", "TEMP no", "garbage", "OK example.org/you/\u{0}/",
    ])
  func lies(reply: String) throws {
    let liar = try MadeUpServer { _ in (netstring(reply), false) }
    try host.configure("lookup_socket = \(liar.path)", maps: "static:unused/")
    let delivery = try host.deliver(bytes: 10)
    #expect(delivery.status == 75 && delivery.output.hasPrefix("4.3."), "\(delivery)")
    #expect(host.sandbox.list("base/example.org") == [])
  }

  @Test("While the database is down, answers younger than lookup_stale_time are used, and the log says so")
  func stale() throws {
    let daemon = try start("lookup_cache_time = 0\nlookup_stale_time = 1h")
    #expect(try host.deliver(bytes: 10).status == 0)
    #expect(try host.deliver(to: "none@example.org").output.hasPrefix("5.1.1 "))
    try cluster.stop()
    let delivery = try host.deliver(bytes: 20)
    #expect(delivery.status == 0)
    #expect(delivery.log.contains { $0.contains("virtual_mailbox_maps: giving old answers meanwhile") })
    #expect(try host.deliver(to: "none@example.org").output.hasPrefix("4.3.0 "))
    #expect(try host.deliver(to: "new@example.org").output.hasPrefix("4.3.0 "))
    try cluster.start()
    // A host that refused a connection is not tried again for a second.
    try waitUntil("an answer from the database") {
      try host.deliver(to: "none@example.org").output.hasPrefix("5.1.1 ") ? () : nil
    }
    #expect(host.log.lines().isEmpty)
    withExtendedLifetime(daemon) {}
  }

  @Test("Connections cut by a restart of PostgreSQL are reopened without an error")
  func restart() throws {
    let daemon = try start("lookup_cache_time = 0")
    #expect(try host.deliver(bytes: 10).status == 0)
    try cluster.stop()
    try cluster.start()
    #expect(try host.deliver(bytes: 10).status == 0)
    try cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postfix'")
    #expect(try host.deliver(bytes: 10).status == 0)
    #expect(!host.log.lines().contains { $0.contains("lookups fail") })
    withExtendedLifetime(daemon) {}
  }

  @Test("A failed query does not close the connection")
  func queryError() throws {
    let query = "SELECT pg_backend_pid() / (CASE '%s' WHEN 'bad@example.org' THEN 0 ELSE 1 END)"
    try host.sandbox.write("limits.cf", cluster.tableFile(query))
    let daemon = try start("lookup_cache_time = 0")
    let client = try daemon.connect()
    let process = client.ask("virtual_mailbox_limit_maps", "you@example.org")
    #expect(process?.hasPrefix("OK ") == true)
    #expect(client.ask("virtual_mailbox_limit_maps", "bad@example.org")?.contains("division by zero") == true)
    #expect(client.ask("virtual_mailbox_limit_maps", "you@example.org") == process)
    withExtendedLifetime(daemon) {}
  }

  @Test("Only a primary can say that a mailbox does not exist; connections are spread over the hosts")
  func standby() throws {
    let standby = try PostgresCluster(following: cluster)
    let hosts = "unix:\(standby.sandbox.path) inet:127.0.0.1:\(cluster.port)"
    for (name, query) in [("mailboxes.cf", PostgresCluster.pathQuery), ("limits.cf", PostgresCluster.limitQuery)] {
      try host.sandbox.write(
        name,
        cluster.tableFile(query, hosts: hosts).replacingOccurrences(
          of: "dbname = postgres", with: "dbname = port=\(standby.port) dbname=postgres"))
    }
    let daemon = try start("lookup_cache_time = 0")
    #expect(try host.deliver(bytes: 10).status == 0)
    // The standby had no such row: the primary was queried, on a second connection.
    #expect(try host.deliver(to: "none@example.org").output.hasPrefix("5.1.1 "))
    let count = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'postfix'"
    #expect(try cluster.sql(count) == "1\n" && standby.sql(count) == "1\n")
    try cluster.stop()
    let delivery = try host.deliver(to: "none@example.org")
    #expect(delivery.output.hasPrefix("4.3.0 "), "\(delivery)")
    #expect(try host.deliver(bytes: 10).status == 0)
    withExtendedLifetime(daemon) {}
  }

  @Test("Tables in other databases share the limit on connections")
  func severalDatabases() throws {
    try cluster.sql("CREATE DATABASE other")
    try cluster.sql(
      "CREATE TABLE mailbox AS SELECT 'you@example.org' AS username, 700 AS quota, 1 AS active; GRANT SELECT ON"
        + " mailbox TO postfix",
      database: "other")
    let file = cluster.tableFile(PostgresCluster.limitQuery)
    try host.sandbox.write("limits.cf", file.replacingOccurrences(of: "dbname=postgres", with: "dbname=other"))
    let daemon = try start("lookup_connections = 1\nlookup_cache_time = 0")
    for _ in 0..<3 {
      let delivery = try host.deliver(bytes: 100)
      #expect(delivery.status == 0 && delivery.log.contains { $0.contains("limit=700") }, "\(delivery.log)")
      #expect(try connections() == 1)
    }
    withExtendedLifetime(daemon) {}
  }

  // MARK: hostile clients

  @Test(
    "An invalid request closes its own connection, and nothing else",
    arguments: [
      "999999999:", "5000:", "x", "-1:,", "3:abc;", "3:abc,", "0:,", "00:,", "\u{0}\u{0}\u{0}", "3:a b,garbage",
    ])
  func badRequests(bytes: String) throws {
    let daemon = try start()
    let bad = try daemon.connect()
    bad.send(bytes)
    // The only valid request among them is answered first.
    if bytes.hasPrefix("3:a b,") {
      #expect(String(decoding: bad.receive(), as: UTF8.self).contains("PERM there is no such map"))
    }
    #expect(bad.receive() == [])
    #expect(try daemon.connect().ask("virtual_mailbox_limit_maps", "you@example.org") == "OK 1000")
  }

  @Test("1,000 idle connections and 1,000 half requests neither stop the service nor make it grow")
  func idleClients() throws {
    let daemon = try start()
    func answers() throws -> Bool {
      try daemon.connect().ask("virtual_mailbox_limit_maps", "you@example.org") == "OK 1000"
    }
    #expect(try answers())
    let memory = daemon.memory
    for half in ["", "4000:virtual_mailbox_maps " + String(repeating: "x", count: 3000)] {
      var crowd: [UnixSocket] = []
      for number in 1...1000 {
        let client = try daemon.connect()
        client.send(half)
        crowd.append(client)
        if number.isMultiple(of: 100) { #expect(try answers()) }
      }
      #expect(daemon.descriptors < 600)
      #expect(try host.deliver(bytes: 10).status == 0)
      withExtendedLifetime(crowd) {}
    }
    #expect(daemon.memory - memory < 30_000, "\(memory) KiB before, \(daemon.memory) KiB after")
  }

  @Test("With 512 requests pending, many of closed connections, new clients are turned away, and SIGTERM drains")
  func allWaiting() throws {
    let gate = DispatchSemaphore(value: 0)
    let slow = try MadeUpServer { _ in
      gate.wait()
      gate.signal()
      return (netstring("OK 5"), false)
    }
    let daemon = try start("virtual_uid_maps = socketmap:unix:\(slow.path):x")
    for round in 0..<3 {
      var crowd: [UnixSocket] = []
      for number in 0..<300 {
        let client = try daemon.connect()
        client.send(netstring("virtual_uid_maps \(round).\(number)@example.org"))
        crowd.append(client)
      }
      withExtendedLifetime(crowd) {}
    }
    let late = try daemon.connect()
    #expect(late.receive() == [])
    #expect(daemon.descriptors < 100)
    daemon.command.kill(SIGTERM)
    gate.signal()
    #expect(daemon.command.wait().status == 0)
  }

  @Test("A client that sends without end and never reads is no longer read from, and does not make the service grow")
  func deafClient() throws {
    let daemon = try start()
    let deaf = try daemon.connect()
    let request = netstring("virtual_mailbox_limit_maps you@example.org")
    let flood = Array(String(repeating: request, count: 1000).utf8)
    let memory = daemon.memory
    // Until the socket accepts no more: about 200 KB each way.
    while unsafe send(deaf.descriptor, flood, flood.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)) > 0 {}
    #expect(try daemon.connect().ask("virtual_mailbox_limit_maps", "you@example.org") == "OK 1000")
    #expect(daemon.memory - memory < 20_000)
  }

  @Test("Many requests in one write are answered in order")
  func pipelining() throws {
    let daemon = try start()
    let client = try daemon.connect()
    let maps = ["virtual_mailbox_maps", "virtual_mailbox_limit_maps", "none"]
    client.send((0..<30).map { netstring("\(maps[$0 % 3]) you@example.org") }.joined())
    let one = netstring("OK example.org/you/") + netstring("OK 1000")
    var received = ""
    while received.components(separatedBy: "PERM").count <= 10 {
      let bytes = client.receive()
      try #require(!bytes.isEmpty)
      received += String(decoding: bytes, as: UTF8.self)
    }
    #expect(received.hasPrefix(one) && received.components(separatedBy: one).count == 11)
  }

  /// That the cache itself is bounded is shown by `LookupCacheTests`.
  @Test("Requests leave nothing behind in the service's memory, beside cached answers")
  func memory() throws {
    let daemon = try start("lookup_cache_time = 1h\nvirtual_uid_maps = inline:{ x=1 }")
    let client = try daemon.connect()
    var memory = 0
    for number in 0..<20_000 {
      if number == 5000 { memory = daemon.memory }
      _ = client.ask("virtual_uid_maps", "user\(number % 100)@example.org")
    }
    // 15,000 requests: less than 140 bytes each.
    #expect(daemon.memory - memory < 2000, "\(memory) KiB, then \(daemon.memory) KiB")
  }

  @Test("A service that has an older recipient_delimiter defers mail, and bounces none")
  func olderDelimiter() throws {
    let daemon = try start()
    func deliver(_ address: String) throws -> MailHost.Delivery {
      let arguments = host.arguments.map { $0.hasPrefix("--recipient=") ? "--recipient=\(address)" : $0 }
      return try host.deliver(MailHost.message(10), arguments: arguments + ["--extension=x"])
    }
    // As the log says, the delimiter is set; the service does not know yet.
    try configure("recipient_delimiter = +")
    let deferred = try deliver("you+x@example.org")
    #expect(deferred.output.hasPrefix("4.3.5 ") && deferred.warning.contains("systemctl reload ullaged-lookup"))
    #expect(try deliver("none+x@example.org").output.hasPrefix("5.1.1 "))
    daemon.command.kill(SIGHUP)
    try waitUntil("the reload") { try deliver("you+x@example.org").status == 0 ? () : nil }
  }

  @Test("check finds a service that still has an older ullage.cf, and the reload that it prints mends it")
  func olderConfiguration() throws {
    let daemon = try start()
    let texts = host.sandbox("texts")
    try host.sandbox.write("texts", "you@example.org x\n", mode: 0o644)
    try configure("virtual_maildir_limit_message_maps = texthash:\(texts)")
    func found() throws -> [[String: String]] {
      try host.ullage("check", "--format=jsonl", "--postfix=/nowhere", "--user=nobody", asMailUser: false).records
        .filter { $0["kind"] == "lookup-service" }
    }
    let finding = try #require(try found().first)
    #expect(
      finding["place"] == "virtual_maildir_limit_message_maps"
        // It is not the package's service, which systemctl would reload.
        && finding["remedy"] == "send SIGHUP to the service that answers on \(host.sandbox("lookup"))",
      "\(finding)")
    daemon.command.kill(SIGHUP)
    try waitUntil("the reload") { try found().isEmpty ? () : nil }
  }

  // MARK: life cycle

  @Test("SIGHUP rereads everything; an invalid configuration is logged and changes nothing")
  func reload() throws {
    let daemon = try start("lookup_cache_time = 0")
    try host.sandbox.write("limits.cf", cluster.tableFile("SELECT 77 WHERE '%s' <> ''"))
    try configure("virtual_overquota_bounce = perhaps")
    daemon.command.kill(SIGHUP)
    let client = try daemon.connect()
    try waitUntil("a line in the log") {
      host.log.lines().contains { $0.contains("stays in effect") && $0.contains("virtual_overquota_bounce") } ? () : nil
    }
    #expect(client.ask("virtual_mailbox_limit_maps", "you@example.org") == "OK 1000")
    try configure("")
    daemon.command.kill(SIGHUP)
    try host.configure(
      """
      virtual_mailbox_limit_maps = pgsql:\(host.sandbox("limits.cf"))
      lookup_socket = \(socket).new
      metrics_socket = lookup=\(host.sandbox("lookup-metrics"))
      lookup_cache_time = 0
      """, maps: "pgsql:\(host.sandbox("mailboxes.cf"))")
    daemon.command.kill(SIGHUP)
    var log: [String] = []
    try waitUntil("a line about each socket") {
      log += host.log.lines()
      return ["lookup_socket", "metrics_socket"].allSatisfy { name in
        log.contains { $0.contains("\(name) has changed, which takes a restart") }
      } ? () : nil
    }
    try waitUntil("the new table") { client.ask("virtual_mailbox_limit_maps", "you@example.org") == "OK 77" ? () : nil }
  }

  @Test("On SIGTERM the service answers the current request, and exits with status 0")
  func drain() throws {
    let slow = "SELECT quota FROM mailbox, pg_sleep(1) WHERE username='%s'"
    try host.sandbox.write("limits.cf", cluster.tableFile(slow))
    let daemon = try start()
    let idle = try daemon.connect()
    #expect(idle.ask("virtual_mailbox_maps", "you@example.org") == "OK example.org/you/")
    let busy = try daemon.connect()
    busy.send(netstring("virtual_mailbox_limit_maps you@example.org"))
    let active = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'postfix' AND state = 'active'"
    try waitUntil("the query") { try cluster.sql(active) == "1\n" ? () : nil }
    daemon.command.kill(SIGTERM)
    #expect(String(decoding: busy.receive(), as: UTF8.self) == netstring("OK 1000"))
    #expect(busy.receive() == [] && idle.receive() == [])
    #expect(daemon.command.wait().status == 0)
    #expect(host.sandbox.status("lookup") == nil)
  }

  @Test("Only owner and group may use the socket; a second service leaves it alone, one after a crash takes it over")
  func socketFile() throws {
    let daemon = try start()
    #expect(try #require(host.sandbox.status("lookup")).st_mode & 0o777 == 0o660)
    let second = try Command.run(
      MailUser.drop + [Programs.path("ullaged"), "lookup", "--config=\(host.sandbox("ullage.cf"))"])
    #expect(second.status == 71 && second.errors.contains("is served by another process"), "\(second)")
    daemon.command.kill(SIGKILL)
    _ = daemon.command.wait()
    let third = try start()
    #expect(try host.deliver(bytes: 10).status == 0)
    withExtendedLifetime(third) {}
  }

  @Test(
    "What keeps the service from starting is printed and logged, and the exit status is 78 or 71",
    arguments: [
      ("lookup_socket =", 71, "set lookup_socket"), ("virtual_uid_maps = texthash:/none", 78, "texthash:/none"),
      ("nonsense = 1", 78, "unknown parameter nonsense"), ("lookup_socket = /nonexistent/socket", 71, "cannot listen"),
    ])
  func cannotStart(line: String, status: Int32, text: String) throws {
    try configure(line)
    let ending = try Command.run(
      MailUser.drop + [Programs.path("ullaged"), "lookup", "--config=\(host.sandbox("ullage.cf"))"])
    #expect(ending.status == status && ending.errors.contains(text), "\(ending)")
    #expect(host.log.lines().contains { $0.contains(text) })
  }

  @Test("systemd passes the socket, and is notified when the service is ready, reloads and stops (sd_notify(3))")
  func systemd() throws {
    let notify = try LogReceiver(host.sandbox("notify"))
    let launcher = MailUser.drop + ["systemd-socket-activate", "--listen=\(socket)", "--setenv=NOTIFY_SOCKET"]
    let daemon = try start(launcher: launcher, environment: ["NOTIFY_SOCKET": host.sandbox("notify")])
    #expect(try host.deliver(bytes: 10).status == 0)
    #expect(notify.datagrams() == ["READY=1"])
    daemon.command.kill(SIGHUP)
    var heard: [String] = []
    try waitUntil("the reload") {
      heard += notify.datagrams()
      return heard == ["RELOADING=1", "READY=1"] ? () : nil
    }
    daemon.command.kill(SIGTERM)
    #expect(daemon.command.wait().status == 0)
    #expect(notify.datagrams() == ["STOPPING=1"])
  }
}
