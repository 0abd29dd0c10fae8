// SPDX-License-Identifier: Apache-2.0
import Configuration
import Tables
import Text

/// The mailboxes that are switched off: their Maildirs are no orphans. It has a connection of its own, so that a query
/// that fails does not end the cursor of the list.
package final class InactiveMailboxes {
  private let settings: Settings
  private var list: MailboxList?
  /// Why they are unknown; nil while they are not. After a failure nothing is asked any more.
  package private(set) var failure: String?

  init(_ settings: Settings) {
    self.settings = settings
  }

  /// Whether the Maildir is that of such a mailbox; nil if that is unknown.
  ///
  /// - Parameter path: relative to the base, with the suffix and with a slash at its end; empty to find out whether the
  ///   question can be asked.
  package func contains(path: [UInt8]) -> Bool? {
    ask { list throws(TableError) in try list.inactiveMailbox(path: path) }
  }

  /// Whether the address is that of such a mailbox; nil if that is unknown.
  func contains(address: [UInt8]) -> Bool? {
    ask { list throws(TableError) in try list.inactiveMailbox(address: address) }
  }

  private func ask(_ query: (MailboxList) throws(TableError) -> [UInt8]?) -> Bool? {
    guard !settings.inactiveQuery.isEmpty, settings.listDatabase != nil else { return false }
    guard failure == nil else { return nil }
    do throws(TableError) {
      let open = if let list { list } else { try MailboxList(settings, waiting: nil) }
      list = open
      return try query(open) != nil
    } catch {
      failure = error.shown
      return nil
    }
  }
}
