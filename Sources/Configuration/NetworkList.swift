// SPDX-License-Identifier: Apache-2.0
import Text

/// Addresses and networks: `192.0.2.1`, `192.0.2.0/24`, `2001:db8::/32`, `[::1]` (mynetworks in postconf(5)).
package struct NetworkList: Equatable, Sendable {
  private var networks: [Network] = []

  /// An address as 16 bytes, an IPv4 one as `::ffff:a.b.c.d` (RFC 4291 §2.5.5.2), and how many of its bits count.
  private struct Network: Equatable, Sendable {
    let address: [UInt8]
    let length: Int

    func contains(_ other: [UInt8]) -> Bool {
      let (whole, bits) = (length / 8, length % 8)
      guard address.prefix(whole).elementsEqual(other.prefix(whole)) else { return false }
      return bits == 0 || (address[whole] ^ other[whole]) >> (8 - bits) == 0
    }
  }

  package init() {}

  package var isEmpty: Bool { networks.isEmpty }

  /// Adds one address or network; false if `text` is neither.
  package mutating func add(_ text: [UInt8]) -> Bool {
    let parts = text.split(separator: UInt8(ascii: "/"), maxSplits: 1, omittingEmptySubsequences: false)
    guard let address = Self.address(parts[0]) else { return false }
    let isShort = Self.isShort(address)
    var length = isShort ? 32 : 128
    if parts.count == 2 {
      guard let number = Int(parts[1].text), parts[1].allSatisfy({ $0.isDigit }), number <= length else { return false }
      length = number
    }
    networks.append(Network(address: address, length: isShort ? length + 96 : length))
    return true
  }

  /// Whether the address, written as text, is one of these. False for a text that is no address.
  package func contains(_ text: [UInt8]) -> Bool {
    guard !networks.isEmpty, let address = Self.address(text[...]) else { return false }
    return networks.contains { $0.contains(address) }
  }

  private static func isShort(_ address: [UInt8]) -> Bool {
    address.prefix(12).elementsEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF])
  }

  private static func address(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    var text = text
    if text.first == UInt8(ascii: "["), text.last == UInt8(ascii: "]") { text = text.dropFirst().dropLast() }
    if text.contains(UInt8(ascii: ":")) { return longAddress(text) }
    return shortAddress(text).map { [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF] + $0 }
  }

  private static func shortAddress(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var bytes: [UInt8] = []
    for part in parts {
      guard (1...3).contains(part.count), part.allSatisfy({ $0.isDigit }), let byte = UInt8(part.text) else {
        return nil
      }
      bytes.append(byte)
    }
    return bytes
  }

  /// RFC 4291 §2.2: groups of four hexadecimal digits, `::` for zeros, perhaps an IPv4 address at the end.
  private static func longAddress(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    let colon = UInt8(ascii: ":")
    var sides: [[UInt8]] = [[]]
    var index = text.startIndex
    if text.starts(with: "::".utf8) {
      sides.append([])
      index += 2
    }
    while index < text.endIndex {
      let group = text[index...].prefix { $0 != colon }
      index = group.endIndex
      if group.contains(UInt8(ascii: ".")) {
        guard index == text.endIndex, let bytes = shortAddress(group) else { return nil }
        sides[sides.count - 1] += bytes
        break
      }
      guard (1...4).contains(group.count), let value = UInt16(group.text, radix: 16), group[group.startIndex] != 0x2B
      else { return nil }
      sides[sides.count - 1] += [UInt8(value >> 8), UInt8(value & 0xFF)]
      guard index < text.endIndex else { break }
      index += 1
      if index < text.endIndex, text[index] == colon {
        guard sides.count == 1 else { return nil }
        sides.append([])
        index += 1
      } else if index == text.endIndex {
        return nil
      }
    }
    let count = sides.reduce(0) { $0 + $1.count }
    guard sides.count == 2 else { return count == 16 ? sides[0] : nil }
    guard count < 16 else { return nil }
    return sides[0] + [UInt8](repeating: 0, count: 16 - count) + sides[1]
  }
}
