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
        "recompute it, and if the limit comes back, make the IMAP server read it from the same database:"
          + " ullage recompute a@b.org"
      ),
      (.run(.chown("vmail", "/m/a b"), .chmod("700", "/m/a b")), "chown vmail '/m/a b' && chmod 700 '/m/a b'"),
      (
        .set([.init("virtual_trash_count", "no"), .init("virtual_trash_name", ".Trash, .Spam")]),
        "printf '%s\\n' '' 'virtual_trash_count = no' 'virtual_trash_name = .Trash, .Spam' >> /etc/ullage/ullage.cf"
      ),
      (
        .append(["plugin {", "  a = b's", "}"], file: "/etc/d.conf", [Command("doveadm", "reload")]),
        "printf '%s\\n' '' 'plugin {' '  a = b'\\''s' '}' >> /etc/d.conf && doveadm reload"
      ),
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
    #expect(Self.other.text(.set("a", "b")) == "printf '%s\\n' '' 'a = b' >> '/tmp/my cf'")
    // It writes the file that --to names.
    #expect(Self.other.text(.run(Command("ullage", "migrate", "--to", "/x"))) == "ullage migrate --to /x")
    #expect(Self.other.text(.run(Command("ullage", "check", "--config=/x"))) == "ullage check --config=/x")
  }

  @Test("One remedy for many mailboxes has a placeholder")
  func placeholder() {
    #expect(
      Samples.remedies.text(.recompute(mailbox: "a@b.org"), placeholder: "ADDRESS") == "ullage recompute ADDRESS")
  }
}
