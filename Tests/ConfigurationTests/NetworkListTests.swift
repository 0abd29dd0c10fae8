// SPDX-License-Identifier: Apache-2.0
import Configuration
import TestSupport
import Testing

/// Addresses and networks as Postfix writes them in mynetworks.
struct NetworkListTests {
  @Test(
    "A network contains its addresses, in whatever way they are written, and no other",
    arguments: [
      ("192.0.2.1", "192.0.2.1", true), ("192.0.2.1", "192.0.2.2", false), ("192.0.2.0/24", "192.0.2.255", true),
      ("192.0.2.0/24", "192.0.3.0", false), ("192.0.2.0/25", "192.0.2.128", false), ("0.0.0.0/0", "203.0.113.9", true),
      ("0.0.0.0/0", "2001:db8::1", false), ("::1", "0:0:0:0:0:0:0:1", true), ("[::1]", "::1", true),
      ("2001:db8::/32", "2001:DB8:1::2", true), ("2001:db8::/32", "2001:db9::", false),
      ("::ffff:192.0.2.1", "192.0.2.1", true), ("192.0.2.1", "::ffff:192.0.2.1", true), ("::/0", "192.0.2.1", true),
      ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", true), ("fe80::/10", "febf::1", true), ("fe80::/10", "fec0::1", false),
      ("192.0.2.1", "unknown", false), ("192.0.2.1", "", false),
    ])
  func contains(network: String, address: String, isIn: Bool) {
    var list = NetworkList()
    #expect(list.add(Array(network.utf8)) && !list.isEmpty)
    #expect(list.contains(Array(address.utf8)) == isIn)
  }

  @Test(
    "What is no address is refused",
    arguments: [
      "", "192.0.2", "192.0.2.256", "192.0.2.1.1", "192.0.2.1/33", "192.0.2.1/-1", "192.0.2.1/", "192.0.2.1/+1", ":",
      ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "12345::", "g::", "::/129", "1:",
      "+1::", "host.example", "192.0.2.1:25", "0192.0.2.1", "::192.0.2.1:1",
    ])
  func refuses(text: String) {
    var list = NetworkList()
    #expect(!list.add(Array(text.utf8)) && list.isEmpty)
  }

  @Test("Python's parser agrees about 3,000 random texts")
  func noise() throws {
    let texts = Noise(
      ["::", ":", ".", "1", "0", "ff", "2001", "192.0.2.1", "10", "255", "256", "/", "8", "[", "]"], count: 3000
    )
    .map { String(decoding: $0, as: UTF8.self) }.filter { $0.allSatisfy { $0.isASCII && $0 != "\0" } }
    let script = """
      import ipaddress, sys
      for line in sys.stdin.read().split("\\n")[:-1]:
          text = line[1:-1] if line[:1] == "[" and line[-1:] == "]" else line
          try:
              ipaddress.ip_address(text)
              print("y")
          except ValueError:
              print("n")
      """
    let answers = try Command.check(
      ["python3", "-c", script], input: .bytes(Array(texts.map { $0 + "\n" }.joined().utf8)))
    let expected = answers.split(separator: "\n")
    try #require(expected.count == texts.count && expected.contains("y"))
    for (text, answer) in zip(texts, expected) where !text.contains("/") {
      var list = NetworkList()
      #expect(list.add(Array(text.utf8)) == (answer == "y"), "\(text)")
    }
  }
}
