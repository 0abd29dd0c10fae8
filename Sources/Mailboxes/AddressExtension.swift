// SPDX-License-Identifier: Apache-2.0
import Text

/// The extension of an address: `lists` in `you+lists@example.org`.
package enum AddressExtension {
  /// The part before the first delimiter and the part after it, nil without one. The user must not be empty, though
  /// the extension may be. Addresses that mail systems use themselves are never split (Postfix, split_addr).
  ///
  /// - Parameters:
  ///   - delimiters: `recipient_delimiter`, a set of characters.
  ///   - ownerRequestIsSpecial: `owner_request_special`: a hyphen splits neither owner-list nor list-request.
  package static func split(
    _ local: ArraySlice<UInt8>, at delimiters: [UInt8], ownerRequestIsSpecial: Bool = true
  ) -> (user: ArraySlice<UInt8>, extension: ArraySlice<UInt8>)? {
    let user = local.prefix { !delimiters.contains($0) }
    guard !user.isEmpty, user.count < local.count else { return nil }
    let text = foldCase(Array(local))
    for name in ["postmaster", "mailer-daemon", "double-bounce"] where text.elementsEqual(name.utf8) { return nil }
    if ownerRequestIsSpecial, delimiters.contains(UInt8(ascii: "-")) {
      let ending = "-request".utf8
      guard !text.starts(with: "owner-".utf8),
        text.count <= ending.count || !text.suffix(ending.count).elementsEqual(ending)
      else { return nil }
    }
    return (user, local[(user.endIndex + 1)...])
  }
}
