// SPDX-License-Identifier: Apache-2.0
import Configuration
import Posix
import Text

/// Looks for one key in the text of a `texthash:` file without taking the other lines apart.
struct TexthashSearch {
  private let text: [UInt8]

  init(_ text: [UInt8]) {
    self.text = text
  }

  /// The value on the first line with the key, nil if there is none.
  ///
  /// - Parameter key: valid UTF-8 in lower case, not empty.
  func value(of key: [UInt8]) -> [UInt8]? {
    var value: [UInt8]?
    _ = forEachEntry { start, end in
      guard mayBegin(key, start, end), let (found, text) = pair(from: start), foldCase(found) == key else {
        return true
      }
      value = text
      return false
    }
    return value
  }

  /// Whether every entry is a key and a value; where one is not, the key on it is unknown.
  var isWellFormed: Bool {
    forEachEntry { start, end in isPlainPair(start, end) || pair(from: start) != nil }
  }

  /// Calls `body` with the bounds of the first line of each entry until it returns false.
  ///
  /// - Returns: whether it never did.
  private func forEachEntry(_ body: (Int, Int) -> Bool) -> Bool {
    var start = 0
    var isFirst = true
    while start < text.count {
      let end = endOfLine(from: start)
      // A line that begins with white space continues the entry before it, if there is one (`LogicalLine`).
      if begins(at: start) || isFirst && !isBlankOrComment(start, end) {
        isFirst = false
        guard body(start, end) else { return false }
      }
      start = end + 1
    }
    return true
  }

  private func endOfLine(from start: Int) -> Int {
    firstIndex(of: UInt8(ascii: "\n"), in: text.span, from: start) ?? text.count
  }

  /// Whether the line at `start` begins an entry, whatever comes before it.
  private func begins(at start: Int) -> Bool { !text[start].isWhiteSpace && text[start] != UInt8(ascii: "#") }

  private func isBlankOrComment(_ start: Int, _ end: Int) -> Bool {
    let first = text[start..<end].first { !$0.isWhiteSpace }
    return first == nil || first == UInt8(ascii: "#")
  }

  /// False if the entry at `start` certainly has another key. Letters that are not ASCII, and keys with quotes, which
  /// may go on on the next line, are left to `pair`.
  private func mayBegin(_ key: [UInt8], _ start: Int, _ end: Int) -> Bool {
    guard !text[start].isWhiteSpace else { return true }
    for offset in key.indices {
      guard start + offset < end else { return false }
      let byte = text[start + offset]
      guard byte < 0x80, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") else { return true }
      guard (byte.isASCIILetter ? byte | 32 : byte) == key[offset] else { return false }
    }
    let next = start + key.count
    return next >= end || text[next].isWhiteSpace
  }

  /// Whether the line has a key without quotes, a blank and more.
  private func isPlainPair(_ start: Int, _ end: Int) -> Bool {
    var index = start
    while index < end, !text[index].isWhiteSpace {
      guard text[index] != UInt8(ascii: "\""), text[index] != UInt8(ascii: "\\") else { return false }
      index += 1
    }
    guard index > start else { return false }
    while index < end, text[index].isWhiteSpace { index += 1 }
    return index < end
  }

  /// The key and the value of the entry at `start`, with the lines that continue it.
  private func pair(from start: Int) -> (key: [UInt8], value: [UInt8])? {
    var end = endOfLine(from: start)
    while end + 1 < text.count, !begins(at: end + 1) { end = endOfLine(from: end + 1) }
    return LogicalLine.split(Array(text[start..<end])).first.flatMap { InMemoryTable.keyAndValue($0.text) }
  }
}
