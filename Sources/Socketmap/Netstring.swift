// SPDX-License-Identifier: Apache-2.0

/// A text preceded by its length, `5:hello,` (Bernstein, netstrings.txt): the framing of socketmap requests
/// and replies.
package enum Netstring {
  /// What the bytes received so far are.
  package enum Parsed: Equatable, Sendable {
    /// The text, and how many bytes of the input it takes up including its frame.
    case complete([UInt8], length: Int)
    /// Valid so far, but more input is needed.
    case incomplete
    /// Not a netstring, or longer than the limit: what follows cannot be parsed either.
    case invalid
  }

  /// Parses the netstring at the start of `bytes`.
  ///
  /// - Parameter limit: the longest text accepted, in bytes, below 10^9.
  package static func parse(_ bytes: ArraySlice<UInt8>, limit: Int) -> Parsed {
    var length = 0
    var rest = bytes
    var digits = 0
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: ":"), digits > 0 {
        guard rest.count > length else { return .incomplete }
        let text = rest.prefix(length)
        guard rest.dropFirst(length).first == UInt8(ascii: ",") else { return .invalid }
        return .complete(Array(text), length: digits + 1 + length + 1)
      }
      // No digit after a leading zero: each length has exactly one spelling.
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte), digits == 0 || length > 0 else { return .invalid }
      length = length * 10 + Int(byte - UInt8(ascii: "0"))
      digits += 1
      guard length <= limit else { return .invalid }
    }
    return .incomplete
  }

  package static func frame(_ text: [UInt8]) -> [UInt8] {
    Array("\(text.count):".utf8) + text + [UInt8(ascii: ",")]
  }
}
