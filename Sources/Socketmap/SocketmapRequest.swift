// SPDX-License-Identifier: Apache-2.0

/// One request to a socketmap server: the name of a map, a blank, the key (socketmap_table(5)).
package struct SocketmapRequest: Hashable, Sendable {
  package let map: [UInt8]
  package let key: [UInt8]

  /// The longest request accepted, bytes. An address has up to 320 (RFC 5321 §4.5.3.1); a name may be long.
  package static let longest = 4096

  package init(map: [UInt8], key: [UInt8]) {
    self.map = map
    self.key = key
  }

  /// Nil without a blank. The key may contain further blanks.
  package init?(_ payload: [UInt8]) {
    guard let blank = payload.firstIndex(of: UInt8(ascii: " ")) else { return nil }
    self.init(map: Array(payload[..<blank]), key: Array(payload[(blank + 1)...]))
  }

  package var payload: [UInt8] { map + [UInt8(ascii: " ")] + key }
}

/// The reply of a socketmap server (socketmap_table(5)).
package enum SocketmapReply: Equatable, Sendable {
  case found([UInt8])
  case notFound
  /// Try again later, for the given reason. `TIMEOUT` is read as this case.
  case temporary([UInt8])
  /// The server's administrator must fix something first.
  case permanent([UInt8])

  /// The longest reply accepted, in bytes (Postfix, `socketmap_max_reply_size`).
  package static let longest = 100_000

  /// Nil if `payload` is not a reply.
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
