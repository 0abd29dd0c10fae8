// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Tables

/// The parts of a key.
struct KeyPartsTests {
  @Test(
    "A key is split at its last @; labels are counted from the right",
    arguments: [
      ("u@a.b.c", "u", "a.b.c", ["c", "b", "a"]), ("u", "u", nil, []), ("@d", "", "d", ["d"]), ("u@", "u", nil, []),
      ("a@b@c", "a@b", "c", ["c"]), ("u@a..b", "u", "a..b", ["b", "a"]), ("u@.a.", "u", ".a.", ["a"]),
      ("", "", nil, []),
    ] as [(String, String, String?, [String])])
  func parts(key: String, user: String, domain: String?, labels: [String]) {
    let parts = KeyParts(Array(key.utf8))
    func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
    #expect(text(parts.whole) == key && text(parts.user) == user && parts.domain.map(text) == domain)
    #expect(parts.labels.map(text) == labels)
  }

  @Test(
    "In a result format, %U, %D and %S stand for parts of the key; %u, %d and %s for parts of the value",
    arguments: [
      ("%s", "k", "v@w", "v@w"), ("%u/%d/", "k", "v@w", "v/w/"), ("%d", "k", "v", nil), ("%S-%s", "k@l", "v", "k@l-v"),
      ("%U", "@l", "v", nil), ("%D", "k@l", "v", "l"), ("%1", "k@a.b", "v", "b"), ("%3", "k@a.b", "v", nil),
      ("100%%", "k", "v", "100%"), ("", "k", "v", ""),
    ] as [(String, String, String, String?)])
  func resultFormat(format: String, key: String, value: String, result: String?) throws {
    let template = try ResultTemplate(Array(format.utf8), line: nil)
    let text = template.text(for: Array(value.utf8), key: Array(key.utf8))
    #expect(text.map { String(decoding: $0, as: UTF8.self) } == result)
  }
}
