// SPDX-License-Identifier: Apache-2.0
import Aliases
import Configuration
import Mailboxes
import Policy
import Posix
import Tables
import Text

/// Finds where the mail of a recipient goes.
struct RoutePlanner {
  let settings: Settings
  let policy: PolicySettings
  let tables: PolicyTables
  let lookup: MailboxLookup
  /// Whose mailboxes can be judged.
  let credentials: Credentials

  /// - Parameter isComplete: every address is looked up, also after one that decides.
  func route(of recipient: [UInt8], isComplete: Bool, until deadline: Deadline) -> Route {
    let expansion = AliasExpander.expand(recipient, policy.aliases, tables, until: deadline)
    guard case .success(let addresses) = expansion.result else { return Route(expansion: expansion, stops: []) }
    var stops: [Route.Stop] = []
    var seen: Set<[UInt8]> = []
    for address in addresses where seen.insert(foldCase(address)).inserted {
      let place = place(of: address, until: deadline)
      stops.append(Route.Stop(address: address, place: place))
      // The others cannot lead to a refusal any more.
      if !isComplete, !policy.refusesForAny, case .settled(let state) = place, state.ruling == .other { break }
    }
    return Route(expansion: expansion, stops: stops)
  }

  private func place(of address: [UInt8], until deadline: Deadline) -> Route.Place {
    let domain = address.lastIndex(of: UInt8(ascii: "@")).map { Array(address[($0 + 1)...]) } ?? []
    guard !policy.leavesOut(domain: domain) else { return .settled(.leftOut) }
    do {
      // In the order of trivial-rewrite(8): local(8) comes first.
      if try tables.contains(domain, in: .mydestination, until: deadline) { return .settled(.local) }
      guard try tables.contains(domain, in: .virtual_mailbox_domains, until: deadline) else {
        return .settled(.elsewhere)
      }
    } catch { return .settled(.trouble(error.sentence)) }
    do {
      let query = AddressQuery(address, until: deadline)
      guard let mailbox = try lookup.mailbox(of: query, for: credentials) else { return .settled(.noMailbox) }
      return .mailbox(mailbox)
    } catch {
      if case .otherUser(.virtual_uid_maps, let user?, _) = error { return .settled(.foreign(UInt32(clamping: user))) }
      return .settled(.trouble(error.sentence))
    }
  }
}
