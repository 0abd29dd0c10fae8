// SPDX-License-Identifier: Apache-2.0
import Configuration
import Text

/// Addresses as Postfix reads them in a table's result, and completes them (trivial-rewrite(8)).
///
/// What mail administrators write is understood exactly. Of the rest of RFC 822 (comments, groups, routes, address
/// literals) nothing is: such an address is a `Mistake.syntax`, and nothing may be decided from it.
struct AddressText {
  private let settings: AliasSettings

  init(_ settings: AliasSettings) {
    self.settings = settings
  }

  /// Why an address is not understood.
  enum Mistake: Error {
    case syntax
    /// The address has no domain, or an incomplete one, and myorigin or mydomain is not known.
    case unknownDomain
  }

  private enum Token: Equatable {
    case word([UInt8])
    case quoted([UInt8])
    case symbol(UInt8)

    static let at = Token.symbol(UInt8(ascii: "@"))
    static let dot = Token.symbol(UInt8(ascii: "."))
    static let comma = Token.symbol(UInt8(ascii: ","))

    var isWord: Bool { if case .symbol = self { false } else { true } }

    var bytes: [UInt8] {
      switch self {
      case .word(let text), .quoted(let text): text
      case .symbol(let byte): [byte]
      }
    }
  }

  /// The address without quotes as Postfix completes it.
  ///
  /// - Parameter address: without quotes, as in a policy request.
  func completed(_ address: [UInt8]) throws(Mistake) -> [UInt8] {
    // A source route (RFC 5321 §4.1.1.3): a colon is not quoted there.
    if address.first == UInt8(ascii: "@"), address.contains(UInt8(ascii: ":")) { throw .syntax }
    return try rewritten(try Self.scan(Self.quoted(address)))
  }

  /// The addresses in the result of a table, each completed and without quotes.
  func addresses(in text: [UInt8]) throws(Mistake) -> [[UInt8]] {
    var addresses: [[UInt8]] = []
    for tokens in try Self.split(try Self.scan(text)) { addresses.append(try rewritten(tokens)) }
    return addresses
  }

  /// The address with its local part in quotes where necessary, which is how tables have it.
  static func quoted(_ address: [UInt8]) -> [UInt8] {
    guard let at = address.lastIndex(of: UInt8(ascii: "@")) else { return quotedLocalPart(address[...]) }
    return quotedLocalPart(address[..<at]) + address[at...]
  }

  private static func scan(_ text: [UInt8]) throws(Mistake) -> [Token] {
    var tokens: [Token] = []
    var rest = text[...]
    while let byte = rest.first {
      switch byte {
      case UInt8(ascii: " "), 9, 10, 13: rest = rest.dropFirst()
      case UInt8(ascii: "\""): tokens.append(.quoted(try takeQuoted(from: &rest)))
      case _ where isSymbol(byte):
        tokens.append(.symbol(byte))
        rest = rest.dropFirst()
      default:
        let word = rest.prefix { !isSymbol($0) && $0 > 32 && $0 != 127 && !$0.isReserved && $0 != UInt8(ascii: "\"") }
        guard !word.isEmpty else { throw .syntax }
        tokens.append(.word(Array(word)))
        rest = rest.dropFirst(word.count)
      }
    }
    return tokens
  }

  private static func isSymbol(_ byte: UInt8) -> Bool { "@.,<>%!|".utf8.contains(byte) }

  private static func takeQuoted(from rest: inout ArraySlice<UInt8>) throws(Mistake) -> [UInt8] {
    var text: [UInt8] = []
    rest = rest.dropFirst()
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "\"") { return text }
      guard byte == UInt8(ascii: "\\") else {
        text.append(byte)
        continue
      }
      guard let next = rest.popFirst() else { break }
      text.append(next)
    }
    throw .syntax
  }

  /// Addresses end at a comma, and between two words with no symbol between them. `Name <address>` is not
  /// understood: a `Mistake.syntax`. What is no address is left to `rewritten`.
  private static func split(_ tokens: [Token]) throws(Mistake) -> [[Token]] {
    var addresses: [[Token]] = []
    var current: [Token] = []
    var rest = tokens[...]
    func finish() {
      if !current.isEmpty { addresses.append(current) }
      current = []
    }
    while let token = rest.popFirst() {
      switch token {
      case .comma: finish()
      case .symbol(UInt8(ascii: "<")):
        // Where the name ends that precedes it depends on more than these tokens.
        guard current.isEmpty else { throw .syntax }
        guard let end = rest.firstIndex(of: .symbol(UInt8(ascii: ">"))) else { throw .syntax }
        addresses.append(Array(rest[..<end]))
        rest = rest[(end + 1)...]
      default:
        if token.isWord, current.last?.isWord == true { finish() }
        current.append(token)
      }
    }
    finish()
    return addresses
  }

  /// Completes an address as trivial-rewrite(8) does for addresses of this site.
  private func rewritten(_ tokens: [Token]) throws(Mistake) -> [UInt8] {
    var tokens = tokens
    let symbols = tokens.filter { !$0.isWord }
    guard symbols.count < tokens.count, !symbols.contains(.symbol(UInt8(ascii: "<"))),
      !symbols.contains(.symbol(UInt8(ascii: ">"))), !symbols.contains(.comma),
      !zip(tokens, tokens.dropFirst()).contains(where: { $0.isWord && $1.isWord })
    else { throw .syntax }
    if !tokens.contains(.at) { try addDomain(to: &tokens) }
    if settings.completesHostNames, let at = tokens.lastIndex(of: .at), at + 1 < tokens.endIndex,
      !tokens[at...].contains(.dot)
    {
      guard !settings.domain.isEmpty else { throw .unknownDomain }
      tokens += [.dot] + (try Self.scan(settings.domain))
    }
    if tokens.last == .dot, tokens.count > 1, tokens[tokens.count - 2].isWord { tokens.removeLast() }
    return tokens.flatMap { $0.bytes }
  }

  private func addDomain(to tokens: inout [Token]) throws(Mistake) {
    if settings.swapsBangPath, let bang = tokens.firstIndex(of: .symbol(UInt8(ascii: "!"))) {
      guard bang > 0, bang + 1 < tokens.endIndex else { throw .syntax }
      tokens = tokens[(bang + 1)...] + [.at] + tokens[..<bang]
    } else if settings.takesPercentForAt, let percent = tokens.lastIndex(of: .symbol(UInt8(ascii: "%"))) {
      tokens[percent] = .at
    } else {
      guard !settings.origin.isEmpty else { throw .unknownDomain }
      tokens += [.at] + (try Self.scan(settings.origin))
    }
  }
}

extension UInt8 {
  /// Special in RFC 822, and not understood here.
  fileprivate var isReserved: Bool { "()[];:\\".utf8.contains(self) }
}
