// SPDX-License-Identifier: Apache-2.0
package import Configuration
import Text

/// Why an address that no table has may have a mailbox all the same: Postfix splits off an extension that was not split
/// off for the lookup. A forgotten `recipient_delimiter` must not bounce mail.
package enum UnsplitExtension: ExplainedError, Equatable {
  /// The extension, as Postfix splits the address.
  case passed([UInt8])
  /// The address contains the delimiter that most sites have, and ullage.cf sets none.
  case possible
  /// Without its extension the lookup service does find the address.
  case unknownToService

  /// Nil if ullage.cf splits `address` as Postfix does, as far as that is known.
  ///
  /// - Parameter passed: the extension by Postfix's own split, which is empty for `user+@example.org` as well; nil if
  ///   the entry in master.cf does not pass it.
  package init?(of address: [UInt8], passed: [UInt8]?, _ settings: Settings) {
    let local = address[..<(address.lastIndex(of: UInt8(ascii: "@")) ?? address.endIndex)]
    if let passed, !passed.isEmpty {
      let own = AddressExtension.split(local, at: settings.recipientDelimiter)?.extension ?? []
      guard !Self.isSame(own, passed[...]) else { return nil }
      self = .passed(passed)
      return
    }
    guard !settings.setsRecipientDelimiter,
      let split = AddressExtension.split(local, at: Array("+".utf8)), passed == nil || split.extension.isEmpty
    else { return nil }
    self = .possible
  }

  /// The address without the extension that ullage.cf splits off, nil without one.
  package static func plainAddress(of address: [UInt8], _ settings: Settings) -> [UInt8]? {
    guard let at = address.lastIndex(of: UInt8(ascii: "@")),
      let split = AddressExtension.split(address[..<at], at: settings.recipientDelimiter)
    else { return nil }
    return Array(split.user + address[at...])
  }

  /// pipe(8) may fold the extension, and not the address.
  private static func isSame(_ one: ArraySlice<UInt8>, _ other: ArraySlice<UInt8>) -> Bool {
    one.elementsEqual(other) || foldCase(Array(one)) == foldCase(Array(other))
  }

  package var sentence: [UInt8] {
    switch self {
    case .passed(let text):
      Array("Postfix takes \"".utf8) + text
        + Array("\" for the extension of this address, but recipient_delimiter in ullage.cf says otherwise;".utf8)
        + Array(" set it as main.cf does (postconf recipient_delimiter)\(Self.reload)".utf8)
    case .possible:
      Array("the address contains +, and ullage.cf does not set recipient_delimiter; set it as main.cf does,".utf8)
        + Array(" or to nothing if Postfix has none (postconf recipient_delimiter)\(Self.reload)".utf8)
    case .unknownToService:
      Array("the lookup service finds this address without its extension: it has an older recipient_delimiter".utf8)
        + Array("; systemctl reload ullaged-lookup".utf8)
    }
  }

  private static let reload = "; with the lookup service, reload it then: systemctl reload ullaged-lookup"
}
