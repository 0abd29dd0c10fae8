// SPDX-License-Identifier: Apache-2.0

/// A text with its length in front, `5:hello,` (Bernstein, netstrings.txt): how socketmap requests and replies are
/// framed.
package enum Netstring {
  package enum Parsed: Equatable, Sendable {
    /// The text, and how many bytes of the input it took with its frame.
    case complete([UInt8], length: Int)
    /// Nothing is wrong so far; more has to come.
    case incomplete
    /// Not a netstring, or one of more than the limit: what follows cannot be made sense of either.
    case invalid
  }

  /// Reads the netstring that `bytes` begin with.
  ///
  /// - Parameter limit: the longest text accepted, below 10^9 bytes.
  package static func parse(_ bytes: some RandomAccessCollection<UInt8>, limit: Int) -> Parsed {
    var length = 0
    var rest = bytes[...]
    var digits = 0
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: ":"), digits > 0 {
        guard rest.count > length else { return .incomplete }
        let text = rest.prefix(length)
        guard rest.dropFirst(length).first == UInt8(ascii: ",") else { return .invalid }
        return .complete(Array(text), length: digits + 1 + length + 1)
      }
      // No second digit behind a zero: there is one way only to write a length.
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
