// SPDX-License-Identifier: Apache-2.0
import Configuration
import Mailboxes
import Posix
import Postgres
import Tables

/// What the database server allows, as far as it tells.
struct ConnectionLimits {
  let all: Int64
  let reserved: Int64
}

/// The tables: their files, the databases behind them, and whether a question is answered by an index.
struct TableCheck {
  let settings: Settings
  let user: CurrentProcess.User?

  /// Seconds for each table.
  private static let patience: Int64 = 20
  private static let sample = Array("you@example.org".utf8)

  func run(_ report: inout CheckReport) -> ConnectionLimits? {
    var limits: ConnectionLimits?
    var seen: Set<TableReference> = []
    for parameter in Parameter.tables {
      for table in settings.tables(parameter) {
        let plain = table.behindProxy
        guard seen.insert(plain).inserted else { continue }
        check(plain, parameter, &limits, &report)
      }
    }
    if let socket = settings.lookupSocket { checkService(socket, &report) }
    return limits
  }

  /// With the lookup service, the mail user asks no table himself.
  private var reader: CurrentProcess.User? { settings.lookupSocket != nil && !settings.lookupFallsBack ? nil : user }

  private func check(
    _ table: TableReference, _ parameter: Parameter, _ limits: inout ConnectionLimits?, _ report: inout CheckReport
  ) {
    let count = report.diagnoses.count
    do {
      try reader.acting { () throws(TableError) in
        try TableSet().open([table], until: Deadline(secondsFromNow: Self.patience))
      }
    } catch {
      report.add(
        .error, .badTable, error.text, at: parameter.rawValue, reason: "mail is deferred until it is mended",
        remedy: cure(table))
      return
    }
    if table.type == "pgsql" {
      checkRights(table, &report)
      limits = checkDatabase(table, parameter, &report) ?? limits
    } else {
      ask(table, parameter, &report)
    }
    if !report.hasTrouble(since: count) { report.good("\(table.text) answers for \(parameter.rawValue)") }
  }

  private func cure(_ table: TableReference) -> String {
    guard let path = Path(table.name), let user = reader, !user.acting({ isAllowed(.reading, to: path) }),
      (try? stat(path)) != nil
    else { return "correct it; ullage.cf(5) and pgsql_table(5)" }
    return "setfacl -m u:\(user.name):r \(table.name.text)"
  }

  private func checkRights(_ table: TableReference, _ report: inout CheckReport) {
    guard let path = Path(table.name), let status = try? stat(path) else { return }
    let name = table.name.text
    if status.permissions & 0o004 != 0, hasPassword(table) {
      report.add(
        .warning, .tableRights,
        "everybody may read it, and it holds a password (mode \(String(status.permissions, radix: 8)))",
        at: name, reason: "whoever has an account here can ask the database as Postfix does",
        remedy: user.map { "chmod o-rwx \(name) && setfacl -m u:\($0.name):r \(name)" } ?? "chmod o-rwx \(name)")
    }
    if status.permissions & 0o002 != 0 {
      report.add(
        .error, .tableRights, "everybody may write to it", at: name,
        reason: "whoever writes it decides where mail goes",
        remedy: "chmod o-w \(name)")
    }
  }

  private func hasPassword(_ table: TableReference) -> Bool {
    (try? TableDatabase(table, until: Deadline(secondsFromNow: Self.patience)))?.hasPassword ?? false
  }

  private func ask(_ table: TableReference, _ parameter: Parameter, _ report: inout CheckReport) {
    do {
      _ = try reader.acting { () throws(TableError) in
        try TableSet().query(Self.sample, in: table, until: Deadline(secondsFromNow: Self.patience))
      }
    } catch {
      report.add(
        .error, .badTable, error.text, at: parameter.rawValue, reason: "mail is deferred while it has no answer",
        remedy: "ullage map you@example.org \(table.text)")
    }
  }

  private func checkDatabase(
    _ table: TableReference, _ parameter: Parameter, _ report: inout CheckReport
  ) -> ConnectionLimits? {
    let deadline = Deadline(secondsFromNow: Self.patience)
    do {
      let database = try reader.acting { () throws(TableError) in try TableDatabase(table, until: deadline) }
      do {
        // As the mail user, because PostgreSQL may go by the user of the process (pg_hba.conf, peer).
        let connection = try reader.acting { () throws(PostgresError) in try database.connect(until: deadline) }
        try checkPlan(database, connection, table, parameter, until: deadline, &report)
        return try limits(connection, until: deadline)
      } catch {
        let remedy =
          if case .query = error {
            "ullage map you@example.org \(table.text) --all-steps"
          } else { "start the database, or correct hosts, user and password in \(table.name.text)" }
        report.add(
          .error, .databaseUnreachable, error.text, at: table.text, reason: "mail is deferred until it answers",
          remedy: remedy)
      }
    } catch {
      report.add(.error, .badTable, error.text, at: parameter.rawValue, reason: "mail is deferred until it is mended")
    }
    return nil
  }

  /// A plan that reads a whole table although it was told not to has no index to go by.
  private func checkPlan(
    _ database: TableDatabase, _ connection: PostgresConnection, _ table: TableReference, _ parameter: Parameter,
    until deadline: Deadline, _ report: inout CheckReport
  ) throws(PostgresError) {
    guard let statement = try database.statement(for: Self.sample, on: connection) else { return }
    // For this transaction only, so that pgbouncer gives the connection back as it was.
    try connection.execute(Array("BEGIN READ ONLY; SET LOCAL enable_seqscan = off".utf8), until: deadline)
    let plan = try connection.query(Array("EXPLAIN ".utf8) + statement, until: deadline)
    try connection.execute(Array("ROLLBACK".utf8), until: deadline)
    let lines = plan.compactMap { $0.first.flatMap { $0 }?.text }
    guard let scan = lines.first(where: { $0.contains("Seq Scan on ") }) else { return }
    let relation = scan.split(separator: "Seq Scan on ").last?.split(separator: " ").first ?? "a table"
    report.add(
      .warning, .noIndex, "no index helps: the whole of \(relation) is read for each message", at: table.text,
      reason: "a lookup takes longer with each mailbox, and past 20 seconds mail is deferred",
      remedy: "make an index for the condition in query, for instance: CREATE INDEX ON \(relation) (username)")
  }

  private func limits(
    _ connection: PostgresConnection, until deadline: Deadline
  ) throws(PostgresError) -> ConnectionLimits? {
    let sql = "SELECT current_setting('max_connections'), current_setting('superuser_reserved_connections')"
    let row = try connection.query(Array(sql.utf8), until: deadline).first ?? []
    let numbers = row.compactMap { $0.flatMap { Int64($0.text) } }
    return numbers.count == 2 ? ConnectionLimits(all: numbers[0], reserved: numbers[1]) : nil
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
        .error, .lookupService, error.text, at: "lookup_socket", reason: "mail is deferred until it answers",
        remedy: "systemctl start ullaged-lookup.socket ullaged-lookup.service, or lookup_fallback = yes")
    }
    if let failure = lookup.serviceFailure {
      report.add(
        .warning, .lookupService, failure, at: "lookup_socket",
        reason: "the tables are asked in its place (lookup_fallback), at three times the cost",
        remedy: "systemctl start ullaged-lookup.socket ullaged-lookup.service")
    } else {
      report.good("the lookup service answers on \(socket.text)")
    }
  }
}
