// SPDX-License-Identifier: Apache-2.0

/// What the name of a message file tells (Maildir++).
package enum MessageFileName {
  /// The size in the name, bytes, or nil when the file itself must be asked.
  ///
  /// It is the last `,S=` before the first colon, when 1 to 18 digits follow that are not zero, and then a colon, a
  /// comma or the end.
  package static func size(in name: Span<UInt8>) -> Int64? {
    var end = 0
    var start = -1
    while end < name.count, name[end] != UInt8(ascii: ":") {
      if name[end] == UInt8(ascii: ","), end + 2 < name.count, name[end + 1] == UInt8(ascii: "S"),
        name[end + 2] == UInt8(ascii: "=")
      {
        start = end + 3
      }
      end += 1
    }
    guard start >= 0 else { return nil }
    var value: Int64 = 0
    var index = start
    while index < end, index - start < 18, (48...57).contains(name[index]) {
      value = value * 10 + Int64(name[index] - 48)
      index += 1
    }
    guard value > 0, index == end || name[index] == UInt8(ascii: ",") else { return nil }
    return value
  }
}
