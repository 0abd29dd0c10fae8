// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing
import Text

@testable import Check

struct NoiseTests {
  @Test("Whatever doveconf prints, it is read")
  func dovecot() {
    var maildirs = 0
    for text in Noise([
      "plugin {\n", "}\n", "quota = maildir:x\n", "quota \"x\" {\n", "driver = maildir\n", "namespace {\n",
      "mailbox T {\n", "=",
      "\n", "\"", "{", " ", "#",
    ]) {
      if !DovecotSettings(parsing: text.text).quotaDrivers.isEmpty { maildirs += 1 }
    }
    #expect(maildirs > 100)
  }
}
