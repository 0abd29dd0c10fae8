// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Findings
import Text

/// A table of `transport_maps`, whose answers for a domain override `virtual_transport`, or of
/// `mailbox_transport_maps` and `fallback_transport_maps`, and the domains or addresses that it sends to a transport.
package struct TransportRoute: Sendable {
  package let table: String
  /// The parameter that names the table.
  package let parameter: String
  /// What it has for the transport, or why that is unknown.
  package let domains: Result<Domains, Survey.Failure>
  /// How to send them to another transport, and the reverse; nil where that cannot be done by a command.
  package let change: Change?

  /// How many domains are sent to the transport, and one of them.
  package struct Domains: Sendable {
    package let count: Int
    package let example: String
  }

  /// A change, and what undoes it.
  package enum Change: Sendable {
    case statement(there: String, back: String)
    case commands(there: [Command], back: [Command])

    package var statementThere: String? { if case .statement(let there, _) = self { there } else { nil } }
    package var statementBack: String? { if case .statement(_, let back) = self { back } else { nil } }
    package var commandsThere: [Command] { if case .commands(let there, _) = self { there } else { [] } }
    package var commandsBack: [Command] { if case .commands(_, let back) = self { back } else { [] } }

    package var remedy: Remedy {
      switch self {
      case .statement(let there, _): .sql(there)
      case .commands(let there, _): .run(there)
      }
    }
  }
}

/// Finds what the transport tables send to a transport.
package struct TransportRoutes: Sendable {
  private let postfix: PostfixDirectory
  private let survey: Survey

  package init(_ postfix: PostfixDirectory, _ survey: Survey) {
    self.postfix = postfix
    self.survey = survey
  }

  /// - Parameters:
  ///   - transport: the name to look for.
  ///   - other: what to replace it with; without a nexthop, theirs stays.
  package func routes(to transport: String, instead other: Transport) throws(ConfigurationError) -> [TransportRoute] {
    // The name is put into SQL, and master.cf may have been written by another user.
    guard transport.utf8.allSatisfy({ $0.isASCIILetter || $0.isDigit || "_-.".utf8.contains($0) }) else { return [] }
    return try tables().map { route($0.table, $0.parameter, transport, other) }
  }

  private func tables() throws(ConfigurationError) -> [(parameter: String, table: TableReference)] {
    var tables: [(String, TableReference)] = []
    for parameter in ["transport_maps", "mailbox_transport_maps", "fallback_transport_maps"] {
      let maps = try postfix.value(of: parameter) ?? ""
      tables += splitList(Array(maps.utf8)).compactMap { TableReference($0)?.behindProxy }.map { (parameter, $0) }
    }
    return tables
  }

  /// Every transport that main.cf or a table sends mail to, as far as tables can be listed.
  package func destinations() throws(ConfigurationError) -> [Transport] {
    var values: [String] = []
    for parameter in ["virtual_transport"] + PostfixDirectory.transportParameters {
      values.append(try postfix.value(of: parameter) ?? "")
    }
    for (parameter, table) in try tables() {
      if table.type == "pgsql", parameter == "transport_maps" {
        // One that does not answer is reported with its routes.
        guard case .success(let rows) = survey.ask(table, "SELECT DISTINCT transport FROM domain LIMIT 1000") else {
          continue
        }
        values += rows.compactMap(\.first)
      } else if Self.listable.contains(table.type) {
        values += survey.entries(table)?.map(\.value) ?? []
      }
    }
    return values.map { Transport($0) }.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }

  private static let listable = ["texthash", "hash", "btree", "lmdb", "cdb", "inline"]

  private func route(
    _ table: TableReference, _ parameter: String, _ transport: String, _ other: Transport
  ) -> TransportRoute {
    func route(
      _ domains: Result<TransportRoute.Domains, Survey.Failure>, _ change: TransportRoute.Change? = nil
    ) -> TransportRoute {
      TransportRoute(table: table.text, parameter: parameter, domains: domains, change: change)
    }
    switch table.type {
    case "pgsql" where parameter == "transport_maps":
      // PostfixAdmin's column.
      return route(
        askDatabase(table, transport),
        .statement(
          there: "UPDATE domain SET transport = '\(other.field)' WHERE transport IN \(Self.names(transport));",
          back: "UPDATE domain SET transport = '\(transport):' WHERE transport = '\(other.field)';"))
    case let type where Self.listable.contains(type):
      guard let entries = survey.entries(table) else {
        return route(.failure(.init("it has no readable source file")))
      }
      let found = entries.filter { $0.value == transport || $0.value.hasPrefix("\(transport):") }
      return route(
        .success(.init(count: found.count, example: found.first?.key ?? "")),
        table.type == "inline"
          ? nil
          : .commands(
            there: commands(table, Transport(transport), other), back: commands(table, other, Transport(transport))))
    default: return route(.failure(.init("it can only be queried for one key at a time")))
    }
  }

  private static func names(_ transport: String) -> String { "('\(transport)', '\(transport):')" }

  private func askDatabase(
    _ table: TableReference, _ transport: String
  ) -> Result<TransportRoute.Domains, Survey.Failure> {
    let sql = "SELECT count(*), min(domain) FROM domain WHERE transport IN \(Self.names(transport))"
    return survey.ask(table, sql).flatMap { rows in
      guard let row = rows.first, let count = row.first.flatMap({ Int($0) }) else {
        return .failure(.init("the database gave no number"))
      }
      return .success(.init(count: count, example: row.last ?? ""))
    }
  }

  private func commands(_ table: TableReference, _ old: Transport, _ new: Transport) -> [Command] {
    // Skip comments and continuation lines; a transport without a colon must be the whole value.
    let key = "^\\([^#[:space:]][^[:space:]]*[[:space:]]\\+\\)"
    func escaped(_ text: String) -> String { text.replacing(".", with: "\\.").replacing("/", with: "\\/") }
    let end =
      if !old.nexthop.isEmpty {
        ":\(escaped(old.nexthop))[[:space:]]*$"
      } else if new.nexthop.isEmpty {
        "\\(:\\|[[:space:]]*$\\)"
      } else {
        "\\(:[^[:space:]]*\\)\\?[[:space:]]*$"
      }
    let edit = "s/\(key)\(escaped(old.name))\(end)/\\1\(new.field.replacing("/", with: "\\/"))/"
    let command = Command("sed", "-i", "--follow-symlinks", edit, table.name.text)
    return table.type == "texthash" ? [command] : [command, Command("postmap", table.text)]
  }
}
