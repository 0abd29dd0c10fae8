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
    let text = foldCase(Array(local)).text
    guard !["postmaster", "mailer-daemon", "double-bounce"].contains(text) else { return nil }
    if ownerRequestIsSpecial, delimiters.contains(UInt8(ascii: "-")) {
      guard !text.hasPrefix("owner-"), !text.hasSuffix("-request") || text == "-request" else { return nil }
    }
    return (user, local[(user.endIndex + 1)...])
  }
}
