// SPDX-License-Identifier: Apache-2.0
import Testing
import Text

struct LocalPartTests {
  @Test(
    "A local part that is no dot-atom is quoted (RFC 5322 §3.2.3), as Postfix quotes it",
    arguments: [
      ("you", "you"), ("a.b", "a.b"), ("o'brien+x", "o'brien+x"), ("ümlaut", "ümlaut"), ("", "\"\""),
      ("a b", "\"a b\""), (".a", "\".a\""), ("a.", "\"a.\""), ("a..b", "\"a..b\""), ("a@b", "\"a@b\""),
      ("a\"b\\c", "\"a\\\"b\\\\c\""), ("a,b", "\"a,b\""), ("a\tb", "\"a\tb\""),
    ])
  func quoted(local: String, expected: String) {
    #expect(quotedLocalPart(Array(local.utf8)[...]).text == expected)
  }
}
