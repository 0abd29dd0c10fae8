// SPDX-License-Identifier: Apache-2.0

/// What the name of a message file says (Maildir++).
package enum MessageFileName {
  /// The size in the name, in bytes, or nil if it must be read from the file.
  ///
  /// It is the number after the last `,S=` before the first colon, if it has 1 to 18 digits, is not zero, and
  /// is followed by a colon, a comma or the end.
  package static func size(in name: Span<UInt8>) -> Int64? {
    guard let (start, end) = lastSizeBeforeColon(name) else { return nil }
    let (value, next) = number(in: name, from: start, to: min(end, start + 18))
    guard value > 0, next == end || name[next] == UInt8(ascii: ",") else { return nil }
    return value
  }

  /// As Courier reads it: the digits that follow, possibly none (zero).
  static func sizeAsCourier(in name: Span<UInt8>) -> Int64? {
    lastSizeBeforeColon(name).map { number(in: name, from: $0.start, to: $0.end).value }
  }

  /// As Dovecot and Exim read it: the first `,S=`, wherever it is.
  ///
  /// - Parameter mayBeEmpty: Dovecot's way: no digits mean zero, and a letter after them means no size.
  static func firstSize(in name: Span<UInt8>, mayBeEmpty: Bool) -> Int64? {
    guard let start = (0..<name.count).first(where: { startsSize(name, $0) }).map({ $0 + 3 }) else { return nil }
    let (value, next) = number(in: name, from: start, to: name.count)
    guard mayBeEmpty else { return next > start ? value : nil }
    return next == name.count || name[next] == UInt8(ascii: ":") || name[next] == UInt8(ascii: ",") ? value : nil
  }

  /// Whether the flags after the last `:2,` include T: the message is about to be expunged.
  package static func isTrashed(_ name: Span<UInt8>) -> Bool {
    guard let colon = (0..<name.count).last(where: { name[$0] == UInt8(ascii: ":") }), colon + 2 < name.count,
      name[colon + 1] == UInt8(ascii: "2"), name[colon + 2] == UInt8(ascii: ",")
    else { return false }
    for index in colon + 3..<name.count {
      if name[index] == UInt8(ascii: "T") { return true }
      guard (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(name[index]) else { return false }
    }
    return false
  }

  /// Where the digits after the last `,S=` before the first colon begin, and where that part ends.
  private static func lastSizeBeforeColon(_ name: Span<UInt8>) -> (start: Int, end: Int)? {
    var end = 0
    var start = -1
    while end < name.count, name[end] != UInt8(ascii: ":") {
      if startsSize(name, end) { start = end + 3 }
      end += 1
    }
    return start >= 0 ? (min(start, end), end) : nil
  }

  private static func startsSize(_ name: Span<UInt8>, _ index: Int) -> Bool {
    name[index] == UInt8(ascii: ",") && index + 2 < name.count && name[index + 1] == UInt8(ascii: "S")
      && name[index + 2] == UInt8(ascii: "=")
  }

  /// The number that begins at `start`, read up to `end` at most; larger numbers saturate.
  private static func number(in name: Span<UInt8>, from start: Int, to end: Int) -> (value: Int64, next: Int) {
    var value: Int64 = 0
    var index = start
    while index < end, (48...57).contains(name[index]) {
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      value = overflow ? .max : product.addingSaturating(Int64(name[index] - 48))
      index += 1
    }
    return (value, index)
  }
}
