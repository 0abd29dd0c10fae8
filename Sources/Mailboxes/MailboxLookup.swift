// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Posix
import Quota
package import Tables
import Text

/// Looks up the mailbox of an address.
package final class MailboxLookup {
  private let settings: Settings
  private let lookup: AddressLookup

  /// - Parameters:
  ///   - tables: those that are open already.
  ///   - prefersTables: see `AddressLookup`, as for `takesFreshOnly`.
  package init(
    _ settings: Settings, _ tables: TableSet = TableSet(), prefersTables: Bool = false, takesFreshOnly: Bool = false
  ) {
    self.settings = settings
    lookup = AddressLookup(settings, tables, prefersTables: prefersTables, takesFreshOnly: takesFreshOnly)
  }

  /// Why the lookup service was skipped, nil when it was not.
  package var serviceFailure: String? { lookup.serviceFailure }

  /// The mailbox of the recipient, or nil if there is none.
  ///
  /// - Parameter credentials: what deliveries run as, which `virtual_uid_maps` and `virtual_gid_maps` must confirm
  ///   where they are set; nil when that does not matter.
  package func mailbox(
    of recipient: AddressQuery, for credentials: Credentials?
  ) throws(MailboxError) -> Mailbox? {
    lookup.fetch(
      [.virtual_mailbox_maps] + (credentials == nil ? [] : [.virtual_uid_maps, .virtual_gid_maps])
        + [.virtual_mailbox_limit_maps, .virtual_mailbox_message_limit_maps], for: recipient)
    guard let path = try value(.virtual_mailbox_maps, recipient) else { return nil }
    let components = try Self.components(of: path, suffix: settings.maildirSuffix)
    try check(.virtual_uid_maps, is: credentials?.user, for: recipient)
    try check(.virtual_gid_maps, is: credentials?.group, for: recipient)
    let bytes = try number(.virtual_mailbox_limit_maps, recipient)
    let messages = try number(.virtual_mailbox_message_limit_maps, recipient)
    return Mailbox(components: components, quota: settings.limitRule.limit(bytes: bytes, messages: messages))
  }

  /// The over-quota text for senders that the tables give for the recipient, nil if there is none.
  package func limitMessage(for recipient: AddressQuery) throws(MailboxError) -> [UInt8]? {
    let text = try value(.virtual_maildir_limit_message_maps, recipient)
    return text?.isEmpty == true ? nil : text
  }

  /// Makes the lookup service forget what it knows of an address, so that a change in SQL applies to the next delivery.
  /// Without a service there is nothing to do.
  package static func forget(_ address: AddressQuery, _ settings: Settings) throws(TableError) {
    guard let socket = settings.lookupService.socket else { return }
    let query = TableQuery(foldCase(address.address), until: address.deadline)
    _ = try TableSet().lookup(query, in: [TableReference(forgettingIn: socket)])
  }

  private func value(_ parameter: Parameter, _ query: AddressQuery) throws(MailboxError) -> [UInt8]? {
    do { return try lookup.value(of: parameter, for: query) } catch { throw .table(error, of: parameter) }
  }

  private func number(_ parameter: Parameter, _ query: AddressQuery) throws(MailboxError) -> Int64? {
    guard let value = try value(parameter, query) else { return nil }
    guard let number = Int64(wholeNumber: value) else { throw .badNumber(parameter, value) }
    return number
  }

  private func check(
    _ parameter: Parameter, is expected: UInt32?, for query: AddressQuery
  ) throws(MailboxError) {
    guard let expected, !settings.tables(parameter).isEmpty else { return }
    let number = try number(parameter, query)
    guard number == Int64(expected) else { throw .otherUser(parameter, number, expected) }
  }

  /// The directories below the base in `path`, which is a table's answer.
  package static func components(of path: [UInt8], suffix: [UInt8]) throws(MailboxError) -> [Path] {
    let slash = UInt8(ascii: "/")
    guard path.last == slash else { throw .badPath(path, "it must end in / (mbox files are not supported)") }
    var components: [Path] = []
    for part in (path + suffix).split(separator: slash) where !part.elementsEqual(".".utf8) {
      guard !part.elementsEqual("..".utf8) else { throw .badPath(path, "it must not contain ..") }
      // postmap(1) joins the results of a table by commas, and each ends in a slash.
      guard part.first != UInt8(ascii: ",") else {
        throw .badPath(path, "it seems to be several results, joined by commas; correct the query or the rows")
      }
      guard let component = Path(part) else { throw .badPath(path, "it must not contain NUL") }
      components.append(component)
    }
    guard !components.isEmpty else { throw .badPath(path, "it must be below virtual_mailbox_base") }
    return components
  }
}
