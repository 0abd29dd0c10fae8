// SPDX-License-Identifier: Apache-2.0
import Text

/// A command line of a client (RFC 2033, RFC 5321 §4.1).
enum LMTPCommand: Equatable, Sendable {
  case lhlo, mail, data, rset, noop, vrfy, quit
  /// A recipient, its local part without quotes.
  case rcpt([UInt8])
  /// Postfix's queue ID; empty if the client gives none (XFORWARD_README).
  case xforward([UInt8])
  case invalid(LMTPReply)

  /// - Parameter line: without its line end.
  init(_ line: ArraySlice<UInt8>) {
    let verb = line.prefix { $0 != UInt8(ascii: " ") }
    let arguments = line[verb.endIndex...].trimmed
    switch verb.text.uppercased() {
    case "LHLO": self = .lhlo
    // What it says about the sender decides nothing, and no sender is refused.
    case "MAIL": self = Self.hasPrefix("FROM:", arguments) ? .mail : .invalid(.badSyntax)
    case "RCPT":
      let path = Self.hasPrefix("TO:", arguments) ? Self.address(in: arguments.dropFirst(3).trimmed) : nil
      self = path.map { .rcpt($0) } ?? .invalid(.badSyntax)
    case "DATA": self = arguments.isEmpty ? .data : .invalid(.badSyntax)
    case "RSET": self = .rset
    case "NOOP": self = .noop
    case "VRFY": self = .vrfy
    case "QUIT": self = .quit
    case "XFORWARD": self = .xforward(Self.queueID(in: arguments))
    default: self = .invalid(.unknownCommand)
    }
  }

  private static func hasPrefix(_ prefix: String, _ text: ArraySlice<UInt8>) -> Bool {
    text.prefix(prefix.utf8.count).text.uppercased() == prefix
  }

  /// The address between `<` and `>`: without quotes and backslashes, as Postfix passes it to pipe(8), and without a
  /// source route (RFC 5321 appendix C). Nil if there is none.
  static func address(in text: ArraySlice<UInt8>) -> [UInt8]? {
    guard text.first == UInt8(ascii: "<") else { return nil }
    var address: [UInt8] = []
    var isQuoted = false
    var index = text.index(after: text.startIndex)
    while index < text.endIndex {
      let byte = text[index]
      index += 1
      switch byte {
      case UInt8(ascii: ">") where !isQuoted: return address.isEmpty ? nil : address
      case UInt8(ascii: "\""): isQuoted.toggle()
      case UInt8(ascii: "\\") where index < text.endIndex:
        address.append(text[index])
        index += 1
      case UInt8(ascii: ":") where !isQuoted && address.first == UInt8(ascii: "@"): address = []
      default: address.append(byte)
      }
    }
    return nil
  }

  /// The value of IDENT, which is in xtext (RFC 3461 §4). What is no queue ID is left out: it goes into the log only.
  private static func queueID(in arguments: ArraySlice<UInt8>) -> [UInt8] {
    for item in arguments.split(separator: UInt8(ascii: " ")) where hasPrefix("IDENT=", item) {
      let value = item.dropFirst(6)
      return TopHeaders.isQueueID(value) ? Array(value) : []
    }
    return []
  }
}
