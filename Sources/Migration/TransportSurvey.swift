// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Postfix
import Reports
import Text

/// The tables of `transport_maps`, whose answers for a domain override `virtual_transport`.
package struct TransportSurvey {
  /// The domains that one of these tables sends to a transport.
  package struct Route {
    package let table: String
    /// The number of domains sent there, nil if unknown.
    package var count: Int?
    package var example = ""
    /// Why the number is unknown.
    package var failure = ""
    /// The change and its reversal, for the database.
    package var statement: (there: String, back: String)?
    /// The change and its reversal, for a file.
    package var command: (there: String, back: String)?
  }

  private let postfix: PostfixDirectory
  private let survey: Survey

  package init(_ postfix: PostfixDirectory, _ survey: Survey) {
    self.postfix = postfix
    self.survey = survey
  }

  /// - Parameters:
  ///   - transport: the name to look for.
  ///   - other: the name to replace it with.
  package func routes(to transport: String, instead other: String) throws(ConfigurationError) -> [Route] {
    // The name is put into SQL, and master.cf may have been written by another user.
    guard transport.utf8.allSatisfy({ $0.isASCIILetter || $0.isDigit || "_-.".utf8.contains($0) }) else { return [] }
    let maps = try postfix.value(of: "transport_maps") ?? ""
    return splitList(Array(maps.utf8)).compactMap { item in
      TableReference(item).map { route($0.behindProxy, transport, other) }
    }
  }

  private func route(_ table: TableReference, _ transport: String, _ other: String) -> Route {
    var route = Route(table: table.text)
    switch table.type {
    case "pgsql":
      let names = "('\(transport)', '\(transport):')"
      // PostfixAdmin's column.
      route.statement = (
        "UPDATE domain SET transport = '\(other):' WHERE transport IN \(names);",
        "UPDATE domain SET transport = '\(transport):' WHERE transport = '\(other):';"
      )
      switch survey.ask(table, "SELECT count(*), min(domain) FROM domain WHERE transport IN \(names)") {
      case .success(let rows):
        route.count = rows.first?.first.flatMap { Int($0) }
        route.example = rows.first?.last ?? ""
      case .failure(let failure): route.failure = failure.text
      }
    case "texthash", "hash", "btree", "lmdb", "cdb", "inline":
      guard let entries = survey.entries(table) else {
        route.failure = "it has no readable source file"
        break
      }
      let some = entries.filter { $0.value == transport || $0.value.hasPrefix("\(transport):") }
      route.count = some.count
      route.example = some.first?.key ?? ""
      if table.type != "inline" { route.command = (command(table, transport, other), command(table, other, transport)) }
    default: route.failure = "it can only be queried for one domain at a time"
    }
    return route
  }

  private func command(_ table: TableReference, _ old: String, _ new: String) -> String {
    let file = shellWord(table.name.text)
    // Skip comments and continuation lines; a transport without a colon must be the whole value.
    let edit =
      "sed -i 's/^\\([^#[:space:]][^[:space:]]*[[:space:]]\\+\\)\(old)\\(:\\|[[:space:]]*$\\)/\\1\(new):/' \(file)"
    return table.type == "texthash" ? edit : "\(edit) && postmap \(shellWord(table.text))"
  }
}
