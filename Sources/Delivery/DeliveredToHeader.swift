// SPDX-License-Identifier: Apache-2.0
import Text

/// The header `Delivered-To:` where virtual(8) writes it: below Return-Path and X-Original-To, which pipe(8) and
/// lmtp(8) put on top (flags R and O).
///
/// They can write it too (flag D), but then bounce a message that has such a line already, as fetchmail's has;
/// virtual(8) delivers that.
package struct DeliveredToHeader: Sendable, Equatable {
  /// With its line end.
  let line: [UInt8]

  /// - Parameter recipient: the address as pipe(8) passes it: its local part without quotes.
  package init(_ recipient: [UInt8]) {
    let at = recipient.lastIndex(of: UInt8(ascii: "@")) ?? recipient.endIndex
    let address = quotedLocalPart(recipient[..<at]) + recipient[at...]
    // A line break would let the sender write headers.
    line = Array("Delivered-To: ".utf8) + address.map { $0.masked } + [UInt8(ascii: "\n")]
  }

  /// The start of a message with this header in it; unchanged if pipe(8) has written the header.
  ///
  /// - Parameter isWhole: there is no more of the message to see.
  /// - Returns: nil if more of the message decides where the header goes.
  package func inserted(into start: [UInt8], isWhole: Bool) -> [UInt8]? {
    var place = 0
    for name in ["From ", "Return-Path:", "X-Original-To:"] {
      switch Self.match(name.utf8, start[place...]) {
      case .no: continue
      case .undecided where !isWhole: return nil
      case .undecided: continue
      case .yes:
        guard let end = Self.end(of: start, from: place, isWhole: isWhole) else {
          return isWhole ? start[..<place] + line + start[place...] : nil
        }
        place = end
      }
    }
    switch Self.match(line, start[place...]) {
    case .yes: return start
    case .undecided where !isWhole: return nil
    case .undecided, .no: return start[..<place] + line + start[place...]
    }
  }

  /// Puts a header into a message that comes in parts.
  package struct Insertion: Sendable {
    private let header: DeliveredToHeader
    private var start: [UInt8] = []

    package init(_ header: DeliveredToHeader) { self.header = header }

    /// The start of the message with the header, as soon as enough of the message is there; nil before that.
    ///
    /// - Parameter isLast: no part follows this one.
    package mutating func take(_ part: some Sequence<UInt8>, isLast: Bool) -> [UInt8]? {
      start += part
      return header.inserted(into: start, isWhole: isLast || start.count >= 16 << 10)
    }
  }

  /// Behind the line end of a header, with the lines that continue it; nil if there is none yet.
  private static func end(of start: [UInt8], from place: Int, isWhole: Bool) -> Int? {
    var place = place
    while let end = start[place...].firstIndex(of: UInt8(ascii: "\n")) {
      place = end + 1
      guard place < start.count else { return isWhole ? place : nil }
      guard start[place] == UInt8(ascii: " ") || start[place] == UInt8(ascii: "\t") else { return place }
    }
    return nil
  }

  private enum Match { case yes, no, undecided }

  /// Whether `text`, of which there may be more, begins with `expected`, in whatever case.
  private static func match(_ expected: some Collection<UInt8>, _ text: ArraySlice<UInt8>) -> Match {
    guard zip(expected, text).allSatisfy({ isSame($0, $1) }) else { return .no }
    return text.count < expected.count ? .undecided : .yes
  }

  private static func isSame(_ one: UInt8, _ other: UInt8) -> Bool {
    one == other || (one | 32 == other | 32 && one.isASCIILetter) || one == other.masked && one == UInt8(ascii: "?")
  }
}
