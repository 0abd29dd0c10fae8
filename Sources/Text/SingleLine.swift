// SPDX-License-Identifier: Apache-2.0

/// A text for a reply to a mail client: at most 400 bytes, cut between characters, with `?` for control characters.
package func singleLine(_ text: [UInt8]) -> [UInt8] {
  var text = text
  if text.count > 400 {
    // A byte 10xxxxxx continues a character (RFC 3629 §3).
    var end = 400
    while end > 396, text[end] & 0xC0 == 0x80 { end -= 1 }
    text.removeSubrange(end...)
  }
  return text.map { $0.masked }
}

extension UInt8 {
  /// `?` for a control character, which would end a line or act upon a terminal.
  package var masked: UInt8 { self < 32 || self == 127 ? UInt8(ascii: "?") : self }
}
