// SPDX-License-Identifier: Apache-2.0
import Configuration
import Tables
import Text

/// The keys by which an address is looked up, in virtual(8)'s order.
struct AddressKeys: Equatable {
  struct Key: Equatable {
    let text: [UInt8]
    /// Only a part of the address, which is not looked up in some types of table (Postfix, mail_addr_find).
    let isPartial: Bool
  }

  /// The whole address, the address without its extension, and `@domain`; for each the quoted form first (RFC
  /// 5321 §4.1.2), then the plain one if it differs.
  let keys: [Key]

  /// Nil for an address that is not UTF-8 or contains NUL: it is not found, and no database is queried
  /// (PostgreSQL would report an error).
  ///
  /// - Parameter delimiters: `recipient_delimiter`, a set of characters.
  init?(_ address: [UInt8], delimiters: [UInt8]) {
    guard String(validating: address, as: UTF8.self) != nil, !address.contains(0) else { return nil }
    let address = foldCase(address)
    guard let at = address.lastIndex(of: UInt8(ascii: "@")) else {
      keys = [Key(text: address, isPartial: false)]
      return
    }
    let (local, domain) = (address[..<at], address[at...])
    let whole = [quotedLocalPart(local) + domain, address]
    var partial: [[UInt8]] = []
    if let user = AddressExtension.split(local, at: delimiters)?.user {
      partial += [(user.isEmpty ? [] : quotedLocalPart(user)) + domain, Array(user + domain)]
    }
    partial.append(Array(domain))
    let keys = whole.map { Key(text: $0, isPartial: false) } + partial.map { Key(text: $0, isPartial: true) }
    self.keys = keys.reduce(into: []) { keys, key in
      if !keys.contains(where: { $0.text == key.text }) { keys.append(key) }
    }
  }
}
