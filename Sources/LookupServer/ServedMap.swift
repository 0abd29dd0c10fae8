// SPDX-License-Identifier: Apache-2.0
import Aliases
import Configuration
import Mailboxes
import Tables
import Text

/// A map of the lookup service, by its name: a parameter of ullage.cf.
struct ServedMap {
  let parameter: Parameter
  /// The answer may come neither from memory nor, while the tables cannot be queried, be an old one.
  let isFresh: Bool
  /// The keys are parts of addresses, which tables of patterns are not queried for.
  private let isPartial: Bool

  /// Nil if there is no such map.
  init?(_ name: [UInt8]) {
    var rest = name[...]
    func takes(_ mark: String) -> Bool {
      guard rest.suffix(mark.utf8.count).elementsEqual(mark.utf8) else { return false }
      rest = rest.dropLast(mark.utf8.count)
      return true
    }
    isFresh = takes(TableReference.freshMark)
    isPartial = takes(TableReference.partialMark)
    guard let parameter = Parameter(rawValue: rest.text) else { return nil }
    self.parameter = parameter
    let hasKeys = parameter.isForPolicy && Parameter.policyTables.contains(parameter)
    guard isPartial ? hasKeys : hasKeys || Self.lists.contains(parameter) || Parameter.tables.contains(parameter)
    else { return nil }
  }

  private static let lists: [Parameter] = [.mydestination, .virtual_mailbox_domains]

  /// The value of a map that only the policy service asks for. A list has its own name for each domain in it.
  func value(for query: AddressQuery, in tables: PolicyTables) throws(TableError) -> [UInt8]? {
    guard String(validating: query.address, as: UTF8.self) != nil, !query.address.contains(0) else { return nil }
    if parameter == .policy_usage_maps { return try tables.usage(of: query) }
    if Self.lists.contains(parameter) {
      let isIn = try tables.contains(query.address, in: parameter, until: query.deadline)
      return isIn ? Array(parameter.rawValue.utf8) : nil
    }
    return try tables.row(of: parameter, for: query.address, isPartial: isPartial, until: query.deadline)?.value
  }
}
