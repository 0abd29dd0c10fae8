// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Posix
package import Quota
package import Tables
import Text

/// A recipient's mailbox, as the tables describe it.
package struct Mailbox: Equatable, Sendable {
  /// The directories below the base that lead to the Maildir, at least one.
  package let components: [Path]
  package let limit: QuotaLimit
  /// A table gave the limit; else it is `virtual_mailbox_limit`.
  package let limitIsOwn: Bool
  /// The table's limit was below `message_size_limit`, and `virtual_mailbox_limit` holds instead.
  package let limitWasSetAside: Bool
}

/// Why there is no telling what a recipient's mailbox is. It always defers the message.
package enum MailboxError: ExplainedError, Equatable, Sendable {
  /// A table gave no answer.
  case table(TableError)
  /// The path that a table gave, and what is wrong with it.
  case badPath([UInt8], String)
  /// The parameter, and what its table gave.
  case badNumber(Parameter, [UInt8])
  /// The parameter, the id that its table gave, and ours.
  case otherUser(Parameter, Int64, UInt32)
}

extension MailboxError {
  package var sentence: [UInt8] {
    switch self {
    case .table(let error): error.sentence
    case .badPath(let path, let reason):
      Array("virtual_mailbox_maps gives \"".utf8) + path + Array("\": \(reason)".utf8)
    case .badNumber(let parameter, let value):
      Array("\(parameter.rawValue) gives \"".utf8) + value + Array("\", which is not one whole number".utf8)
    case .otherUser(let parameter, let id, let own):
      Array("\(parameter.rawValue) gives \(id), but deliveries run as uid \(own)".utf8)
    }
  }

  /// It may work later, without anything being changed.
  package var isTemporary: Bool { if case .table(let error) = self { error.kind == .temporary } else { false } }

  /// The parameter whose table gave the answer that cannot be used.
  package var parameter: Parameter {
    switch self {
    case .badNumber(let parameter, _), .otherUser(let parameter, _, _): parameter
    case .table, .badPath: .virtual_mailbox_maps
    }
  }
}

/// Answers what an address's mailbox is.
package struct MailboxDirectory {
  private let settings: Settings
  private let lookup: AddressLookup

  /// - Parameter prefersTables: see `AddressLookup`.
  package init(_ settings: Settings, prefersTables: Bool = false) {
    self.settings = settings
    lookup = AddressLookup(settings, prefersTables: prefersTables)
  }

  /// Why the lookup service was passed over, nil when it was not.
  package var serviceFailure: String? { lookup.serviceFailure }

  /// The mailbox of `recipient`, or nil when there is none.
  ///
  /// - Parameters:
  ///   - user: the uid that this process runs as, which `virtual_uid_maps` must confirm where it is set; nil when that
  ///     does not matter.
  ///   - group: likewise the gid.
  package func mailbox(
    of recipient: [UInt8], user: UInt32?, group: UInt32?, until deadline: Deadline
  ) throws(MailboxError) -> Mailbox? {
    guard let path = try value(.virtual_mailbox_maps, recipient, until: deadline) else { return nil }
    let components = try Self.components(of: path, suffix: settings.maildirSuffix)
    try check(.virtual_uid_maps, is: user, for: recipient, until: deadline)
    try check(.virtual_gid_maps, is: group, for: recipient, until: deadline)
    let bytes = try number(.virtual_mailbox_limit_maps, recipient, until: deadline)
    let messages = try number(.virtual_mailbox_message_limit_maps, recipient, until: deadline)
    let limit = settings.limitRule.limit(for: bytes)
    return Mailbox(
      components: components, limit: QuotaLimit(bytes: limit.bytes, messages: max(0, messages ?? 0)),
      limitIsOwn: (bytes ?? -1) >= 0 && !limit.setAside, limitWasSetAside: limit.setAside)
  }

  /// The text of `recipient`'s own that the sender is told over quota, nil when there is none.
  package func limitMessage(for recipient: [UInt8], until deadline: Deadline) throws(MailboxError) -> [UInt8]? {
    let text = try value(.virtual_maildir_limit_message_maps, recipient, until: deadline)
    return text?.isEmpty == true ? nil : text
  }

  private func value(
    _ parameter: Parameter, _ address: [UInt8], until deadline: Deadline
  ) throws(MailboxError) -> [UInt8]? {
    do { return try lookup.value(of: parameter, for: address, until: deadline) } catch {
      throw .table(error)
    }
  }

  private func number(
    _ parameter: Parameter, _ address: [UInt8], until deadline: Deadline
  ) throws(MailboxError) -> Int64? {
    guard let value = try value(parameter, address, until: deadline) else { return nil }
    guard let number = Int64(wholeNumber: value) else { throw .badNumber(parameter, value) }
    return number
  }

  private func check(
    _ parameter: Parameter, is expected: UInt32?, for address: [UInt8],
    until deadline: Deadline
  ) throws(MailboxError) {
    guard let expected, !settings.tables(parameter).isEmpty else { return }
    let number = try number(parameter, address, until: deadline) ?? -1
    guard number == Int64(expected) else { throw .otherUser(parameter, number, expected) }
  }

  /// The directories below the base that `path`, a table's answer, leads through.
  package static func components(of path: [UInt8], suffix: [UInt8]) throws(MailboxError) -> [Path] {
    let slash = UInt8(ascii: "/")
    guard path.last == slash else { throw .badPath(path, "it must end in / (mbox files are not supported)") }
    var components: [Path] = []
    for part in (path + suffix).split(separator: slash) where !part.elementsEqual(".".utf8) {
      guard !part.elementsEqual("..".utf8) else { throw .badPath(path, "it must not hold ..") }
      guard let component = Path(part) else { throw .badPath(path, "it must not hold NUL") }
      components.append(component)
    }
    guard !components.isEmpty else { throw .badPath(path, "it must lead below virtual_mailbox_base") }
    return components
  }
}
