// SPDX-License-Identifier: Apache-2.0
package import Configuration
import Mailboxes
import Posix
package import Quota
import Text

/// A row of the mailbox list.
package struct MailboxRow: Sendable, Equatable {
  /// Empty if the list has none.
  package let address: [UInt8]
  /// Relative to the base, as listed; empty if the list has none.
  package let path: [UInt8]
  /// The limit that deliveries enforce.
  package let quota: EffectiveLimit
  /// What is wrong with the row itself.
  package private(set) var faults: [Fault]

  /// A column of the list.
  package enum Column: String, Sendable, CaseIterable {
    case address, path, limit
  }

  /// What can be wrong with a row.
  package enum Fault: Sendable, Equatable {
    /// A column that is NULL.
    case null(Column)
    /// A negative limit in bytes, which means that the row sets none.
    case negative(Int64)
    /// A limit that is not a whole number.
    case notANumber(String)
    /// A limit in bytes below `message_size_limit`; `virtual_mailbox_limit` applies instead.
    case setAside(Int64)
    /// A limit in bytes that deliveries do not look up.
    case unused(Int64)
    /// The path is invalid; a sentence.
    case path(String)
    /// The path begins with `virtual_mailbox_base`, so that mail goes to the base below the base.
    case repeatsBase
  }

  /// - Parameter columns: address, path, bytes and perhaps messages; nil is NULL.
  package init(_ columns: [[UInt8]?], _ settings: Settings) {
    func column(_ index: Int) -> [UInt8]? { index < columns.count ? columns[index] : nil }
    var faults: [Fault] = []
    for (index, name) in Column.allCases.enumerated() where column(index) == nil { faults.append(.null(name)) }
    func number(_ index: Int) -> Int64? {
      guard let text = column(index) else { return nil }
      if let number = Int64(wholeNumber: text) { return number }
      faults.append(.notANumber(displayText(text)))
      return nil
    }
    let bytes = number(2)
    if let bytes, bytes < 0 { faults.append(.negative(bytes)) }
    let countsMessages = !settings.tables(.virtual_mailbox_message_limit_maps).isEmpty
    let messages = countsMessages ? number(3) : nil
    // Deliveries enforce a limit of the list only if they look limits up.
    let isUsed = !settings.tables(.virtual_mailbox_limit_maps).isEmpty
    let isUnreadable =
      isUsed && bytes == nil && column(2) != nil || countsMessages && messages == nil && column(3) != nil
    quota = isUnreadable ? .unreadable : settings.limitRule.limit(bytes: isUsed ? bytes : nil, messages: messages)
    if !isUsed, let bytes, bytes >= 0, bytes != quota.limit.bytes { faults.append(.unused(bytes)) }
    if case .setAside(let bytes) = quota.source { faults.append(.setAside(bytes)) }
    address = column(0) ?? []
    path = column(1) ?? []
    if settings.repeatsBase(path) { faults.append(.repeatsBase) }
    self.faults = faults
  }

  /// A mailbox that was named by its address or by its directory.
  package init(address: [UInt8], path: [UInt8], quota: EffectiveLimit) {
    self.address = address
    self.path = path
    self.quota = quota
    faults = []
  }

  package func with(_ fault: Fault) -> MailboxRow {
    var row = self
    row.faults.append(fault)
    return row
  }

  package var limit: QuotaLimit { quota.limit }

  /// The limit for work on the mailbox: nil, the one in its ledger, if the row's cannot be read.
  package var knownLimit: QuotaLimit? { quota.source == .unreadable ? nil : quota.limit }

  /// Its address has capitals, and Postfix asks for addresses in lower case.
  package var hasCapitals: Bool { foldCase(address) != address }

  /// Nothing is wrong with the row itself.
  package var isSound: Bool { faults.isEmpty }

  /// For people and files.
  package var name: String { displayText(address.isEmpty ? path : address) }
  package var pathText: String { displayText(path) }
}
