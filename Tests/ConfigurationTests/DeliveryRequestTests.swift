// SPDX-License-Identifier: Apache-2.0
import Configuration
import Testing
import Text

/// The arguments that pipe(8) passes: bytes that a sender may have chosen.
struct DeliveryRequestTests {
  private static func parse(_ arguments: [[UInt8]]) -> (DeliveryRequest, UsageError?) {
    var request = DeliveryRequest()
    do { try request.parse(arguments) } catch { return (request, error) }
    return (request, nil)
  }

  private static func parse(_ arguments: String...) -> (DeliveryRequest, UsageError?) {
    parse(arguments.map { Array($0.utf8) })
  }

  @Test("The arguments that the manual gives, in any order")
  func all() {
    let (request, error) = Self.parse(
      "--size=1234", "--queue-id=4Abc", "--original-recipient=Info@example.org", "--recipient=you@example.org",
      "--sender=me@example.net", "--config=/etc/other.cf", "--delivered-to=You@example.org", "--extension=")
    #expect(error == nil)
    #expect(request.sender.text == "me@example.net" && request.recipient.text == "you@example.org")
    #expect(request.originalRecipient.text == "Info@example.org" && request.queueID.text == "4Abc")
    #expect(request.deliveredTo.text == "You@example.org" && request.addressExtension == [])
    #expect(request.size.text == "1234" && request.configurationFile.text == "/etc/other.cf")
  }

  @Test("A bounce has no sender, but its option is there; what is optional may be missing")
  func bounce() {
    let (request, error) = Self.parse("--sender=", "--recipient=you@example.org")
    #expect(error == nil && request.sender == [] && request.queueID == [] && request.size == [])
    #expect(request.deliveredTo == [] && request.addressExtension == nil)
    #expect(request.configurationFile.text == Ullage.configurationFile)
  }

  @Test(
    "A value is taken as it is: blanks, equals signs, dashes, quotes, bytes that are no text",
    arguments: [
      Array("a b@c".utf8), Array("--recipient=x@y".utf8), Array("-rf@example.org".utf8), Array("a=b@c".utf8),
      Array("\"a\nb\"@c".utf8), [0xFF, 0xFE, 64, 97], Array("$(id)@c".utf8),
    ])
  func values(value: [UInt8]) {
    let (request, error) = Self.parse([Array("--sender=".utf8) + value, Array("--recipient=".utf8) + value])
    #expect(error == nil && request.sender == value && request.recipient == value)
  }

  @Test(
    "What pipe(8) should not have been told is an error that says so",
    arguments: [
      (["--sender=a"], UsageError.missing("--recipient")), (["--recipient=a"], .missing("--sender")),
      ([], .missing("--sender")), (["--sender=a", "--recipient="], .missing("--recipient")),
      (["--sender=a", "--recipient=b", "--recipient=c"], .severalRecipients),
      (["--sender=a", "--sender=b", "--recipient=c"], .twice("--sender")),
      (["--sender=a", "--recipient=b", "--nonsense=1"], .unknownOption(Array("--nonsense".utf8))),
      (["--sender=a", "--recipient=b", "c"], .unknownOption(Array("c".utf8))),
      (["--sender", "a", "--recipient=b"], .unknownOption(Array("--sender".utf8))),
      (["--sender=a", "--recipient=b", "--recipientx=c"], .unknownOption(Array("--recipientx".utf8))),
      (["--sender=a", "--recipient=b", ""], .unknownOption([])),
    ])
  func errors(arguments: [String], expected: UsageError) {
    #expect(Self.parse(arguments.map { Array($0.utf8) }).1 == expected)
  }

  @Test("Of several errors the first counts, and whatever could be parsed is kept for the log")
  func kept() {
    let (request, error) = Self.parse(
      "--nonsense", "--queue-id=4Abc", "--queue-id=5Def", "--sender=a", "--recipient=b", "--recipient=c")
    #expect(error == .unknownOption(Array("--nonsense".utf8)))
    #expect(request.queueID.text == "4Abc" && request.sender.text == "a" && request.recipient.text == "b")
  }

  @Test(
    "Each error is a sentence that names the option and the place to look",
    arguments: [
      (UsageError.missing("--sender"), "--sender= is missing; check argv= in master.cf"),
      (.twice("--size"), "--size was given twice; check argv= in master.cf"),
      (.unknownOption([0x1B, 0x41]), "unknown option \\033A; options are --name=value"),
      (
        .severalRecipients,
        "several recipients at once; run: postconf -e ullage_destination_recipient_limit=1 (with your transport's name)"
      ),
    ])
  func sentences(error: UsageError, sentence: String) {
    #expect(error.shown == sentence)
  }
}
