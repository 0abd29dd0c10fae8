// SPDX-License-Identifier: Apache-2.0
import Presentation
import Testing

struct ProgressLineTests {
  @Test("The progress line fits the terminal, and shows rate and time left")
  func progress() {
    let line = ProgressLine(of: 1000, "mailboxes").text(done: 250, elapsed: 5, width: 80)
    #expect(line == "▕██████··················▏ 25 %  250 of 1,000 mailboxes  50/s  0:15 left")
    for width in 0...100 {
      #expect(ProgressLine(of: 9, "mailboxes").text(done: 3, elapsed: 1, width: width).count <= width)
    }
    #expect(ProgressLine(of: nil, "mailboxes").text(done: 7, elapsed: 2, width: 80) == "7 mailboxes  3.5/s")
  }
}
