// SPDX-License-Identifier: Apache-2.0

/// Modified UTF-7, in which directories of folders are named (RFC 3501 §5.1.3): `Gel&APY-scht` is `Gelöscht`.
package enum ModifiedUTF7 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,".utf8)

  package static func encode(_ text: String) -> String {
    var result: [UInt8] = []
    var pending: [UInt16] = []
    for unit in text.utf16 {
      guard let plain = UInt8(exactly: unit), (0x20...0x7E).contains(plain) else {
        pending.append(unit)
        continue
      }
      result += encoded(&pending)
      result += plain == UInt8(ascii: "&") ? Array("&-".utf8) : [plain]
    }
    return (result + encoded(&pending)).text
  }

  private static func encoded(_ units: inout [UInt16]) -> [UInt8] {
    guard !units.isEmpty else { return [] }
    var result = [UInt8(ascii: "&")]
    var bits: UInt32 = 0
    var count = 0
    for unit in units {
      bits = bits << 16 | UInt32(unit)
      count += 16
      while count >= 6 {
        count -= 6
        result.append(alphabet[Int(bits >> count & 63)])
      }
    }
    if count > 0 { result.append(alphabet[Int(bits << (6 - count) & 63)]) }
    units = []
    return result + [UInt8(ascii: "-")]
  }

  /// Nil for a name that is no modified UTF-7.
  package static func decode(_ name: String) -> String? {
    var units: [UInt16] = []
    var rest = Array(name.utf8)[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "&") else {
        guard (0x20...0x7E).contains(byte) else { return nil }
        units.append(UInt16(byte))
        continue
      }
      guard let end = rest.firstIndex(of: UInt8(ascii: "-")) else { return nil }
      let shifted = rest[..<end]
      rest = rest[(end + 1)...]
      guard !shifted.isEmpty else {
        units.append(UInt16(byte))
        continue
      }
      var bits: UInt32 = 0
      var count = 0
      for letter in shifted {
        guard let value = alphabet.firstIndex(of: letter) else { return nil }
        bits = bits << 6 | UInt32(value)
        count += 6
        if count >= 16 {
          count -= 16
          units.append(UInt16(truncatingIfNeeded: bits >> count))
        }
      }
    }
    return String(validating: units, as: UTF16.self)
  }
}
