// SPDX-License-Identifier: Apache-2.0
import Configuration
import Database
import Text

/// A table file of pgsql_table(5), read as Postfix reads it: values are literal, the last of two equal
/// names wins, unknown names are ignored.
struct PgsqlFile: Sendable {
  let connection: ConnectionSettings
  let query: QueryTemplate
  let resultFormat: ResultTemplate
  /// `domain` as written: only keys with a user name and one of these domains are looked up. Nil for any key.
  let domains: (text: [UInt8], line: Int)?
  /// The largest number of results; zero means any.
  let expansionLimit: Int64

  /// - Parameter needsQuery: false where only the database is meant.
  /// - Throws: `ConfigurationError`, with the line if a single line is at fault.
  init(parsing text: [UInt8], needsQuery: Bool = true) throws(ConfigurationError) {
    var values: [String: (value: [UInt8], line: Int)] = [:]
    for line in LogicalLine.split(text) {
      guard line.text.first?.isWhiteSpace == false else {
        throw ConfigurationError(line: line.number, "the line begins with a blank; a setting begins at its start")
      }
      // Not quoted: it may be a password.
      guard let (name, value) = line.assignment else {
        throw ConfigurationError(line: line.number, "expected name = value")
      }
      // Most likely a query that goes on without a blank at the start of the line.
      guard !name.contains(where: { $0.isWhiteSpace }) else {
        throw ConfigurationError(
          line: line.number,
          "expected name = value, with a name that is one word; a line that continues the one before must begin with"
            + " a blank")
      }
      values[name.text] = (value, line.number)
    }
    try Self.checkIndentation(text, values)
    connection = try ConnectionSettings(
      hosts: values["hosts"]?.value ?? [], user: values["user"]?.value ?? [], password: values["password"]?.value ?? [],
      database: values["dbname"]?.value ?? [], encoding: values["encoding"]?.value ?? Array("UTF8".utf8))
    let template = Self.query(values)
    guard template != nil || !needsQuery else {
      throw ConfigurationError("query is missing (or select_function, or table with select_field and where_field)")
    }
    query = try QueryTemplate(template?.value ?? [], line: template?.line)
    let format = values["result_format"]
    resultFormat = try ResultTemplate(format?.value ?? Array("%s".utf8), line: format?.line)
    domains = values["domain"].flatMap { $0.value.isEmpty ? nil : ($0.value, $0.line) }
    let limit = values["expansion_limit"]
    guard let number = Int64(limit?.value.text ?? "0"), number >= 0 else {
      throw ConfigurationError(line: limit?.line, "expansion_limit must be a whole number")
    }
    expansionLimit = number
  }

  private typealias Value = (value: [UInt8], line: Int)

  /// A setting that is indented continues the one before, and is missing then. In SQL such a line means something else.
  private static func checkIndentation(_ text: [UInt8], _ values: [String: Value]) throws(ConfigurationError) {
    let sql = ["query", "select_function", "table", "select_field", "where_field", "additional_conditions"]
    var current = ""
    for (index, line) in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      guard let name = splitAssignment(Array(line.trimmed))?.name.text, line.trimmed.first != UInt8(ascii: "#") else {
        continue
      }
      guard line.first?.isWhiteSpace == true else {
        current = name
        continue
      }
      guard ["dbname", "query", "user", "password", "hosts"].contains(name), values[name] == nil, !sql.contains(current)
      else { continue }
      throw ConfigurationError(
        line: index + 1,
        "\(name) stands on a line that begins with a blank, and so continues \(current); a setting begins at the start"
          + " of its line")
    }
  }

  /// `query`, or what Postfix builds from the parameters used before 2.2, in the same order of precedence.
  private static func query(_ values: [String: Value]) -> (value: [UInt8], line: Int?)? {
    func given(_ name: String) -> Value? { values[name].flatMap { $0.value.isEmpty ? nil : $0 } }
    if let query = given("query") { return query }
    if let function = given("select_function") {
      return (Array("SELECT ".utf8) + function.value + Array("('%s')".utf8), function.line)
    }
    guard let table = given("table"), let field = given("select_field"), let key = given("where_field") else {
      return nil
    }
    let sql = [Array("SELECT ".utf8), field.value, Array(" FROM ".utf8), table.value, Array(" WHERE ".utf8), key.value]
    let rest = given("additional_conditions")?.value ?? []
    return (Array(sql.joined()) + Array("='%s' ".utf8) + rest, table.line)
  }
}
