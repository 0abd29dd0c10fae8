// SPDX-License-Identifier: Apache-2.0

/// The contents of `maildirsize`, the Maildir++ quota file that Courier, Dovecot, maildrop and Exim share.
///
/// The first line is the limit (`1000S,5C`); each further line changes the total (`120 1`). None of the
/// programs locks the file, and each reads it in its own way; this reader is stricter than all of them.
package struct LedgerContents: Equatable, Sendable {
  /// The limit in the header.
  package let limit: QuotaLimit
  package let usage: QuotaUsage
  package let entryCount: Int
  /// Whether the first entry starts with our marker: one blank before the number. Every reader skips it, and
  /// no other program writes it: Courier pads to 12 columns, the others do not pad.
  package let hasCountedMark: Bool
  /// Whether the second entry is `0 0`: the total was carried over, not counted.
  package let isCompacted: Bool

  /// The largest file that is read, in bytes; a longer one makes every program recount.
  package static let largestSize = 5119

  /// Whether exactly one total is zero: legitimate after counting `S=0` names, otherwise a fault.
  package var isLopsided: Bool { (usage.bytes == 0) != (usage.messages == 0) }

  package init(_ text: [UInt8]) throws(LedgerFault) {
    guard !text.isEmpty else { throw .empty }
    guard text.count <= Self.largestSize else { throw .tooLong }
    guard !text.contains(0) else { throw .holdsNUL }
    guard !text.contains(UInt8(ascii: "\r")) else { throw .holdsCR }
    guard text.last == UInt8(ascii: "\n") else { throw .torn }
    let lines = text.dropLast().split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    limit = try Self.header(lines[0])
    guard lines.count > 1 else { throw .headerOnly }
    var usage = QuotaUsage.none
    for line in lines.dropFirst() {
      let entry = try Self.entry(line)
      let (bytes, overflow) = usage.bytes.addingReportingOverflow(entry.bytes)
      let (messages, overflowed) = usage.messages.addingReportingOverflow(entry.messages)
      guard !overflow, !overflowed else { throw .overflow }
      usage = QuotaUsage(bytes: bytes, messages: messages)
    }
    guard usage.bytes >= 0, usage.messages >= 0 else { throw .negative }
    self.usage = usage
    entryCount = lines.count - 1
    hasCountedMark = Self.hasMark(lines[1])
    isCompacted = lines.count > 2 ? try Self.entry(lines[2]) == .none : false
  }

  /// The text after a count: a single entry, which every program takes as a counted total while it is fresh.
  package static func counted(_ usage: QuotaUsage, limit: QuotaLimit) -> [UInt8] {
    Array("\(header(of: limit))\n \(usage.bytes) \(usage.messages)\n".utf8)
  }

  /// The text after adding up the entries: the second entry shows every program that nothing was counted.
  package static func compacted(_ usage: QuotaUsage, limit: QuotaLimit) -> [UInt8] {
    counted(usage, limit: limit) + Array("0 0\n".utf8)
  }

  /// The entry for a message of `size` bytes; with `removing`, the entry that cancels it.
  package static func entry(of size: Int64, removing: Bool = false) -> [UInt8] {
    Array((removing ? "-\(size) -1\n" : "\(size) 1\n").utf8)
  }

  /// The entry that corrects the total by `difference`; either number may be negative.
  package static func correction(_ difference: QuotaUsage) -> [UInt8] {
    Array("\(difference.bytes) \(difference.messages)\n".utf8)
  }

  /// The limit in the first line, or nil if that line is invalid; the other lines may be invalid.
  package static func limit(in text: [UInt8]) -> QuotaLimit? {
    guard let end = text.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
    do { return try header(text[..<end]) } catch { return nil }
  }

  /// `1000S`, `1000S,5C`, `0S,5C`, or `0S` for no limit: the forms that all programs accept.
  private static func header(of limit: QuotaLimit) -> String {
    let published = limit.published
    return published.messages == 0 ? "\(published.bytes)S" : "\(published.bytes)S,\(published.messages)C"
  }

  /// `<n>S` and `<n>C` in any order; unknown letters are skipped, as in Courier and Dovecot.
  private static func header(_ line: ArraySlice<UInt8>) throws(LedgerFault) -> QuotaLimit {
    var bytes: Int64 = 0
    var messages: Int64 = 0
    for part in line.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
      guard let letter = part.last, let value = Int64(digits: Array(part.dropLast()).span) else { throw .badHeader }
      switch letter {
      case UInt8(ascii: "S"): bytes = value
      case UInt8(ascii: "C"): messages = value
      case UInt8(ascii: "A")...UInt8(ascii: "Z"): break
      default: throw .badHeader
      }
    }
    return QuotaLimit(bytes: bytes, messages: messages)
  }

  private static func entry(_ line: ArraySlice<UInt8>) throws(LedgerFault) -> QuotaUsage {
    let words = line.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
    guard words.count == 2 else { throw .badEntry }
    return QuotaUsage(bytes: try number(words[0]), messages: try number(words[1]))
  }

  private static func number(_ word: ArraySlice<UInt8>) throws(LedgerFault) -> Int64 {
    let isNegative = word.first == UInt8(ascii: "-")
    let digits = Array(isNegative ? word.dropFirst() : word)
    guard !digits.isEmpty, digits.allSatisfy({ (48...57).contains($0) }) else { throw .badEntry }
    guard let value = Int64(digits: digits.span, isNegative: isNegative) else { throw .overflow }
    return value
  }

  private static func hasMark(_ line: ArraySlice<UInt8>) -> Bool {
    line.first == UInt8(ascii: " ") && line.count { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") } == 2
      && line.dropFirst().first != UInt8(ascii: " ")
  }
}
