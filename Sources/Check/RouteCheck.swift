// SPDX-License-Identifier: Apache-2.0
import Audit
import Configuration
import Findings
import Posix
import Site
import Sweep
import Tables
import Text

/// Where `transport_maps`, which override `virtual_transport`, send the domains of real mailboxes.
struct RouteCheck {
  let postfix: PostfixDirectory
  let entries: [MasterService]
  var lmtp: [LMTPEntry] = []

  /// How many domains are looked up.
  private static let maxLookups = 20

  func findings(of rows: [MailboxRow]) -> [Finding] {
    var found = FindingList(.postfix)
    let maps: String
    // `PostfixCheck` has reported a value that cannot be used.
    do { maps = try postfix.value(of: "transport_maps") ?? "" } catch { return [] }
    let tables = splitList(Array(maps.utf8)).compactMap { TableReference($0)?.behindProxy }
    let domains = rows.compactMap { $0.address.split(separator: UInt8(ascii: "@")).last.map { Array($0) } }
      .reduce(into: [[UInt8]]()) { if $0.count < Self.maxLookups, !$0.contains($1) { $0.append($1) } }
    guard !tables.isEmpty,
      let own = lmtp.first(where: \.isUsed)?.transport.text ?? entries.first?.name ?? lmtp.first?.transport.text
    else { return [] }
    let set = TableSet()
    let virtual = postfix.virtualTransports
    var elsewhere: [String: [String]] = [:]
    for domain in domains {
      let query = TableQuery(domain, until: Deadline(secondsFromNow: 10))
      let answer: [UInt8]?
      // A table that does not answer is no evidence.
      do { answer = try set.lookup(query, in: tables) } catch { continue }
      guard let answer else { continue }
      let destination = Transport(answer.text)
      let transport = destination.name
      // An empty transport leaves virtual_transport in force (transport(5)); `PostfixCheck` reports virtual(8).
      guard !transport.isEmpty, !virtual.contains(transport), !entries.contains(where: { $0.name == transport }),
        !lmtp.contains(where: { $0.service.name == transport && $0.nexthops.contains(destination.nexthop) })
      else { continue }
      // Not each table can be listed, so where this leads may not be known before.
      if isOurs(transport), LMTPEntries.isOursByName(destination) { continue }
      elsewhere[transport, default: []].append(domain.text)
    }
    for (transport, domains) in elsewhere.sorted(by: { $0.key < $1.key }) {
      let isThere = postfix.master.services.contains { $0.name == transport }
      found.add(
        isOurs(transport) ? .error : .warning, .noMail,
        "\(domains.count == 1 ? "a domain with mailboxes uses" : "\(domains.count) domains with mailboxes use")"
          + " the transport \(transport) (\(domains[0]))",
        at: "transport_maps",
        reason: isOurs(transport)
          ? "without a destination lmtp(8) looks for a server elsewhere: mail is deferred"
          : isThere
            ? "it overrides virtual_transport: no quota applies" : "master.cf has no such transport: mail is deferred",
        remedy: .advice("set \(Transport(own).field) for them in the table"))
    }
    return found.findings
  }

  /// An entry for the LMTP service, whose name says so.
  private func isOurs(_ transport: String) -> Bool {
    transport.hasPrefix(LMTPEntries.prefix) && lmtp.contains { $0.service.name == transport }
  }
}
