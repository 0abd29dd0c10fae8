// SPDX-License-Identifier: Apache-2.0
package import Configuration
import Text

extension PostfixDirectory {
  /// The domains of `virtual_mailbox_domains`, as far as they can be listed; alias domains come first.
  package func mailboxDomains(_ survey: Survey) throws(ConfigurationError) -> [String] {
    let value = try value(of: "virtual_mailbox_domains") ?? ""
    var domains: [String] = []
    for item in splitList(Array(value.utf8)) where item.first != UInt8(ascii: "/") {
      guard let table = TableReference(item)?.behindProxy else {
        domains.append(item.text)
        continue
      }
      domains +=
        table.type == "pgsql" ? Self.listed(table, survey) : (survey.entries(table) ?? []).map(\.key)
    }
    return domains
  }

  /// Domains in one answer: alias domains are few.
  private static let limit = 100

  /// By PostfixAdmin's tables; another schema has none of them.
  private static func listed(_ table: TableReference, _ survey: Survey) -> [String] {
    ["SELECT alias_domain FROM alias_domain LIMIT \(limit)", "SELECT domain FROM domain LIMIT \(limit)"].flatMap {
      sql in
      guard case .success(let rows) = survey.ask(table, sql) else { return [String]() }
      return rows.compactMap(\.first)
    }
  }
}
