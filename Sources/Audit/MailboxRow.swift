// SPDX-License-Identifier: Apache-2.0
import Configuration
import Mailboxes
import Posix
package import Quota
import Text

/// A mailbox as the list of mailboxes has it.
package struct MailboxRow: Sendable, Equatable {
  /// Empty where the list has none.
  package let address: [UInt8]
  /// Below the base, as the list has it; empty where it has none.
  package let path: [UInt8]
  package let limit: QuotaLimit
  /// What is wrong with the row itself.
  package private(set) var faults: [Fault]
  /// Where the limit comes from.
  package let source: LimitSource

  package enum LimitSource: String, Sendable {
    /// The database has it.
    case table
    /// `virtual_mailbox_limit`, where the database has none, or one that is set aside.
    case fallback
    /// The command line.
    case option
  }

  package enum Fault: Sendable, Equatable {
    /// A column that is NULL.
    case null(String)
    /// A limit below zero, bytes, which means "no limit of its own".
    case negative(Int64)
    /// A limit that is not a whole number.
    case notANumber(String)
    /// A limit below `message_size_limit`, bytes, in whose place `virtual_mailbox_limit` holds.
    case setAside(Int64)
    /// A limit, bytes, that deliveries do not ask for.
    case unused(Int64)
    /// The path leads nowhere; a sentence.
    case path(String)
  }

  /// - Parameter columns: address, path, bytes and perhaps messages; nil is NULL.
  init(_ columns: [[UInt8]?], _ settings: Settings) {
    func column(_ index: Int) -> [UInt8]? { index < columns.count ? columns[index] : nil }
    var faults: [Fault] = []
    for (index, name) in ["address", "path", "limit"].enumerated() where column(index) == nil {
      faults.append(.null(name))
    }
    func number(_ index: Int) -> Int64? {
      guard let text = column(index) else { return nil }
      if let number = Int64(wholeNumber: text) { return number }
      faults.append(.notANumber(displayText(text)))
      return nil
    }
    let bytes = number(2)
    if let bytes, bytes < 0 { faults.append(.negative(bytes)) }
    let messages = settings.tables(.virtual_mailbox_message_limit_maps).isEmpty ? nil : number(3)
    // What holds is what deliveries go by.
    let isAsked = !settings.tables(.virtual_mailbox_limit_maps).isEmpty
    let limit = settings.limitRule.limit(for: isAsked ? bytes : nil)
    if !isAsked, let bytes, bytes >= 0, bytes != limit.bytes { faults.append(.unused(bytes)) }
    if limit.setAside, let bytes { faults.append(.setAside(bytes)) }
    address = column(0) ?? []
    path = column(1) ?? []
    self.limit = QuotaLimit(bytes: limit.bytes, messages: max(0, messages ?? 0))
    source = isAsked && (bytes ?? -1) >= 0 && !limit.setAside ? .table : .fallback
    self.faults = faults
  }

  /// A mailbox that was asked for by its address, or by its directory.
  package init(address: [UInt8], path: [UInt8], limit: QuotaLimit, source: LimitSource) {
    self.address = address
    self.path = path
    self.limit = limit
    self.source = source
    faults = []
  }

  func with(_ fault: Fault) -> MailboxRow {
    var row = self
    row.faults.append(fault)
    return row
  }

  /// Nothing is wrong with the row itself.
  package var isSound: Bool { faults.isEmpty }

  /// For people and files.
  package var name: String { Self.text(address.isEmpty ? path : address) }
  package var pathText: String { Self.text(path) }

  private static func text(_ bytes: [UInt8]) -> String {
    displayText(bytes)
  }
}
