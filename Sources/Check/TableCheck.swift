// SPDX-License-Identifier: Apache-2.0
import Configuration
import Database
import Findings
import Mailboxes
import Posix
import Postgres
import Site
import Tables
import Text

/// The tables: their files, their databases, and whether an index serves the queries.
struct TableCheck {
  private let site: Site
  private let settings: Settings
  private let runsSystemd: Bool
  private(set) var found = FindingList(.tables)

  init(site: Site, settings: Settings, runsSystemd: Bool = TableFiles.runsSystemd) {
    self.site = site
    self.settings = settings
    self.runsSystemd = runsSystemd
  }

  /// Seconds for each table.
  private static let timeLimit: Int64 = 20
  private static let sample = Array("you@example.org".utf8)

  /// - Returns: how many connections deliveries may have to a database, the minimum over all databases; nil
  ///   if they query none, or it is unknown.
  mutating func run() -> Int64? {
    var connections: [Int64] = []
    var seen: Set<TableReference> = []
    for parameter in Parameter.tables {
      for table in settings.tables(parameter) where seen.insert(table.behindProxy).inserted {
        check(table.behindProxy, parameter, &connections)
      }
    }
    if let socket = settings.lookupService.socket { checkService(socket) }
    return connections.min()
  }

  /// With the lookup service, the mail user queries no table itself.
  private var isAskedByService: Bool { settings.lookupService.socket != nil && !settings.lookupService.fallsBack }

  private mutating func check(
    _ table: TableReference, _ parameter: Parameter, _ connections: inout [Int64]
  ) {
    let count = found.findings.count
    if site.user == nil, let file = TableFiles.files(of: table).first, TableFiles.isClosed(file) {
      return found.skip(table.text, because: "you may not read it", remedy: .runAsRoot)
    }
    do { try open(table) } catch {
      return found.add(
        .error, .badTable, error.shown, at: parameter.rawValue, reason: "mail is deferred until it is corrected",
        remedy: TableRemedy.access(to: table, for: reader) ?? .advice("correct it; see ullage.cf(5) and pgsql_table(5)")
      )
    }
    checkRights(table)
    if table.type == "pgsql", !parameter.mayBeConstant { checkKey(table) }
    if isAskedByService {
      if table.type == "pgsql" { checkPlanOnly(table) }
      if !found.hasTrouble(since: count) { found.good("\(table.text) can be read (\(parameter.rawValue))") }
      return
    }
    if table.type == "pgsql" {
      if let limit = checkDatabase(table, parameter) { connections.append(limit) }
    } else {
      ask(table, parameter)
    }
    if !found.hasTrouble(since: count) { found.good("\(table.text) answers for \(parameter.rawValue)\(asWhom)") }
  }

  /// Root may read what the mail user may not.
  private var asWhom: String {
    site.user == nil && CurrentProcess.effectiveUser == 0 ? ", asked as root: the mail user is not known yet" : ""
  }

  private func open(_ table: TableReference) throws(TableError) {
    func open() throws(TableError) {
      try TableSet().open([table], until: Deadline(secondsFromNow: Self.timeLimit))
    }
    if isAskedByService { try open() } else { try site.actingAsUser(open) }
  }

  /// Whom the table must let read its files; nil where the lookup service does that.
  private var reader: User? { isAskedByService ? nil : site.user }

  private mutating func checkRights(_ table: TableReference) {
    guard !TableFiles.files(of: table).isEmpty, let path = Path(table.name) else { return }
    let name = table.name.text
    let status: FileStatus
    // The text of a table that postmap(1) has compiled may be gone.
    do { status = try stat(path) } catch { return }
    if status.permissions & 0o004 != 0, hasPassword(table) {
      found.add(
        .warning, .tableRights,
        "anyone can read it, and it contains a password (mode \(String(status.permissions, radix: 8)))",
        at: shellWord(name), reason: "anyone with an account here can query the database as Postfix does",
        // The service reads it as a member of group postfix.
        remedy: isAskedByService
          ? .run(Self.postfixOnly(name))
          // Access is given before it is taken.
          : .run((site.user.map { Command.grant($0.name, files: [name]) } ?? []) + Self.postfixOnly(name)))
    }
    if status.permissions & 0o002 != 0 {
      found.add(
        .error, .tableRights, "anyone can write to it", at: shellWord(name),
        reason: "whoever writes it decides where mail goes",
        remedy: .run(.chmod("o-w", name)))
    }
  }

  /// Postfix's own programs, proxymap(8) for instance, open such a file as the user postfix.
  private static func postfixOnly(_ name: String) -> [Command] {
    Group.id(of: "postfix") == nil
      ? [.chmod("o-rwx", name)] : [Command("chgrp", "postfix", name), .chmod("u=rw,g=r,o=", name)]
  }

  /// By the names that pgsql_table(5), mysql_table(5) and ldap_table(5) give it.
  private func hasPassword(_ table: TableReference) -> Bool {
    guard ["pgsql", "mysql", "ldap"].contains(table.type), let path = Path(table.name) else { return false }
    let text: [UInt8]
    do {
      text = try File.contents(of: path, limit: 1 << 20, until: Deadline(secondsFromNow: Self.timeLimit))
    } catch { return false }
    return LogicalLine.split(text).compactMap(\.assignment).contains {
      ["password", "bind_pw"].contains($0.name.text) && !$0.value.isEmpty
    }
  }

  private mutating func checkKey(_ table: TableReference) {
    let database: TableDatabase
    // It has just been opened; if it cannot be read any more, the query below says so.
    do { database = try TableDatabase(table, until: Deadline(secondsFromNow: Self.timeLimit)) } catch { return }
    guard !database.dependsOnKey else { return }
    found.add(
      .error, .badTable, "its query contains no part of the address, such as '%s'", at: table.text,
      reason: "the answer is the same for every address, so one mailbox would get all mail",
      remedy: .advice(
        "add the condition to query in \(table.name.text); a line that continues the query must begin with a blank"))
  }

  private mutating func ask(_ table: TableReference, _ parameter: Parameter) {
    do {
      _ = try site.actingAsUser { () throws(TableError) in
        try TableSet().query(TableQuery(Self.sample, until: Deadline(secondsFromNow: Self.timeLimit)), in: table)
      }
    } catch {
      found.add(
        .error, .badTable, error.shown, at: parameter.rawValue, reason: "mail is deferred while it does not answer",
        remedy: TableRemedy.remedy(for: error, of: table, for: reader))
    }
  }

  /// Checks the plan if we can connect: only the service needs access, which is tested below.
  private mutating func checkPlanOnly(_ table: TableReference) {
    let deadline = Deadline(secondsFromNow: Self.timeLimit)
    do {
      let database = try TableDatabase(table, until: deadline)
      let connection = try database.connection.connect(until: deadline)
      try checkPlan(database, connection, table, until: deadline)
    } catch {
      let reason = (error as? any ExplainedError)?.shown ?? "\(error)"
      found.skip("whether an index helps \(table.text)", because: reason)
    }
  }

  private mutating func checkDatabase(
    _ table: TableReference, _ parameter: Parameter
  ) -> Int64? {
    let deadline = Deadline(secondsFromNow: Self.timeLimit)
    do {
      let database = try site.actingAsUser { () throws(TableError) in
        try TableDatabase(table, until: deadline)
      }
      do {
        // As the mail user, because PostgreSQL may authenticate the user of the process (pg_hba.conf, peer).
        let connection = try site.actingAsUser { () throws(PostgresError) in
          try database.connection.connect(until: deadline)
        }
        try checkPlan(database, connection, table, until: deadline)
        return try available(connection, until: deadline)
      } catch {
        if case .query = error {
          found.add(
            .error, .badTable, error.shown, at: table.text, reason: "mail is deferred until the query is corrected",
            remedy: .advice("correct query in \(table.name.text)"))
        } else {
          found.add(
            .error, .databaseUnreachable, error.shown, at: table.text, reason: "mail is deferred until it answers",
            remedy: .advice("start the database, or correct hosts, user and password in \(table.name.text)"))
        }
      }
    } catch {
      found.add(
        .error, .badTable, error.shown, at: parameter.rawValue, reason: "mail is deferred until it is corrected")
    }
    return nil
  }

  /// A plan that reads a whole table despite `enable_seqscan = off` has no index to use.
  private mutating func checkPlan(
    _ database: TableDatabase, _ connection: PostgresConnection, _ table: TableReference,
    until deadline: Deadline
  ) throws(PostgresError) {
    guard let statement = try database.statement(for: Self.sample, on: connection) else { return }
    // For this transaction only, so that pgbouncer gets the connection back unchanged.
    try connection.execute(Array("BEGIN READ ONLY; SET LOCAL enable_seqscan = off".utf8), until: deadline)
    let answer = try connection.query(Array("EXPLAIN (FORMAT JSON) ".utf8) + statement, until: deadline)
    try connection.execute(Array("ROLLBACK".utf8), until: deadline)
    guard let plan = QueryPlan(json: answer.first?.first.flatMap { $0 } ?? []) else {
      return found.skip("whether an index helps \(table.text)", because: "its plan could not be read")
    }
    guard let (relation, filter) = plan.wholeScan else { return }
    let isLarge = try hasManyRows(relation, connection, until: deadline)
    found.add(
      isLarge ? .warning : .notice, .noIndex, "no index helps: the whole of \(relation) is read for each message",
      at: table.text, reason: "a lookup takes longer with each row, and past 20 seconds mail is deferred",
      remedy: .advice(
        "add an index on \(relation) for this condition: \(filter ?? "none: the query has no WHERE")"))
  }

  /// Whether it has more than a thousand rows; true if that is unknown.
  private func hasManyRows(
    _ relation: String, _ connection: PostgresConnection, until deadline: Deadline
  ) throws(PostgresError) -> Bool {
    let name = "\"\(relation.replacing(UInt8(ascii: "\""), with: "\"\""))\""
    let sql = "SELECT count(*) > 1000 FROM (SELECT FROM \(name) LIMIT 1001) AS first_rows"
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
      - coalesce(current_setting('reserved_connections', true)::int, 0), nullif(rolconnlimit, -1), \
      nullif(datconnlimit, -1)) \
      FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()
      """
    return try connection.query(Array(sql.utf8), until: deadline).first?.first.flatMap { $0 }.flatMap { Int64($0.text) }
  }

  private static let startService = Command.enable("ullaged-lookup.socket", "ullaged-lookup.service")

  /// A service that still has an older ullage.cf gives no answer to a parameter that was set since.
  private mutating func checkAnswer(_ parameter: Parameter, _ lookup: AddressLookup, _ socket: [UInt8]) {
    do {
      let query = AddressQuery(Self.sample, until: Deadline(secondsFromNow: Self.timeLimit))
      _ = try site.actingAsUser { () throws(TableError) in try lookup.value(of: parameter, for: query) }
    } catch {
      guard error.isAnswer, error.kind == .configuration, lookup.serviceFailure == nil else { return }
      found.add(
        .error, .lookupService, error.shown, at: parameter.rawValue, reason: "the service has an older ullage.cf",
        remedy: isPackaged(socket)
          ? .run(Command("systemctl", "reload", "ullaged-lookup"))
          : .advice("send SIGHUP to the service that answers on \(socket.text)"))
    }
  }

  /// The package's units know the usual socket and configuration only.
  private func isPackaged(_ socket: [UInt8]) -> Bool {
    runsSystemd && socket == Array("/run/ullage/lookup".utf8) && site.configurationFile == Ullage.configurationFile
  }

  private var startByHand: Remedy {
    .advice("start it, with --config=\(shellWord(site.configurationFile)): ullaged(8)")
  }

  private func serviceRemedy(_ error: TableError, _ socket: [UInt8]) -> Remedy {
    if error.isAnswer {
      return .advice("the service runs: correct the table as its message says, or start its database")
    }
    if error.kind == .configuration {
      return .advice(
        "let \(site.userName) connect: SocketGroup= in ullaged-lookup.socket must be its group; ullaged(8)")
    }
    return isPackaged(socket)
      ? .advise("start it (or set lookup_fallback = yes in ullage.cf instead)", [Self.startService]) : startByHand
  }

  private mutating func checkService(_ socket: [UInt8]) {
    let lookup = AddressLookup(settings)
    do {
      let query = AddressQuery(Self.sample, until: Deadline(secondsFromNow: Self.timeLimit))
      _ = try site.actingAsUser { () throws(TableError) in try lookup.value(of: .virtual_mailbox_maps, for: query) }
    } catch {
      return found.add(
        .error, .lookupService, error.shown, at: "lookup_socket", reason: "mail is deferred until it answers",
        remedy: serviceRemedy(error, socket))
    }
    for parameter in Parameter.tables where parameter != .virtual_mailbox_maps {
      if !settings.tables(parameter).isEmpty { checkAnswer(parameter, lookup, socket) }
    }
    if let failure = lookup.serviceFailure {
      found.add(
        .warning, .lookupService, failure, at: "lookup_socket",
        reason: "the tables are queried instead (lookup_fallback), at three times the cost",
        remedy: isPackaged(socket) ? .run(Self.startService) : startByHand)
    } else {
      found.good("the lookup service answers on \(socket.text)")
    }
  }
}
