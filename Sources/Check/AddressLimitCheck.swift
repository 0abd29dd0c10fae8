// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Mailboxes
import Posix
import Quota
import Site
import Sweep
import Tables
import Text

/// Mailboxes that several addresses reach, with different limits: an alias domain that only virtual_mailbox_maps
/// resolves, for instance. Each delivery writes the limit of its own address into maildirsize.
struct AddressLimitCheck {
  let site: Site
  let settings: Settings

  /// Mailboxes, and other domains in which each is looked for.
  private static let maxMailboxes = 5
  private static let maxDomains = 20

  func findings(of rows: [MailboxRow]) -> [Finding] {
    var found = FindingList(.mailboxes)
    guard case .success(let postfix) = site.postfix, !rows.isEmpty else { return [] }
    let domains: [String]
    // `PostfixCheck` has reported a value that cannot be used.
    do { domains = try postfix.mailboxDomains(Survey(postfix.path)) } catch { return [] }
    let lookup = MailboxLookup(settings)
    let aliases = AddressTables(delimiters: settings.recipientDelimiter, TableSet())
    for row in rows.filter({ $0.isSound && $0.address.contains(UInt8(ascii: "@")) }).prefix(Self.maxMailboxes) {
      guard let own = mailbox(lookup, row.address), let at = row.address.lastIndex(of: UInt8(ascii: "@")) else {
        continue
      }
      for domain in domains.prefix(Self.maxDomains) {
        let address = row.address[...at] + Array(domain.utf8)
        guard let other = mailbox(lookup, Array(address)), other.components == own.components,
          other.quota.limit != own.quota.limit, !isReplaced(Array(address), aliases, postfix)
        else { continue }
        found.add(
          .warning, .addressLimit,
          "its limit is \(Self.text(own.quota.limit)), and for mail to \(address.text) \(Self.text(other.quota.limit))",
          at: row.name,
          reason: "a delivery is judged by the limit of its address, and writes it to maildirsize, where it changes"
            + " with each",
          remedy: .advice(
            "let virtual_mailbox_limit_maps find \(address.text), too; for PostfixAdmin's alias domains, add a table"
              + " with this query: \(Self.aliasDomainQuery)"))
        return found.findings
      }
    }
    return found.findings
  }

  private static func text(_ limit: QuotaLimit) -> String {
    limit.bytes == 0 ? "none" : quantity(limit.bytes, "byte")
  }

  /// For PostfixAdmin, as its own file for mailboxes in alias domains.
  static let aliasDomainQuery =
    "SELECT quota FROM mailbox, alias_domain WHERE alias_domain.alias_domain = '%d' AND mailbox.username = '%u' || '@'"
    + " || alias_domain.target_domain AND mailbox.active AND alias_domain.active"

  /// Whether cleanup(8) replaces `address` by others, so that no delivery gets it. PostfixAdmin gives each mailbox an
  /// alias that names the mailbox itself.
  private func isReplaced(_ address: [UInt8], _ aliases: AddressTables, _ postfix: PostfixDirectory) -> Bool {
    do {
      let tables = splitList(Array((try postfix.value(of: "virtual_alias_maps") ?? "").utf8))
        .compactMap { TableReference($0)?.behindProxy }
      let query = AddressQuery(address, until: Deadline(secondsFromNow: 10))
      let value = try aliases.value(of: nil, in: tables, for: query)
      return value.map { !splitList($0).map { $0.text.lowercased() }.contains(address.text.lowercased()) } ?? false
    } catch { return false }
  }

  /// Nil as well if a table does not answer, which other checks report.
  private func mailbox(_ lookup: MailboxLookup, _ address: [UInt8]) -> Mailbox? {
    let query = AddressQuery(address, until: Deadline(secondsFromNow: 10))
    do {
      return try site.actingAsUser { () throws(MailboxError) in try lookup.mailbox(of: query, for: nil) }
    } catch { return nil }
  }
}
