// SPDX-License-Identifier: Apache-2.0
package import Configuration
import Mailboxes
package import Posix
import Tables
import Text

/// Replaces a recipient as cleanup(8) does it: completed, then `recipient_canonical_maps`, `canonical_maps` and, again
/// and again, `virtual_alias_maps` (ADDRESS_REWRITING_README).
package struct AliasExpander<Source: AliasSource> {
  private let settings: AliasSettings
  private let source: Source
  private let text: AddressText
  private let deadline: Deadline
  private var steps: [AliasExpansion.Step] = []

  private typealias Failure = AliasExpansion.Failure

  /// cleanup(8) stops there without an error.
  private static var canonicalRounds: Int { 10 }

  /// What becomes of `recipient`, an address without quotes, as a policy request has it.
  package static func expand(
    _ recipient: [UInt8], _ settings: AliasSettings, _ source: Source, until deadline: Deadline
  ) -> AliasExpansion {
    var expander = AliasExpander(settings, source, deadline)
    let result: Result<[[UInt8]], AliasExpansion.Failure>
    do { result = .success(try expander.expand(recipient)) } catch { result = .failure(error) }
    return AliasExpansion(steps: expander.steps, result: result)
  }

  private init(_ settings: AliasSettings, _ source: Source, _ deadline: Deadline) {
    self.settings = settings
    self.source = source
    self.deadline = deadline
    text = AddressText(settings)
  }

  private mutating func expand(_ recipient: [UInt8]) throws(Failure) -> [[UInt8]] {
    // PostgreSQL would report an error for these.
    guard String(validating: recipient, as: UTF8.self) != nil, !recipient.contains(0) else {
      throw .notUnderstood(recipient)
    }
    var address: [UInt8]
    do { address = try text.completed(recipient) } catch { throw Self.failure(error, recipient) }
    if address != recipient {
      steps.append(.init(parameter: nil, address: recipient, key: [], row: nil, results: [address]))
    }
    address = try canonical(address, .recipient_canonical_maps)
    address = try canonical(address, .canonical_maps)
    return try aliases(of: address)
  }

  private mutating func canonical(_ address: [UInt8], _ parameter: Parameter) throws(Failure) -> [UInt8] {
    guard !settings.tables(parameter).isEmpty else { return address }
    var address = address
    for _ in 0..<Self.canonicalRounds {
      guard let next = try map(address, parameter, propagates: settings.propagatesCanonical)?.first else { break }
      let isSame = foldCase(next) == foldCase(address)
      address = next
      if isSame { break }
    }
    return address
  }

  /// Each address of the list is replaced until no table has it. The first result takes its place, the others go to the
  /// end of the list. An address that is among its own results is not replaced again, wherever it occurs.
  private mutating func aliases(of address: [UInt8]) throws(Failure) -> [[UInt8]] {
    guard !settings.virtualAliasMaps.isEmpty else { return [address] }
    var list = [address]
    var finished: Set<[UInt8]> = []
    var slot = 0
    while slot < list.count {
      guard list.count <= settings.expansionLimit else { throw .tooMany }
      // Postfix goes around a loop up to its limit, and defers then. It is one if an address comes up again, and no
      // other has been finished since.
      var seen: Set<[UInt8]> = []
      var rounds = 0
      while !finished.contains(foldCase(list[slot])) {
        let current = list[slot]
        guard seen.insert(current).inserted else { throw .loop(current) }
        guard rounds < settings.recursionLimit else { throw .tooDeep(address) }
        rounds += 1
        guard let results = try map(current, .virtual_alias_maps, propagates: settings.propagatesVirtual) else { break }
        for (index, result) in results.enumerated() {
          guard result.count <= settings.addressLengthLimit else { throw .tooLong(result) }
          if index == 0 { list[slot] = result } else { list.append(result) }
          guard foldCase(result) == foldCase(current) else { continue }
          if finished.insert(foldCase(current)).inserted { seen = [] }
        }
      }
      slot += 1
    }
    return list
  }

  /// The addresses that the tables of `parameter` give for an address, nil if they have none (Postfix, mail_addr_map).
  private mutating func map(
    _ address: [UInt8], _ parameter: Parameter, propagates: Bool
  ) throws(Failure) -> [[UInt8]]? {
    let found: Match?
    do { found = try find(address, parameter) } catch { throw .table(error, parameter) }
    guard let found else { return nil }
    guard !found.row.value.isEmpty else { throw .emptyValue(address, parameter) }
    var value = found.row.value
    if value.first == UInt8(ascii: "@") {
      // The same user elsewhere.
      let local = address[..<(address.lastIndex(of: UInt8(ascii: "@")) ?? address.endIndex)]
      value = AddressText.quoted(local.dropLast(found.unmatched.count) + value)
    }
    var results: [[UInt8]]
    do { results = try text.addresses(in: value) } catch { throw Self.failure(error, value) }
    guard !results.isEmpty else { throw .emptyValue(address, parameter) }
    guard String(validating: value, as: UTF8.self) != nil, !value.contains(0) else { throw .notUnderstood(value) }
    if propagates, !found.unmatched.isEmpty { results = results.map { Self.adding(found.unmatched, to: $0) } }
    steps.append(.init(parameter: parameter, address: address, key: found.key, row: found.row, results: results))
    return results
  }

  private static func failure(_ mistake: AddressText.Mistake, _ text: [UInt8]) -> Failure {
    switch mistake {
    case .syntax: .notUnderstood(text)
    case .unknownDomain: .unknownDomain(text)
    }
  }

  private static func adding(_ addressExtension: ArraySlice<UInt8>, to address: [UInt8]) -> [UInt8] {
    let at = address.lastIndex(of: UInt8(ascii: "@")) ?? address.endIndex
    return Array(address[..<at] + addressExtension + address[at...])
  }

  private struct Match {
    let key: [UInt8]
    let row: AliasRow
    /// The extension with its delimiter, if the key does not have it; empty otherwise.
    var unmatched: ArraySlice<UInt8> = []
  }

  /// The keys in cleanup(8)'s order, each in all tables before the next one (Postfix, mail_addr_find).
  private func find(_ address: [UInt8], _ parameter: Parameter) throws(TableError) -> Match? {
    let at = address.lastIndex(of: UInt8(ascii: "@")) ?? address.endIndex
    let (local, domain) = (address[..<at], address[at...])
    let user = AddressExtension.split(
      local, at: settings.delimiters, ownerRequestIsSpecial: settings.ownerRequestIsSpecial)?.user
    let unmatched = local[(user ?? local).endIndex...]
    if let match = try row(quotedLocalPart(local) + domain, parameter, isPartial: false) { return match }
    if let user, let match = try row(quotedLocalPart(user) + domain, parameter, unmatched: unmatched) { return match }
    guard !domain.isEmpty else { return nil }
    if try isLocal(Array(domain.dropFirst())) {
      if let match = try row(quotedLocalPart(local), parameter) { return match }
      if let user, let match = try row(quotedLocalPart(user), parameter, unmatched: unmatched) { return match }
    }
    return try row(Array(domain), parameter)
  }

  private func row(
    _ key: [UInt8], _ parameter: Parameter, isPartial: Bool = true, unmatched: ArraySlice<UInt8> = []
  ) throws(TableError) -> Match? {
    try source.row(of: parameter, for: key, isPartial: isPartial, until: deadline)
      .map { Match(key: key, row: $0, unmatched: unmatched) }
  }

  /// Whether the user name alone is a key, too.
  private func isLocal(_ domain: [UInt8]) throws(TableError) -> Bool {
    if !settings.origin.isEmpty, foldCase(domain) == foldCase(settings.origin) { return true }
    let name = domain.last == UInt8(ascii: ".") ? domain.dropLast() : domain
    guard !settings.destinations.isEmpty, !name.isEmpty, name.last != UInt8(ascii: ".") else { return false }
    return try source.contains(name, in: .mydestination, until: deadline)
  }
}
