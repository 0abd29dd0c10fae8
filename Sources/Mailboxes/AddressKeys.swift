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
    let whole = [Self.quoted(local) + domain, address]
    var partial: [[UInt8]] = []
    if let user = Self.user(of: local, delimiters: delimiters) {
      partial += [Self.quoted(user) + domain, Array(user + domain)]
    }
    partial.append(Array(domain))
    let keys = whole.map { Key(text: $0, isPartial: false) } + partial.map { Key(text: $0, isPartial: true) }
    self.keys = keys.reduce(into: []) { keys, key in
      if !keys.contains(where: { $0.text == key.text }) { keys.append(key) }
    }
  }

  /// The part before the first delimiter, nil without one. It must not be empty, though the extension may be.
  /// Addresses that mail systems use themselves are never split (Postfix, split_addr).
  private static func user(of local: ArraySlice<UInt8>, delimiters: [UInt8]) -> ArraySlice<UInt8>? {
    let user = local.prefix { !delimiters.contains($0) }
    guard !user.isEmpty, user.count < local.count else { return nil }
    let text = local.text
    guard !["postmaster", "mailer-daemon", "double-bounce"].contains(text) else { return nil }
    if delimiters.contains(UInt8(ascii: "-")), text.hasPrefix("owner-") || text.hasSuffix("-request") { return nil }
    return user
  }

  /// The local part as in a message header: in double quotes unless it is a dot-atom (RFC 5322 §3.2.3).
  private static func quoted(_ local: ArraySlice<UInt8>) -> [UInt8] {
    let isPlain: (UInt8) -> Bool = { $0 > 32 && $0 != 127 && !"()<>[]:;@\\,\"".utf8.contains($0) }
    let parts = local.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    if local.isEmpty || parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy(isPlain) }) { return Array(local) }
    let quote = UInt8(ascii: "\"")
    let backslash = UInt8(ascii: "\\")
    return [quote] + local.flatMap { $0 == quote || $0 == backslash || $0 == 13 ? [backslash, $0] : [$0] } + [quote]
  }
}
