// SPDX-License-Identifier: Apache-2.0
import Audit
import Configuration
import Posix
import Postfix
import Tables
import Text

/// Where `transport_maps`, which override `virtual_transport`, send the domains of real mailboxes.
struct RouteCheck {
  let postfix: PostfixDirectory
  let entries: [MasterService]

  /// How many domains are looked up.
  private static let most = 20

  func run(_ rows: [MailboxRow], _ report: inout CheckReport) {
    let maps = (try? postfix.value(of: "transport_maps")) ?? ""
    let tables = splitList(Array(maps.utf8)).compactMap { TableReference($0)?.behindProxy }
    let domains = rows.compactMap { $0.address.split(separator: UInt8(ascii: "@")).last.map { Array($0) } }
      .reduce(into: [[UInt8]]()) { if $0.count < Self.most, !$0.contains($1) { $0.append($1) } }
    guard !tables.isEmpty, !entries.isEmpty else { return }
    let set = TableSet()
    let virtual = postfix.virtualTransports
    var elsewhere: [String: [String]] = [:]
    for domain in domains {
      guard let answer = try? set.lookup(domain, in: tables, until: Deadline(secondsFromNow: 10)) else { continue }
      let transport = String(answer.text.prefix { $0 != ":" })
      // An empty transport leaves virtual_transport in force (transport(5)); `PostfixCheck` reports virtual(8).
      guard !transport.isEmpty, !virtual.contains(transport), !entries.contains(where: { $0.name == transport }) else {
        continue
      }
      elsewhere[transport, default: []].append(domain.text)
    }
    for (transport, domains) in elsewhere.sorted(by: { $0.key < $1.key }) {
      let isThere = postfix.master.services.contains { $0.name == transport }
      report.add(
        .warning, .noMail,
        "\(domains.count == 1 ? "a domain with mailboxes uses" : "\(domains.count) domains with mailboxes use") the transport"
          + " \(transport) (\(domains[0]))",
        at: "transport_maps",
        reason: isThere
          ? "it overrides virtual_transport: no quota applies" : "master.cf has no such transport: mail is deferred",
        remedy: "set \(entries[0].name): for them in the table")
    }
  }
}
