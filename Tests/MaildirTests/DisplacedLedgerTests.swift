// SPDX-License-Identifier: Apache-2.0
import Foundation
import Posix
import Quota
import TestSupport
import Testing

@testable import Maildir

/// The lines that other programs append to a ledger that has been replaced.
struct DisplacedLedgerTests {
  @Test(
    "Only whole lines without a negative number are carried over after a count",
    arguments: [
      ("", ""), ("5 1\n", "5 1\n"), ("5 1\n-5 -1\n", "5 1\n"), ("-5 1\n", ""), ("5 1\n7", "5 1\n"), ("7", ""),
      ("5 1\n\n6 1\n", "5 1\n6 1\n"), ("5 -1\n6 1\n", "6 1\n"),
    ])
  func positive(text: String, kept: String) {
    let bytes = Array(text.utf8)
    #expect(DisplacedLedger.positiveLines(of: bytes[...]) == Array(kept.utf8))
  }
}
