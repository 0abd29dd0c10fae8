// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Postfix
import Reports
import Text

/// The tables of `transport_maps`, whose answers for a domain outrank `virtual_transport`.
package struct TransportSurvey {
  /// What one of them has for a transport.
  package struct Route {
    package let table: String
    /// Domains that are sent there, nil when nobody could tell.
    package var count: Int?
    package var example = ""
    /// Why nobody could tell.
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
  ///   - transport: the name that is looked for.
  ///   - other: the one that is to take its place.
  package func routes(to transport: String, instead other: String) throws(ConfigurationError) -> [Route] {
    // The name goes into SQL, and master.cf may be somebody else's.
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
        route.failure = "there is no text of it"
        break
      }
      let some = entries.filter { $0.value == transport || $0.value.hasPrefix("\(transport):") }
      route.count = some.count
      route.example = some.first?.key ?? ""
      if table.type != "inline" { route.command = (command(table, transport, other), command(table, other, transport)) }
    default: route.failure = "it can only be asked for one domain after the other"
    }
    return route
  }

  private func command(_ table: TableReference, _ old: String, _ new: String) -> String {
    let file = shellWord(table.name.text)
    // Not in comments and continuation lines; without a colon it is the whole value.
    let edit =
      "sed -i 's/^\\([^#[:space:]][^[:space:]]*[[:space:]]\\+\\)\(old)\\(:\\|[[:space:]]*$\\)/\\1\(new):/' \(file)"
    return table.type == "texthash" ? edit : "\(edit) && postmap \(shellWord(table.text))"
  }
}
