// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing
import Text

@testable import Site

struct MailQueueTests {
  private static func line(_ queue: String, _ id: String, _ addresses: String...) -> String {
    let recipients = addresses.map { #"{"address": "\#($0)", "delay_reason": "4.2.2 {full}"}"# }
    return #"{"queue_name": "\#(queue)", "queue_id": "\#(id)", "arrival_time": 1, "message_size": 5, "sender": "","#
      + #" "recipients": [\#(recipients.joined(separator: ", "))]}"#
  }

  @Test("Deferred messages count, with all of their recipients; what is active or on hold stays alone")
  func deferred() {
    let output = [
      Self.line("deferred", "4Abc", "you@example.org", #"a\"b@example.org"#), Self.line("active", "5", "x@y"),
      Self.line("hold", "6", "x@y"), Self.line("deferred", "3C1D2E"), Self.line("deferred", "-all", "x@y"),
      #"{"queue_name": "deferred", "queue_id": "7", "recip"#,
    ].joined(separator: "\n")
    let messages = MailQueue.messages(in: Array(output.utf8))
    #expect(messages.map(\.id) == ["4Abc", "3C1D2E"])
    #expect(messages.map(\.size) == [5, 5])
    #expect(messages.first?.recipients.map(\.text) == ["you@example.org", #"a"b@example.org"#])
  }

  @Test("Whatever postqueue prints, an ID is letters and digits")
  func noise() {
    for text in Noise([Self.line("deferred", "A1", "u@d"), "\n", "{", "\"queue_id\"", ": \"-x\"", "}", "\\"]) {
      for message in MailQueue.messages(in: text) { #expect(message.id == "A1") }
    }
  }
}
