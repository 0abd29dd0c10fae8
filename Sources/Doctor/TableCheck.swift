// SPDX-License-Identifier: Apache-2.0
import Configuration
import Mailboxes
import Migration
import Posix
import Postgres
import Reports
import Tables
import Text

/// The tables: their files, their databases, and whether an index serves the queries.
struct TableCheck {
  let settings: Settings
  /// The mail user; nil if it is unknown, or we cannot act as that user.
  let user: User?

  /// Seconds for each table.
  private static let patience: Int64 = 20
  private static let sample = Array("you@example.org".utf8)

  /// - Returns: how many connections deliveries may have to a database, the minimum over all databases; nil
  ///   if they query none, or it is unknown.
  func run(_ report: inout CheckReport) -> Int64? {
    var connections: [Int64] = []
    var seen: Set<TableReference> = []
    for parameter in Parameter.tables {
      for table in settings.tables(parameter) where seen.insert(table.behindProxy).inserted {
        check(table.behindProxy, parameter, &connections, &report)
      }
    }
    if let socket = settings.lookupService.socket { checkService(socket, &report) }
    return connections.min()
  }

  /// With the lookup service, the mail user queries no table itself.
  private var isAskedByService: Bool { settings.lookupService.socket != nil && !settings.lookupService.fallsBack }

  private func check(
    _ table: TableReference, _ parameter: Parameter, _ connections: inout [Int64], _ report: inout CheckReport
  ) {
    let count = report.diagnoses.count
    let reader = isAskedByService ? nil : user
    if user == nil, let file = Survey.files(of: table).first.flatMap({ Path($0.utf8) }), !isAllowed(.reading, to: file)
    {
      return report.skip(table.text, because: "you may not read it", remedy: "run it as root")
    }
    do {
      try reader.acting { () throws(TableError) in
        try TableSet().open([table], until: Deadline(secondsFromNow: Self.patience))
      }
    } catch {
      return report.add(
        .error, .badTable, error.shown, at: parameter.rawValue, reason: "mail is deferred until it is corrected",
        remedy: cure(table))
    }
    checkRights(table, &report)
    if isAskedByService {
      if table.type == "pgsql" { checkPlanOnly(table, &report) }
      if !report.hasTrouble(since: count) { report.good("\(table.text) can be read (\(parameter.rawValue))") }
      return
    }
    if table.type == "pgsql" {
      if let limit = checkDatabase(table, parameter, &report) { connections.append(limit) }
    } else {
      ask(table, parameter, &report)
    }
    if !report.hasTrouble(since: count) { report.good("\(table.text) answers for \(parameter.rawValue)") }
  }

  private func cure(_ table: TableReference) -> String {
    let files = Survey.files(of: table).filter { Survey.exists($0) }
    guard let user, !isAskedByService, case let closed = Survey.closed(files, to: user), !closed.files.isEmpty
    else {
      return "correct it; see ullage.cf(5) and pgsql_table(5)"
    }
    let commands =
      closed.directories.map { "setfacl -m u:\(user.name):x \(shellWord($0))" }
      + closed.files.map { "setfacl -m u:\(user.name):r \(shellWord($0))" }
    return commands.joined(separator: " && ")
  }

  private func remedy(_ table: TableReference, _ error: TableError) -> String {
    let missing = Survey.files(of: table).filter { !Survey.exists($0) }
    if !missing.isEmpty {
      return missing == [table.name.text] ? "create the file \(missing[0])" : "postmap \(shellWord(table.text))"
    }
    if error.shown.contains("unsupported dictionary type") { return "apt-get install postfix-\(table.type)" }
    let cure = cure(table)
    return cure.hasPrefix("setfacl") ? cure : "postmap -q you@example.org \(shellWord(table.text))"
  }

  private func checkRights(_ table: TableReference, _ report: inout CheckReport) {
    guard Survey.files(of: table) != [], let path = Path(table.name), let status = try? stat(path) else { return }
    let name = shellWord(table.name.text)
    if status.permissions & 0o004 != 0, hasPassword(table) {
      report.add(
        .warning, .tableRights,
        "anyone can read it, and it contains a password (mode \(String(status.permissions, radix: 8)))",
        at: name, reason: "anyone with an account here can query the database as Postfix does",
        // The service reads it as a member of group postfix.
        remedy: isAskedByService
          ? "chgrp postfix \(name) && chmod 640 \(name)"
          : user.map { "chmod o-rwx \(name) && setfacl -m u:\($0.name):r \(name)" } ?? "chmod o-rwx \(name)")
    }
    if status.permissions & 0o002 != 0 {
      report.add(
        .error, .tableRights, "anyone can write to it", at: name,
        reason: "whoever writes it decides where mail goes",
        remedy: "chmod o-w \(name)")
    }
  }

  /// By the names that pgsql_table(5), mysql_table(5) and ldap_table(5) give it.
  private func hasPassword(_ table: TableReference) -> Bool {
    guard ["pgsql", "mysql", "ldap"].contains(table.type), let path = Path(table.name),
      let text = try? File.contents(of: path, limit: 1 << 20, until: Deadline(secondsFromNow: Self.patience))
    else { return false }
    return LogicalLine.split(text).compactMap(\.assignment).contains {
      ["password", "bind_pw"].contains($0.name.text) && !$0.value.isEmpty
    }
  }

  private func ask(_ table: TableReference, _ parameter: Parameter, _ report: inout CheckReport) {
    do {
      _ = try user.acting { () throws(TableError) in
        try TableSet().query(Self.sample, in: table, until: Deadline(secondsFromNow: Self.patience))
      }
    } catch {
      report.add(
        .error, .badTable, error.shown, at: parameter.rawValue, reason: "mail is deferred while it does not answer",
        remedy: remedy(table, error))
    }
  }

  /// Checks the plan if we can connect: only the service needs access, which is tested below.
  private func checkPlanOnly(_ table: TableReference, _ report: inout CheckReport) {
    let deadline = Deadline(secondsFromNow: Self.patience)
    do {
      let database = try TableDatabase(table, until: deadline)
      let connection = try database.connect(until: deadline)
      try checkPlan(database, connection, table, until: deadline, &report)
    } catch {
      let reason = (error as? any ExplainedError)?.shown ?? "\(error)"
      report.skip("whether an index helps \(table.text)", because: reason)
    }
  }

  private func checkDatabase(
    _ table: TableReference, _ parameter: Parameter, _ report: inout CheckReport
  ) -> Int64? {
    let deadline = Deadline(secondsFromNow: Self.patience)
    do {
      let database = try user.acting { () throws(TableError) in try TableDatabase(table, until: deadline) }
      do {
        // As the mail user, because PostgreSQL may authenticate the user of the process (pg_hba.conf, peer).
        let connection = try user.acting { () throws(PostgresError) in try database.connect(until: deadline) }
        try checkPlan(database, connection, table, until: deadline, &report)
        return try available(connection, until: deadline)
      } catch {
        if case .query = error {
          report.add(
            .error, .badTable, error.shown, at: table.text, reason: "mail is deferred until the query is corrected",
            remedy: "correct query in \(table.name.text)")
        } else {
          report.add(
            .error, .databaseUnreachable, error.shown, at: table.text, reason: "mail is deferred until it answers",
            remedy: "start the database, or correct hosts, user and password in \(table.name.text)")
        }
      }
    } catch {
      report.add(
        .error, .badTable, error.shown, at: parameter.rawValue, reason: "mail is deferred until it is corrected")
    }
    return nil
  }

  /// A plan that reads a whole table despite `enable_seqscan = off` has no index to use.
  private func checkPlan(
    _ database: TableDatabase, _ connection: PostgresConnection, _ table: TableReference,
    until deadline: Deadline, _ report: inout CheckReport
  ) throws(PostgresError) {
    guard let statement = try database.statement(for: Self.sample, on: connection) else { return }
    // For this transaction only, so that pgbouncer gets the connection back unchanged.
    try connection.execute(Array("BEGIN READ ONLY; SET LOCAL enable_seqscan = off".utf8), until: deadline)
    let plan = try connection.query(Array("EXPLAIN ".utf8) + statement, until: deadline)
    try connection.execute(Array("ROLLBACK".utf8), until: deadline)
    let lines = plan.compactMap { $0.first.flatMap { $0 }?.text }
    guard let (relation, filter) = Self.wholeScan(lines) else { return }
    let isLarge = try hasManyRows(relation, connection, until: deadline)
    report.add(
      isLarge ? .warning : .notice, .noIndex, "no index helps: the whole of \(relation) is read for each message",
      at: table.text, reason: "a lookup takes longer with each row, and past 20 seconds mail is deferred",
      remedy: "add an index on \(relation) for this condition: \(filter ?? "none: the query has no WHERE")")
  }

  /// A relation of which a plan reads every row, and the condition that it applies to each.
  ///
  /// With `enable_seqscan = off` a plan may read a whole index instead: a scan without `Index Cond`.
  private static func wholeScan(_ plan: [String]) -> (relation: String, filter: String?)? {
    // Each node with the lines that belong to it.
    let nodes = plan.reduce(into: [[String]]()) { nodes, line in
      if nodes.isEmpty || line.contains("->") { nodes.append([line]) } else { nodes[nodes.count - 1].append(line) }
    }
    func word(_ line: String, behind text: String) -> String? {
      line.split(separator: text).dropFirst().first?.split(separator: " ").first.map(String.init)
    }
    for (index, node) in nodes.enumerated() {
      let isWhole =
        node[0].contains("Seq Scan on ")
        || node[0].contains("Index") && node[0].contains("Scan") && !node.contains { $0.contains("Index Cond: ") }
      guard isWhole else { continue }
      // A Bitmap Index Scan is below the node that names the relation and the condition.
      let holder = node[0].contains("Bitmap Index Scan") && index > 0 ? nodes[index - 1] : node
      let filter = holder.first { $0.contains("Filter: ") || $0.contains("Recheck Cond: ") }
      return (
        word(holder[0], behind: " on ") ?? "", filter?.split(separator: ": ", maxSplits: 1).last.map(String.init)
      )
    }
    return nil
  }

  /// Whether it has more than a thousand rows; true if that is unknown.
  private func hasManyRows(
    _ relation: String, _ connection: PostgresConnection, until deadline: Deadline
  ) throws(PostgresError) -> Bool {
    let sql = "SELECT count(*) > 1000 FROM (SELECT FROM \(relation) LIMIT 1001) AS first_rows"
    do { return try connection.query(Array(sql.utf8), until: deadline) == [[Array("t".utf8)]] } catch {
      if case .query = error { return true }
      throw error
    }
  }

  /// The connections available to ordinary roles, or the limit of this role or database if that is lower;
  /// nil behind a pooler.
  private func available(
    _ connection: PostgresConnection, until deadline: Deadline
  ) throws(PostgresError) -> Int64? {
    guard try !connection.isPooled(until: deadline) else { return nil }
    let sql = """
      SELECT least(current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int \
      - coalesce(current_setting('reserved_connections', true)::int, 0), nullif(rolconnlimit, -1), nullif(datconnlimit, -1)) \
      FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()
      """
    return try connection.query(Array(sql.utf8), until: deadline).first?.first.flatMap { $0 }.flatMap { Int64($0.text) }
  }

  private func checkService(_ socket: [UInt8], _ report: inout CheckReport) {
    let lookup = AddressLookup(settings)
    do {
      _ = try user.acting { () throws(TableError) in
        try lookup.value(
          of: .virtual_mailbox_maps, for: Self.sample, until: Deadline(secondsFromNow: Self.patience))
      }
    } catch {
      return report.add(
        .error, .lookupService, error.shown, at: "lookup_socket", reason: "mail is deferred until it answers",
        remedy: "systemctl start ullaged-lookup.socket ullaged-lookup.service, or lookup_fallback = yes")
    }
    if let failure = lookup.serviceFailure {
      report.add(
        .warning, .lookupService, failure, at: "lookup_socket",
        reason: "the tables are queried instead (lookup_fallback), at three times the cost",
        remedy: "systemctl start ullaged-lookup.socket ullaged-lookup.service")
    } else {
      report.good("the lookup service answers on \(socket.text)")
    }
  }
}
