// SPDX-License-Identifier: Apache-2.0

/// Decodes a message as it is sent after DATA (RFC 5321 §4.5.2): removes the dots that were added, turns CR LF into LF,
/// and finds the end.
///
/// Only CR LF . CR LF ends a message. Whatever else a client sends is kept, a CR or an LF by itself too: if another
/// program took such a line for the end, the rest of a message would become commands (SMTP smuggling).
struct BodyDecoder: Sendable {
  private enum Place {
    /// Behind CR LF, or at the beginning.
    case lineStart
    case line
    /// Behind a CR that has not been passed on: an LF may follow.
    case carriageReturn
    /// Behind a dot at the start of a line; it is passed on in no case.
    case dot
    /// Behind such a dot and a CR.
    case dotAndCarriageReturn
  }

  private var place = Place.lineStart
  private static let cr = UInt8(ascii: "\r")
  private static let lf = UInt8(ascii: "\n")

  /// Appends what `input` means to `message`.
  ///
  /// - Returns: whether the message ends in `input`, and how many bytes belong to it.
  mutating func decode(_ input: ArraySlice<UInt8>, into message: inout [UInt8]) -> (isEnd: Bool, length: Int) {
    var index = input.startIndex
    while index < input.endIndex {
      // Most bytes are inside a line.
      if place == .line {
        let end = input[index...].firstIndex(of: Self.cr) ?? input.endIndex
        message += input[index..<end]
        guard end < input.endIndex else { break }
        index = end
      }
      let byte = input[index]
      index += 1
      if take(byte, into: &message) { return (true, index - input.startIndex) }
    }
    return (false, input.count)
  }

  /// - Returns: whether `byte` ends the message.
  private mutating func take(_ byte: UInt8, into message: inout [UInt8]) -> Bool {
    switch (place, byte) {
    case (.dotAndCarriageReturn, Self.lf):
      place = .lineStart
      return true
    case (.carriageReturn, Self.lf):
      message.append(byte)
      place = .lineStart
      return false
    case (.lineStart, UInt8(ascii: ".")):
      place = .dot
      return false
    case (.dot, Self.cr):
      place = .dotAndCarriageReturn
      return false
    case (.carriageReturn, _), (.dotAndCarriageReturn, _): message.append(Self.cr)
    case (.lineStart, _), (.line, _), (.dot, _): break
    }
    place = byte == Self.cr ? .carriageReturn : .line
    if byte != Self.cr { message.append(byte) }
    return false
  }
}
