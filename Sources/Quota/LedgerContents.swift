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
    do { try self.init(parsing: text) } catch {
      // Neither is part of any line that is accepted, so a valid text need not be searched for them.
      throw text.contains(0) ? .holdsNUL : text.contains(UInt8(ascii: "\r")) ? .holdsCR : error
    }
  }

  /// Each delivery reads the ledger, so each byte is looked at once, and nothing is copied.
  private init(parsing text: [UInt8]) throws(LedgerFault) {
    guard text.last == Self.lineEnd, let end = text.firstIndex(of: Self.lineEnd) else { throw .torn }
    let bytes = text.span
    limit = try Self.header(bytes.extracting(0..<end))
    var usage = QuotaUsage.none
    var hasCountedMark = false
    var isCompacted = false
    var number = 0
    var index = end + 1
    while index < bytes.count {
      let start = index
      let entry = try Self.entry(in: bytes, from: &index)
      number += 1
      if number == 1 { hasCountedMark = Self.hasMark(bytes.extracting(start..<index)) }
      if number == 2 { isCompacted = entry == .none }
      let (bytes, overflow) = usage.bytes.addingReportingOverflow(entry.bytes)
      let (messages, overflowed) = usage.messages.addingReportingOverflow(entry.messages)
      guard !overflow, !overflowed else { throw .overflow }
      usage = QuotaUsage(bytes: bytes, messages: messages)
    }
    guard number > 0 else { throw .headerOnly }
    guard usage.bytes >= 0, usage.messages >= 0 else { throw .negative }
    self.usage = usage
    self.hasCountedMark = hasCountedMark
    self.isCompacted = isCompacted
    entryCount = number
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
    do { return try header(text.span.extracting(0..<end)) } catch { return nil }
  }

  /// `1000S`, `1000S,5C`, `0S,5C`, or `0S` for no limit: the forms that all programs accept.
  private static func header(of limit: QuotaLimit) -> String {
    let published = limit.published
    return published.messages == 0 ? "\(published.bytes)S" : "\(published.bytes)S,\(published.messages)C"
  }

  /// `<n>S` and `<n>C` in any order; unknown letters are skipped, as in Courier and Dovecot.
  private static func header(_ line: Span<UInt8>) throws(LedgerFault) -> QuotaLimit {
    var bytes: Int64 = 0
    var messages: Int64 = 0
    var start = 0
    for end in 0...line.count where end == line.count || line[end] == UInt8(ascii: ",") {
      guard end > start, let value = Int64(digits: line.extracting(start..<end - 1)) else { throw .badHeader }
      switch line[end - 1] {
      case UInt8(ascii: "S"): bytes = value
      case UInt8(ascii: "C"): messages = value
      case UInt8(ascii: "A")...UInt8(ascii: "Z"): break
      default: throw .badHeader
      }
      start = end + 1
    }
    return QuotaLimit(bytes: bytes, messages: messages)
  }

  private static let lineEnd = UInt8(ascii: "\n")

  /// A line of two numbers, with blanks between them and perhaps around them.
  ///
  /// - Parameter index: where the line starts, and then where the next one does. The text ends with a line end.
  private static func entry(in text: Span<UInt8>, from index: inout Int) throws(LedgerFault) -> QuotaUsage {
    let bytes = try number(in: text, from: &index)
    let messages = try number(in: text, from: &index)
    skipBlanks(in: text, from: &index)
    guard text[index] == lineEnd else { throw .badEntry }
    index += 1
    return QuotaUsage(bytes: bytes, messages: messages)
  }

  private static func number(in text: Span<UInt8>, from index: inout Int) throws(LedgerFault) -> Int64 {
    skipBlanks(in: text, from: &index)
    let isNegative = text[index] == UInt8(ascii: "-")
    if isNegative { index += 1 }
    let start = index
    var value: Int64 = 0
    var hasOverflow = false
    while (48...57).contains(text[index]) {
      let digit = Int64(text[index]) - 48
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, overflowed) = product.addingReportingOverflow(isNegative ? -digit : digit)
      value = sum
      hasOverflow = hasOverflow || overflow || overflowed
      index += 1
    }
    guard index > start, isBlank(text[index]) || text[index] == lineEnd else { throw .badEntry }
    guard !hasOverflow else { throw .overflow }
    return value
  }

  private static func skipBlanks(in text: Span<UInt8>, from index: inout Int) {
    while isBlank(text[index]) { index += 1 }
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }

  private static func hasMark(_ line: Span<UInt8>) -> Bool {
    var blanks = 0
    for index in line.indices where isBlank(line[index]) { blanks += 1 }
    return blanks == 2 && line[0] == UInt8(ascii: " ") && line[1] != UInt8(ascii: " ")
  }
}
