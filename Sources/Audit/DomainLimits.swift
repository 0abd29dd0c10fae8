// SPDX-License-Identifier: Apache-2.0
package import Configuration
import Posix
import Quota
package import Tables
import Text

/// How many bytes the mailboxes of a domain may hold together, by `virtual_domain_limit_maps`.
package struct DomainLimits {
  private let references: [TableReference]
  private let tables = TableSet()

  package init(_ references: [TableReference]) {
    self.references = references
  }

  /// Bytes; nil if the domain has no limit, which a number that is not positive means, too.
  package func limit(of domain: String) throws(TableError) -> Int64? {
    guard !references.isEmpty, !domain.isEmpty else { return nil }
    let query = TableQuery(Array(domain.utf8), takesOneResult: true, until: Deadline(secondsFromNow: 20))
    guard let text = try tables.lookup(query, in: references) else { return nil }
    guard let number = Int64(wholeNumber: text) else {
      throw TableError(
        configuration: "virtual_domain_limit_maps: \"\(displayText(text))\" is not a whole number of bytes")
    }
    return number > 0 ? number : nil
  }
}
