// SPDX-License-Identifier: Apache-2.0
import Quota
import Testing
import Text

struct LedgerContentsTests {
  private func parse(_ text: String) throws(LedgerFault) -> LedgerContents { try LedgerContents(Array(text.utf8)) }

  @Test(
    "The entries of all programs are added up",
    arguments: [
      ("1000S\n 120 2\n30 1\n", 150, 3),
      ("1000S\n         120            2\n          30            1\n", 150, 3),
      ("1000S\n120\t2\n-20 -1\n", 100, 1),
      ("1000S\n0 0\n", 0, 0),
    ] as [(String, Int64, Int64)])
  func totals(text: String, bytes: Int64, messages: Int64) throws {
    #expect(try parse(text).usage == QuotaUsage(bytes: bytes, messages: messages))
  }

  @Test(
    "Headers are compared by value, whatever their order",
    arguments: [
      ("1000S", 1000, 0), ("0S", 0, 0), ("5C", 0, 5), ("1000S,5C", 1000, 5), ("5C,1000S", 1000, 5), ("007S", 7, 0),
      ("1000S,5C,7B", 1000, 5), ("0S,0C", 0, 0),
    ] as [(String, Int64, Int64)])
  func headers(header: String, bytes: Int64, messages: Int64) throws {
    #expect(try parse(header + "\n1 1\n").limit == QuotaLimit(bytes: bytes, messages: messages))
  }

  @Test(
    "An invalid ledger is a fault, never an empty mailbox",
    arguments: [
      ("", .empty), ("1000S\n", .headerOnly), ("1000S", .torn), ("1000S\n1 1", .torn), ("1000S\n1 1\n2", .torn),
      ("1000S\n1 1\0\n", .holdsNUL), ("\0\0\0", .holdsNUL), ("1000S\r\n1 1\r\n", .holdsCR),
      ("\n1 1\n", .badHeader), ("S\n1 1\n", .badHeader), ("1000\n1 1\n", .badHeader), ("1000s\n1 1\n", .badHeader),
      ("-5S\n1 1\n", .badHeader), ("9223372036854775808S\n1 1\n", .badHeader), ("1000S,\n1 1\n", .badHeader),
      ("1000S1 1\n", .badHeader), ("1000S\n\n", .badEntry), ("1000S\n1 1\n\n2 1\n", .badEntry),
      ("1000S\n1\n", .badEntry), ("1000S\n1 12 1\n", .badEntry), ("1000S\nabc\n", .badEntry),
      ("1000S\n+1 1\n", .badEntry),
      ("1000S\n1 1 x\n", .badEntry), ("1000S\n- 1\n", .badEntry), ("1000S\n9223372036854775808 1\n", .overflow),
      ("1000S\n9223372036854775807 1\n1 1\n", .overflow), ("1000S\n1 1\n-2 -1\n", .negative),
      ("1000S\n5 1\n-1 -2\n", .negative),
    ] as [(String, LedgerFault)])
  func faults(text: String, fault: LedgerFault) {
    #expect(throws: fault) { try parse(text) }
  }

  @Test("A ledger is read up to 5119 bytes; from 5120 on it is too long for every program")
  func longest() throws {
    let longest = "1000S\n" + String(repeating: "1 1\n", count: 1277) + "10 1\n"
    #expect(longest.utf8.count == 5119)
    #expect(try parse(longest).entryCount == 1278)
    let longer = "1000S\n" + String(repeating: "1 1\n", count: 1276) + "10 1\n10 1\n"
    #expect(longer.utf8.count == 5120)
    #expect(throws: LedgerFault.tooLong) { try parse(longer) }
  }

  @Test(
    "Our mark is one blank before the bytes and one after them, which no other program writes",
    arguments: [
      ("1000S\n 120 2\n", true), ("1000S\n120 2\n", false), ("1000S\n         120            2\n", false),
      ("1000S\n 99999999999            2\n", false),
    ])
  func mark(text: String, isOurs: Bool) throws {
    #expect(try parse(text).hasCountedMark == isOurs)
  }

  @Test("A total that was carried over is distinguished from one that was counted")
  func compacted() throws {
    let usage = QuotaUsage(bytes: 120, messages: 2)
    let carried = try LedgerContents(LedgerContents.compacted(usage, limit: QuotaLimit(bytes: 1000)))
    #expect(carried.isCompacted && carried.hasCountedMark && carried.usage == usage && carried.entryCount == 2)
    let counted = try LedgerContents(LedgerContents.counted(usage, limit: QuotaLimit(bytes: 1000)))
    #expect(!counted.isCompacted && counted.hasCountedMark && counted.usage == usage && counted.entryCount == 1)
  }

  @Test(
    "What is written is valid for all programs",
    arguments: [
      (QuotaLimit(bytes: 1000), "1000S\n 1 1\n"), (QuotaLimit(bytes: 1000, messages: 5), "1000S,5C\n 1 1\n"),
      (QuotaLimit(bytes: 0, messages: 5), "0S,5C\n 1 1\n"), (QuotaLimit.none, "0S\n 1 1\n"),
      (QuotaLimit(bytes: .max), "9223372036854774784S\n 1 1\n"),
    ])
  func written(limit: QuotaLimit, text: String) {
    #expect(LedgerContents.counted(QuotaUsage(bytes: 1, messages: 1), limit: limit) == Array(text.utf8))
  }

  @Test("Bytes without messages, or messages without bytes, are noticed")
  func lopsided() throws {
    #expect(try parse("1000S\n5 0\n").isLopsided)
    #expect(try parse("1000S\n0 5\n").isLopsided)
    #expect(try !parse("1000S\n0 0\n").isLopsided)
  }

  @Test("No bytes make the reader trap")
  func noTrap() {
    var generator = SystemRandomNumberGenerator()
    let letters = Array("0123456789SC, -\n\t\0\r".utf8) + [255]
    for _ in 0..<20_000 {
      let text = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
        letters[Int.random(in: letters.indices, using: &generator)]
      }
      // Either outcome is right: the reader must return.
      do { #expect(try LedgerContents(text).usage.bytes >= 0) } catch { #expect(!error.phrase.isEmpty) }
    }
  }
}

struct MessageFileNameTests {
  private func size(_ name: String) -> Int64? { MessageFileName.size(in: Array(name.utf8).span) }

  @Test(
    "The size in a name is the last S= before the first colon",
    arguments: [
      ("a,S=7:2,S", 7), ("a,S=7,W=9", 7), ("a,W=9,S=7", 7), ("a,S=5,S=7", 7), ("a,S=7", 7), ("a,S=007", 7),
      ("a,S=123456789012345678", 123_456_789_012_345_678),
    ] as [(String, Int64)])
  func read(name: String, bytes: Int64) {
    #expect(size(name) == bytes)
  }

  @Test(
    "A name without a valid size gives none, so that the file's own size counts",
    arguments: [
      "a", "", "a,W=9", "a,S=", "a,S=abc", "a,S=12abc", "a,S=0", "a:2,S,S=5", "a:b,S=5:2,S", "a,S=1234567890123456789",
      "a,S=-5", "a,S=5,S=", "S=5",
    ])
  func ignored(name: String) {
    #expect(size(name) == nil)
  }
}
