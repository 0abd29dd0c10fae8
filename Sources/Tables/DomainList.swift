// SPDX-License-Identifier: Apache-2.0
package import Configuration
import Posix
import Text

/// `domain = example.org !example.com /etc/domains texthash:/etc/more`: the domains whose keys are looked
/// up in a table (pgsql_table(5)). `!` excludes; the first match decides.
package struct DomainList: Sendable {
  private enum Pattern: Sendable {
    case name([UInt8])
    case table(TableReference)
  }

  private var rules: [(pattern: Pattern, included: Bool)] = []

  package var tables: [TableReference] {
    rules.compactMap { if case .table(let table) = $0.pattern { table } else { nil } }
  }

  /// - Parameter contents: reads a file whose contents replace its name; `!/file` excludes them.
  package init(
    _ text: [UInt8], line: Int? = nil, contents: ([UInt8]) throws(TableError) -> [UInt8]
  ) throws(DomainListError) {
    try add(text, line: line, included: true, depth: 0, contents)
  }

  private mutating func add(
    _ text: [UInt8], line: Int?, included: Bool, depth: Int, _ contents: ([UInt8]) throws(TableError) -> [UInt8]
  ) throws(DomainListError) {
    for item in splitList(text) {
      let marks = item.prefix { $0 == UInt8(ascii: "!") }.count
      let name = Array(item.dropFirst(marks))
      let included = included == marks.isMultiple(of: 2)
      guard !name.isEmpty else { throw .list(ConfigurationError(line: line, "domain: a name is missing after !")) }
      if name.first == UInt8(ascii: "/") {
        guard depth < 8 else {
          throw .list(ConfigurationError(line: line, "domain: \(name.text) and other files refer to each other"))
        }
        let file: [UInt8]
        do { file = try contents(name) } catch { throw .file(error) }
        for line in LogicalLine.split(file) {
          try add(line.text, line: nil, included: included, depth: depth + 1, contents)
        }
      } else if name.contains(UInt8(ascii: ":")) {
        guard let table = TableReference(name) else {
          throw .list(ConfigurationError(line: line, "domain: expected type:table, found \"\(name.text)\""))
        }
        rules.append((.table(table), included))
      } else {
        rules.append((.name(foldCase(name)), included))
      }
    }
  }

  /// - Parameter isIn: whether a table contains the domain.
  package func contains(
    _ domain: [UInt8], isIn: (TableReference) throws(TableError) -> Bool
  ) throws(TableError) -> Bool {
    let domain = foldCase(domain)
    for (pattern, included) in rules {
      let matches =
        switch pattern {
        case .name(let name): name == domain
        case .table(let table): try isIn(table)
        }
      if matches { return included }
    }
    return false
  }
}

/// An error in a list of domains, or in a file that it names.
package enum DomainListError: Error {
  case list(ConfigurationError)
  case file(TableError)
}
