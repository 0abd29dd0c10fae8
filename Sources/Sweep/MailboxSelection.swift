// SPDX-License-Identifier: Apache-2.0
package import Quota

/// Which mailboxes to process.
package enum MailboxSelection: Sendable {
  /// The mailboxes of these addresses, looked up in the tables.
  case addresses([String])
  /// All mailboxes of the list, or those of one domain.
  case listed(domain: String?)
  /// The rest of the list, after the row at which an earlier run stopped.
  case listedAfter(MailboxList.Position?, domain: String?)
  /// These rows of the list.
  case rows([MailboxRow])
  /// Maildirs by their directories, without a lookup.
  ///
  /// - limit: nil for the one in each ledger.
  case maildirs([String], limit: QuotaLimit?)
}
