// SPDX-License-Identifier: Apache-2.0
import CLibpq
package import Posix
import Text

/// Why PostgreSQL gave no answer. Every case is temporary: a database that is down must never refuse mail.
package enum PostgresError: ExplainedError, Equatable, Sendable {
  case libraryMissing(String)
  /// No connection; the text is libpq's, with passwords masked.
  case notConnected(String)
  /// The connection broke during a query.
  case lost(String)
  /// The server did not accept the connection or answer in time; the connection is unusable.
  case timedOut
  /// The server refused the query.
  case query(String)
  /// The server cancelled the query, and a retry may succeed: a time limit, a conflict on a standby.
  case cancelled(String)
  /// The text is not valid in the connection's encoding.
  case notEncodable

  package var sentence: [UInt8] { Array(text.utf8) }

  private var text: String {
    switch self {
    case .libraryMissing(let text): "libpq cannot be loaded: \(text); install the package libpq5"
    case .notConnected(let text): "no connection: \(text)"
    case .lost(let text): "connection lost: \(text)"
    case .timedOut: "no answer in time"
    case .query(let text): "query failed: \(text); see query in the table file"
    case .cancelled(let text): "query cancelled: \(text)"
    case .notEncodable: "the key cannot be represented in the connection's encoding"
    }
  }
}

/// One connection to PostgreSQL. We enforce a deadline on every wait, except libpq's DNS lookup. No server
/// setting is needed for that, so pgbouncer works as well as PostgreSQL.
///
/// Sendable, although libpq's handle is not: a connection has one user at a time (`ConnectionPool` lends it
/// to one caller and takes it back afterwards), and libpq allows different threads to use a handle one
/// after the other (its manual, "Behavior in Threaded Programs").
@safe
package final class PostgresConnection: @unchecked Sendable {
  /// Rows of columns, nil for NULL.
  package typealias Rows = [[[UInt8]?]]

  private let libpq: Libpq
  private let handle: Libpq.Connection
  private let mask: SecretMask

  /// - Parameters:
  ///   - parameters: libpq's keywords and values; a `dbname`, which may be a connection URI, comes first.
  ///   - library: the file name of libpq.
  package init(
    _ parameters: [(keyword: String, value: [UInt8])], library: String = "libpq.so.5", until deadline: Deadline
  ) throws(PostgresError) {
    do { libpq = try Libpq(library) } catch { throw .libraryMissing(error.shown) }
    let start = unsafe libpq.connectStartParams
    let handle = unsafe Self.withCStrings(parameters.map { Array($0.keyword.utf8) }) { keywords in
      unsafe Self.withCStrings(parameters.map { $0.value }) { values in unsafe start(keywords, values, 1) }
    }
    guard let handle = unsafe handle else { throw .notConnected("out of memory") }
    unsafe self.handle = handle
    mask = SecretMask(parameters)
    // All properties are set now, so the deinitializer closes the connection if this throws.
    // A server's notice on standard error would reach the sender of a refused message.
    unsafe _ = libpq.setNoticeReceiver(handle, { _, _ in }, nil)
    try waitForConnection(until: deadline)
    unsafe _ = libpq.setNonblocking(handle, 1)
  }

  deinit {
    unsafe libpq.finish(handle)
  }

  /// Removes the environment variables from which libpq takes files and servers that it was not given: `HOME`
  /// and all `PG…`. Only for a single-threaded process.
  package static func removeEnvironment() {
    CurrentProcess.removeEnvironment { $0 == "HOME" || $0.hasPrefix("PG") }
  }

  /// Runs statements that return no rows, such as BEGIN.
  package func execute(_ sql: [UInt8], until deadline: Deadline) throws(PostgresError) {
    _ = try unsafe run(sql, until: deadline) { result throws(PostgresError) in
      guard unsafe libpq.resultStatus(result) != PGRES_COMMAND_OK else { return [] }
      return try unsafe rows(of: result)
    }
  }

  #if !hasFeature(Embedded)
    /// Runs statements that change rows, in one transaction.
    ///
    /// - Returns: how many rows the last of them that changes rows has changed.
    package func change(_ sql: [UInt8], until deadline: Deadline) throws(PostgresError) -> Int {
      var count = 0
      _ = try unsafe run(sql, until: deadline) { result throws(PostgresError) in
        guard unsafe libpq.resultStatus(result) == PGRES_COMMAND_OK else { return try unsafe rows(of: result) }
        // Empty for BEGIN and the like.
        if let number = unsafe Int(text(libpq.affectedRows(result))) { count = number }
        return []
      }
      return count
    }
  #endif

  /// Runs one statement by the simple query protocol and returns its last result. A statement that is not a
  /// query is an error: for a table, no rows would mean "not found".
  package func query(_ sql: [UInt8], until deadline: Deadline) throws(PostgresError) -> Rows {
    try unsafe run(sql, until: deadline) { result throws(PostgresError) in try unsafe rows(of: result) }
  }

  private func run(
    _ sql: [UInt8], until deadline: Deadline, _ rows: (Libpq.Result) throws(PostgresError) -> Rows
  ) throws(PostgresError) -> Rows {
    let sent = unsafe Self.withCString(sql) { unsafe libpq.sendQuery(handle, $0) }
    guard sent == 1 else { throw .lost(errorText) }
    // If the server stops reading until its own output is read, only reading helps (PQflush).
    while case let pending = unsafe libpq.flush(handle), pending != 0 {
      guard pending == 1 else { throw .lost(errorText) }
      guard try wait(for: [.reading, .writing], until: deadline).contains(.reading) else { continue }
      guard unsafe libpq.consumeInput(handle) == 1 else { throw .lost(errorText) }
    }
    var outcome: Result<Rows, PostgresError> = .success([])
    // Drain all results, even after an error: only then does libpq accept the next statement.
    while let result = try unsafe nextResult(until: deadline) {
      defer { unsafe libpq.clear(result) }
      outcome = Result { () throws(PostgresError) in try unsafe rows(result) }
      if case .failure(.lost) = outcome { break }
    }
    return try outcome.get()
  }

  /// `text` escaped for use between single quotes on this connection.
  package func escape(_ text: [UInt8]) throws(PostgresError) -> [UInt8] {
    var escaped = [UInt8](repeating: 0, count: 2 * text.count + 1)
    var error: CInt = 0
    let length = unsafe Self.withCString(text) { source in
      unsafe escaped.withUnsafeMutableBytes { target in
        unsafe libpq.escapeString(
          handle, target.baseAddress?.assumingMemoryBound(to: CChar.self), source, text.count, &error)
      }
    }
    guard error == 0 else { throw .notEncodable }
    return Array(escaped.prefix(length))
  }

  /// Whether this server is a standby, where a new row may not have arrived yet.
  package func isStandby(until deadline: Deadline) throws(PostgresError) -> Bool {
    // Queried each time: PostgreSQL 14 and later report it on connection, but a pooler's value may be outdated.
    try query(Array("SELECT pg_catalog.pg_is_in_recovery()".utf8), until: deadline) == [[Array("t".utf8)]]
  }

  /// Whether there is a pooler in between: its clients see process ids of its own, not the server's.
  package func isPooled(until deadline: Deadline) throws(PostgresError) -> Bool {
    let own = unsafe Array("\(libpq.backendPID(handle))".utf8)
    return try query(Array("SELECT pg_catalog.pg_backend_pid()".utf8), until: deadline) != [[own]]
  }

  private func waitForConnection(until deadline: Deadline) throws(PostgresError) {
    guard unsafe libpq.status(handle) != CONNECTION_BAD else {
      // libpq quotes parts of a connection string that it cannot parse, and those may belong to a password.
      let text = errorText
      // The second one before libpq 14.
      let isReadable = ["connection to server", "could not connect to server", "could not translate host name"].contains
      {
        text.hasPrefix($0)
      }
      throw .notConnected(isReadable ? text : "hosts or dbname in the table file is invalid")
    }
    var readiness: Readiness = .writing
    while true {
      try wait(for: readiness, until: deadline)
      switch unsafe libpq.connectPoll(handle) {
      case PGRES_POLLING_OK: return
      case PGRES_POLLING_READING: readiness = .reading
      case PGRES_POLLING_WRITING: readiness = .writing
      default: throw .notConnected(errorText)
      }
    }
  }

  private func nextResult(until deadline: Deadline) throws(PostgresError) -> Libpq.Result? {
    while unsafe libpq.isBusy(handle) == 1 {
      try wait(for: .reading, until: deadline)
      guard unsafe libpq.consumeInput(handle) == 1 else { throw .lost(errorText) }
    }
    return unsafe libpq.getResult(handle)
  }

  @discardableResult
  private func wait(for readiness: Readiness, until deadline: Deadline) throws(PostgresError) -> Readiness {
    do { return try poll(unsafe libpq.socket(handle), for: readiness, until: deadline) } catch {
      throw .timedOut
    }
  }

  private func rows(of result: Libpq.Result) throws(PostgresError) -> Rows {
    guard unsafe libpq.resultStatus(result) == PGRES_TUPLES_OK else {
      let text = unsafe text(libpq.resultErrorMessage(result))
      // FATAL and PANIC end the session, although the handle may not know it yet (PG_DIAG_SEVERITY_NONLOCALIZED).
      let severity = unsafe libpq.resultErrorField(result, CInt(UInt8(ascii: "V")))
      let endsSession = unsafe severity.map { ["FATAL", "PANIC"].contains(unsafe String(cString: $0)) } ?? false
      guard unsafe libpq.status(handle) == CONNECTION_OK, !endsSession else { throw .lost(text) }
      // Rollback, insufficient resources, object in wrong state, operator intervention (PG_DIAG_SQLSTATE).
      let state =
        unsafe libpq.resultErrorField(result, CInt(UInt8(ascii: "C"))).map { unsafe String(cString: $0) } ?? ""
      // numeric_value_out_of_range
      let hint = state == "22003" ? "; calculate with a larger type, such as quota::bigint" : ""
      throw ["40", "53", "55", "57"].contains(state.prefix(2)) ? .cancelled(text) : .query(text + hint)
    }
    return unsafe (0..<libpq.rowCount(result)).map { row in
      unsafe (0..<libpq.columnCount(result)).map { column -> [UInt8]? in
        guard unsafe libpq.isNull(result, row, column) == 0, let value = unsafe libpq.value(result, row, column)
        else { return nil }
        return unsafe Array(UnsafeRawBufferPointer(start: value, count: Int(libpq.length(result, row, column))))
      }
    }
  }

  private var errorText: String { unsafe text(libpq.errorMessage(handle)) }

  /// libpq's text on one line, with passwords masked.
  private func text(_ message: Libpq.Text?) -> String {
    guard let message = unsafe message else { return "unknown error" }
    let line = unsafe String(cString: message).split { $0.isNewline || $0 == "\t" }.joined(separator: " ")
    return String(decoding: mask.apply(to: Array(line.utf8)), as: UTF8.self)
  }

  private static func withCString<R>(_ bytes: [UInt8], _ body: (UnsafePointer<CChar>?) -> R) -> R {
    unsafe (bytes + [0]).withUnsafeBytes { unsafe body($0.baseAddress?.assumingMemoryBound(to: CChar.self)) }
  }

  /// Calls `body` with a null-terminated array of C strings.
  private static func withCStrings<R>(_ strings: [[UInt8]], _ body: (Libpq.Keywords?) -> R) -> R {
    let bytes: [UInt8] = strings.flatMap { $0 + [0] }
    return unsafe bytes.withUnsafeBytes { buffer in
      let start = unsafe buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
      var pointers: [UnsafePointer<CChar>?] = unsafe []
      var offset = 0
      for string in strings {
        unsafe pointers.append(start?.advanced(by: offset))
        offset += string.count + 1
      }
      unsafe pointers.append(nil)
      return unsafe pointers.withUnsafeBufferPointer { unsafe body($0.baseAddress) }
    }
  }
}
