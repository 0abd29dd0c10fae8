// SPDX-License-Identifier: Apache-2.0
import Posix
import Quota

/// A replaced ledger that other programs may still have open.
struct DisplacedLedger: ~Copyable {
  /// Which of its later lines belong in the new file.
  enum Lines {
    case all
    /// After a count: a negative line may refer to a message that the count did not include.
    case positive
  }

  private let file: LedgerFile
  /// Removes the file's name in `tmp/` when it goes out of scope.
  private let tmp: TmpName
  private var offset: Int64
  private let lines: Lines

  init(file: consuming LedgerFile, tmp: consuming TmpName, offset: Int64, lines: Lines) {
    self.file = file
    self.tmp = tmp
    self.offset = offset
    self.lines = lines
  }

  /// The complete lines that were appended since the last call.
  mutating func takeLines() -> [UInt8] {
    let bytes: [UInt8]
    // Lines that cannot be read are lost, as with every program that replaces the file; a count finds them.
    do { bytes = try file.bytes(from: offset) } catch { return [] }
    guard let end = bytes.lastIndex(of: UInt8(ascii: "\n")) else { return [] }
    offset += Int64(end) + 1
    let whole = bytes[...end]
    return lines == .positive ? Self.positiveLines(of: whole) : Array(whole)
  }

  /// The complete lines that contain no negative number.
  static func positiveLines(of text: ArraySlice<UInt8>) -> [UInt8] {
    let newline = UInt8(ascii: "\n")
    let whole = text[..<(text.lastIndex(of: newline) ?? text.startIndex)]
    return whole.split(separator: newline).filter { !$0.contains(UInt8(ascii: "-")) }.flatMap { $0 + [newline] }
  }
}
