// SPDX-License-Identifier: Apache-2.0
import Text

/// What the headers on top of a message tell about its delivery: those that lmtp(8) adds (its flags), and the first
/// `Received:`, which is the queue manager's own host's. A sender may have written them, so they are only logged.
package struct TopHeaders: Equatable, Sendable {
  /// The recipient before aliases, without quotes; empty if unknown.
  package private(set) var originalRecipient: [UInt8] = []
  /// Postfix's queue ID; empty if unknown.
  package var queueID: [UInt8] { Self.queueID(in: received) }
  private var received: ArraySlice<UInt8> = []

  /// Bytes at the start of a message that are looked at.
  private static let length = 4096

  /// - Parameter start: the start of a message, with LF line ends.
  package init(_ start: ArraySlice<UInt8>) {
    var rest = start.prefix(Self.length)
    while let (name, value) = Self.takeHeader(&rest) {
      switch name {
      case "received":
        received = value
        return
      case "x-original-to":
        let quoted = value.trimmed
        originalRecipient = LMTPCommand.address(in: ("<".utf8 + quoted + ">".utf8)[...]) ?? Array(quoted)
      case "return-path", "delivered-to": break
      default: return
      }
    }
  }

  /// The next header's name in lower case, and its value with the lines that continue it.
  private static func takeHeader(_ rest: inout ArraySlice<UInt8>) -> (String, ArraySlice<UInt8>)? {
    guard let colon = rest.firstIndex(of: UInt8(ascii: ":")), colon - rest.startIndex <= 16 else { return nil }
    let name = rest[..<colon].text.lowercased()
    var index = colon
    repeat {
      guard let end = rest[index...].firstIndex(of: UInt8(ascii: "\n")) else {
        defer { rest = [] }
        return (name, rest[(colon + 1)...])
      }
      index = end + 1
    } while index < rest.endIndex && [UInt8(ascii: " "), UInt8(ascii: "\t")].contains(rest[index])
    defer { rest = rest[index...] }
    return (name, rest[(colon + 1)..<index])
  }

  /// The word behind the last `id` outside comments and before the date (RFC 5321 §4.4).
  private static func queueID(in received: ArraySlice<UInt8>) -> [UInt8] {
    var depth = 0
    let plain = received.filter { byte in
      if byte == UInt8(ascii: "(") { depth += 1 }
      defer { if byte == UInt8(ascii: ")") { depth = max(0, depth - 1) } }
      return depth == 0
    }
    let words = plain.prefix { $0 != UInt8(ascii: ";") }.split { $0.isWhiteSpace }
    guard let id = words.dropLast().lastIndex(where: { $0.elementsEqual("id".utf8) }) else { return [] }
    return isQueueID(words[id + 1]) ? Array(words[id + 1]) : []
  }

  /// Letters and digits, as in both of Postfix's formats (postconf(5), `enable_long_queue_ids`).
  static func isQueueID(_ text: ArraySlice<UInt8>) -> Bool {
    (1...32).contains(text.count) && text.allSatisfy { $0.isASCIILetter || $0.isDigit }
  }
}
