// SPDX-License-Identifier: Apache-2.0

/// One question to a socketmap server: the name of a map, a blank, the key (socketmap_table(5)).
package struct SocketmapRequest: Hashable, Sendable {
  package let map: [UInt8]
  package let key: [UInt8]

  /// The longest request that is read: an address has at most 320 bytes (RFC 5321 §4.5.3.1), and a name may be long.
  package static let longest = 4096

  package init(map: [UInt8], key: [UInt8]) {
    self.map = map
    self.key = key
  }

  /// Nil without a blank. The key may hold blanks of its own.
  package init?(_ payload: [UInt8]) {
    guard let blank = payload.firstIndex(of: UInt8(ascii: " ")) else { return nil }
    self.init(map: Array(payload[..<blank]), key: Array(payload[(blank + 1)...]))
  }

  package var payload: [UInt8] { map + [UInt8(ascii: " ")] + key }
}

/// What a socketmap server answers (socketmap_table(5)).
package enum SocketmapReply: Equatable, Sendable {
  case found([UInt8])
  case notFound
  /// Try again later, for the reason given. `TIMEOUT` is read as this one.
  case temporary([UInt8])
  /// The server's administrator must mend something first.
  case permanent([UInt8])

  /// The longest reply that is read (Postfix, `socketmap_max_reply_size`).
  package static let longest = 100_000

  /// Nil for anything that is no reply.
  package init?(_ payload: [UInt8]) {
    let parts = payload.split(separator: UInt8(ascii: " "), maxSplits: 1, omittingEmptySubsequences: false)
    let rest = parts.count > 1 ? Array(parts[1]) : []
    switch String(decoding: parts[0], as: UTF8.self) {
    case "OK": self = .found(rest)
    case "NOTFOUND": self = .notFound
    case "TEMP", "TIMEOUT": self = .temporary(rest)
    case "PERM": self = .permanent(rest)
    default: return nil
    }
  }

  package var payload: [UInt8] {
    switch self {
    case .found(let value): Array("OK ".utf8) + value
    case .notFound: Array("NOTFOUND ".utf8)
    case .temporary(let reason): Array("TEMP ".utf8) + reason
    case .permanent(let reason): Array("PERM ".utf8) + reason
    }
  }
}
