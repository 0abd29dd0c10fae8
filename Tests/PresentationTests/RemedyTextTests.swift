// SPDX-License-Identifier: Apache-2.0
import Findings
import Testing

@testable import Presentation

/// What a remedy looks like on the screen, ready to be pasted.
struct RemedyTextTests {
  private static let other = RemedyText(configurationFile: "/tmp/my cf")

  @Test(
    "A remedy becomes a command, a setting or a sentence",
    arguments: [
      (.recompute(mailbox: "a@b.org"), "ullage recompute a@b.org"),
      (.recompute(mailbox: "o'neil@b.org"), "ullage recompute 'o'\\''neil@b.org'"),
      (.recompute(mailbox: "-x@b.org"), "ullage recompute -- -x@b.org"),
      (.recomputeAgain(mailbox: "a@b.org"), "it was in use; try again: ullage recompute a@b.org"),
      (
        .recomputeAndAlign(mailbox: "a@b.org"),
        "ullage recompute a@b.org; if it comes back, make the IMAP server read the limit from the same database"
      ),
      (.run(.chown("vmail", "/m/a b"), .chmod("700", "/m/a b")), "chown vmail '/m/a b' && chmod 700 '/m/a b'"),
      (
        .runOrSet([.start("ullaged-lookup.service")], .init("lookup_fallback", "yes")),
        "systemctl start ullaged-lookup.service, or lookup_fallback = yes"
      ),
      (.set("virtual_trash_count", "yes"), "virtual_trash_count = yes"),
      (.sql("CREATE INDEX ON t (a);"), "CREATE INDEX ON t (a);"),
      (.advice("correct the row"), "correct the row"),
      (.advise("create it", [Command("postmap", "hash:/m")]), "create it: postmap hash:/m"),
    ] as [(Remedy, String)])
  func text(remedy: Remedy, text: String) {
    #expect(Samples.remedies.text(remedy) == text)
  }

  @Test("Commands of ullage name the configuration file if it is not the default, and no others do")
  func configuration() {
    #expect(
      Self.other.text(.recompute(mailbox: "a@b.org")) == "ullage recompute '--config=/tmp/my cf' a@b.org")
    #expect(
      Self.other.text(.run(Command("ullage", "audit", "--clean-tmp"), Command("postfix", "reload")))
        == "ullage audit '--config=/tmp/my cf' --clean-tmp && postfix reload")
    #expect(Self.other.text(.run(Command("ullage", "check", "--config=/x"))) == "ullage check --config=/x")
  }

  @Test("One remedy for many mailboxes has a placeholder")
  func placeholder() {
    #expect(
      Samples.remedies.text(.recompute(mailbox: "a@b.org"), placeholder: "ADDRESS") == "ullage recompute ADDRESS")
  }
}
