// SPDX-License-Identifier: Apache-2.0
import Text

/// What smtpd(8) does with the recipient, or at the end with the message (access(5)).
package enum PolicyAnswer: Equatable, Sendable {
  /// Nothing: the next restriction decides. Never `OK`, which would skip the restrictions that follow.
  case pass
  case refuse(Code, text: [UInt8])

  /// The reply code, and the enhanced status code (RFC 3463).
  package enum Code: String, Sendable {
    case full = "452 4.2.2"
    case fullForGood = "552 5.2.2"
  }

  /// The reply with its empty line, without which smtpd(8) waits.
  package var bytes: [UInt8] {
    switch self {
    case .pass: Array("action=DUNNO\n\n".utf8)
    case .refuse(let code, let text):
      Array("action=\(code.rawValue) ".utf8) + Self.valid(singleLine(text)) + Array("\n\n".utf8)
    }
  }

  /// smtpd(8) ignores a reply that is not UTF-8.
  private static func valid(_ text: [UInt8]) -> [UInt8] {
    String(validating: text, as: UTF8.self) == nil ? text.map { $0 < 0x80 ? $0 : UInt8(ascii: "?") } : text
  }
}
