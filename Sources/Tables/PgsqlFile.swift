// SPDX-License-Identifier: Apache-2.0
import Configuration

/// A table file of pgsql_table(5), read as Postfix reads it: values are literal, the last of two equal names holds,
/// names that nobody knows are passed over.
struct PgsqlFile: Equatable {
  let connection: ConnectionSettings
  let query: QueryTemplate
  let resultFormat: ResultTemplate
  /// Only keys with a user name and one of these domains are looked up; nil when any key is.
  let domains: DomainList?
  /// The largest number of results; zero means any.
  let expansionLimit: Int64

  /// - Throws: `ConfigurationError` with the line where it is one line's fault.
  init(parsing text: [UInt8]) throws(ConfigurationError) {
    var values: [String: (value: [UInt8], line: Int)] = [:]
    for line in LogicalLine.split(text) {
      guard let (name, value) = line.assignment else {
        // Not quoted: it may be a password.
        throw ConfigurationError(line: line.number, "expected name = value")
      }
      values[name.text] = (value, line.number)
    }
    connection = try ConnectionSettings(
      hosts: values["hosts"]?.value ?? [], user: values["user"]?.value ?? [], password: values["password"]?.value ?? [],
      database: values["dbname"]?.value ?? [], encoding: values["encoding"]?.value ?? Array("UTF8".utf8))
    guard let template = values["query"], !template.value.isEmpty else {
      throw ConfigurationError("query is missing (select_function and table are not supported yet)")
    }
    query = try QueryTemplate(template.value, line: template.line)
    let format = values["result_format"]
    resultFormat = try ResultTemplate(format?.value ?? Array("%s".utf8), line: format?.line)
    domains = try values["domain"].flatMap { domain throws(ConfigurationError) in
      domain.value.isEmpty ? nil : try DomainList(domain.value, line: domain.line)
    }
    let limit = values["expansion_limit"]
    guard let number = Int64(limit?.value.text ?? "0"), number >= 0 else {
      throw ConfigurationError(line: limit?.line, "expansion_limit must be a whole number")
    }
    expansionLimit = number
  }
}

/// `domain = example.org !example.com`: exact names; `!` excludes (pgsql_table(5)).
struct DomainList: Equatable {
  private var rules: [(name: [UInt8], included: Bool)] = []

  init(_ text: [UInt8], line: Int) throws(ConfigurationError) {
    for item in splitList(text) {
      let excluded = item.prefix { $0 == UInt8(ascii: "!") }.count
      let name = Array(item.dropFirst(excluded))
      guard !name.contains(UInt8(ascii: "/")), !name.contains(UInt8(ascii: ":")) else {
        throw ConfigurationError(line: line, "domain takes names only, not \"\(item.text)\"")
      }
      rules.append((foldCase(name), excluded.isMultiple(of: 2)))
    }
  }

  func contains(_ domain: [UInt8]) -> Bool {
    let domain = foldCase(domain)
    return rules.first { $0.name == domain }?.included ?? false
  }

  static func == (left: DomainList, right: DomainList) -> Bool {
    left.rules.elementsEqual(right.rules) { $0.name == $1.name && $0.included == $1.included }
  }
}
