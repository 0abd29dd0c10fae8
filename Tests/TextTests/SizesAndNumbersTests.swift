// SPDX-License-Identifier: Apache-2.0
import Testing
import Text

struct SizesAndNumbersTests {
  @Test(
    "Human-readable sizes use powers of 1024, rounded down",
    arguments: [
      (0, "0 B"), (1, "1 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1535, "1.4 KiB"), (1536, "1.5 KiB"),
      (10_239, "9.9 KiB"), (10_240, "10 KiB"), (1_048_575, "1023 KiB"), (1_048_576, "1.0 MiB"), (-1536, "-1.5 KiB"),
      (Int64.max, "7.9 EiB"), (Int64.min, "-8.0 EiB"),
    ] as [(Int64, String)])
  func byteSize(bytes: Int64, text: String) {
    #expect(ByteSize.text(bytes) == text)
  }

  @Test("Sizes that an administrator writes are parsed, and anything else is rejected")
  func parse() {
    #expect(ByteSize.parse("0") == 0 && ByteSize.parse("10") == 10 && ByteSize.parse("2K") == 2048)
    #expect(ByteSize.parse("1G") == 1 << 30 && ByteSize.parse("8388607T") == 8_388_607 << 40)
    for text in ["", "K", "-1", "1.5G", "1g", "1GB", "9999999T", "9223372036854775808", "+1", "１"] {
      #expect(ByteSize.parse(text) == nil, "\(text)")
    }
  }

  @Test("Numbers are grouped by three digits")
  func grouping() {
    #expect([0, 999, 1000, 1_234_567, -1000].map { grouped($0) } == ["0", "999", "1,000", "1,234,567", "-1,000"])
  }

  @Test(
    "A quantity has the noun's singular for one, and its plural for every other number",
    arguments: [(0, "0 bytes"), (1, "1 byte"), (2, "2 bytes"), (1234, "1,234 bytes"), (-1, "-1 bytes")])
  func quantities(number: Int, text: String) {
    #expect(quantity(number, "byte") == text)
    #expect(quantity(number, "mailbox", plural: "mailboxes").hasSuffix(number == 1 ? "mailbox" : "mailboxes"))
  }

  @Test("Seconds have one decimal, cut off", arguments: [(0, "0.0"), (0.99, "0.9"), (12.34, "12.3"), (3600, "3600.0")])
  func seconds(seconds: Double, text: String) {
    #expect(tenths(ofSeconds: seconds) == text)
  }
}
