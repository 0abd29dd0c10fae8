// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// `ullage check` with Dovecot's real doveconf and Courier's real maildirmake.
final class CheckImapTests: CheckFixture {
  @Test("Dovecot: a public namespace may be elsewhere; other formats, patterns and a plugin without a root are found")
  func dovecotSpecials() throws {
    func kinds(_ settings: String) throws -> [String] {
      try host.sandbox.write("dovecot.conf", "ssl = no\nprotocols = imap\n" + settings, mode: 0o644)
      let ending = try check("--dovecot=\(host.sandbox("dovecot.conf"))")
      #expect(!ending.output.contains("doveconf -n:"), "\(ending)")
      return try ending.records.filter { $0["area"] == "imap" && $0["severity"] != "notice" }.compactMap { $0["kind"] }
    }
    let right = "mail_plugins = quota\nplugin {\n  quota = maildir:User quota\n  quota_rule2 = Trash:ignore\n"
    let location = "mail_location = maildir:~/Maildir\n"
    let shared = """
      namespace {
        type = public
        separator = /
        prefix = Public/
        location = maildir:/var/mail/public:CONTROL=~/Maildir/public:LAYOUT=fs
      }
      namespace inbox {
        inbox = yes
        separator = /
      }

      """
    #expect(try kinds(location + right + "}\n" + shared) == [])
    #expect(try kinds("mail_location = mdbox:~/mdbox\n" + right + "}\n") == ["folder-layout"])
    #expect(try kinds(location + right + "  quota_rule3 = Trash/*:ignore\n}\n" + shared) == ["trash"])
    #expect(try kinds(location + "mail_plugins = quota\n") == ["quota-driver"])
    #expect(try kinds("protocols = lmtp\n") == [], "without IMAP nothing is found")
  }

  @Test("Dovecot: quota driver, control directory, folder layout and trash, as the real doveconf shows them")
  func dovecot() throws {
    func kinds(_ settings: String, _ configuration: String = "") throws -> [String] {
      try configure(configuration)
      try host.sandbox.write(
        "dovecot.conf", "ssl = no\nprotocols = imap\nmail_location = maildir:~/Maildir\n" + settings, mode: 0o644)
      let ending = try check("--dovecot=\(host.sandbox("dovecot.conf"))")
      #expect(!ending.output.contains("doveconf -n:"), "\(ending)")
      return try ending.records.filter { $0["area"] == "imap" && $0["severity"] != "notice" }.compactMap { $0["kind"] }
    }
    let right = "mail_plugins = quota\nplugin {\n  quota = maildir:User quota\n  quota_rule = *:storage=1G\n"
    #expect(try kinds("") == ["quota-driver"])
    #expect(try kinds("mail_plugins = quota\nplugin {\n  quota = count:User quota\n}\n") == ["quota-driver"])
    #expect(try kinds(right + "}\n") == ["trash"])
    #expect(try kinds(right + "  quota_rule2 = Trash:ignore\n}\n") == [])
    #expect(try kinds(right + "}\n", "virtual_trash_count = yes") == [])
    #expect(try kinds(right + "  quota_rule2 = Trash:ignore\n  quota_rule3 = Spam:ignore\n}\n") == ["trash"])
    #expect(
      try kinds(
        right + "  quota_rule2 = Trash:ignore\n  quota_rule3 = Spam:ignore\n}\n", "virtual_trash_name = .Trash, .Spam")
        == [])
    #expect(
      try kinds(right + "}\nprotocol imap {\n  mail_plugins = quota imap_quota\n}\n", "virtual_trash_count = yes") == []
    )
    let prefix = "namespace inbox {\n  inbox = yes\n  prefix = INBOX.\n  separator = .\n}\n"
    #expect(try kinds(right + "  quota_rule2 = INBOX.Trash:ignore\n}\n" + prefix) == [])
    let elsewhere = "mail_location = maildir:~/Maildir:CONTROL=/var/control/%u\n"
    #expect(try kinds(elsewhere + right + "  quota_rule2 = Trash:ignore\n}\n") == ["control-directory"])
    #expect(
      try kinds("mail_location = maildir:~/Maildir:LAYOUT=fs\n" + right + "  quota_rule2 = Trash:ignore\n}\n")
        == ["folder-layout"])
    #expect(
      try kinds(right + "  quota_rule2 = Trash:ignore\n}\n", "maildir_count_profile = courier") == ["count-profile"])
    try host.sandbox.write("dovecot.conf", "nonsense = {{\n", mode: 0o644)
    #expect(try check("--dovecot=\(host.sandbox("dovecot.conf"))").output.contains("doveconf -n: "))
  }

  /// Runs every remedy about the IMAP server, in the order of the report, and returns what is found then.
  private func cured(_ file: String, _ configuration: String = "") throws -> [[String: String]] {
    func found() throws -> [[String: String]] {
      let ending = try check("--dovecot=\(file)")
      #expect(!ending.output.contains("doveconf -n:"), "\(ending)")
      return try ending.records.filter { $0["area"] == "imap" && $0["kind"] != "not-checked" }
    }
    try configure(configuration)
    #expect(try !found().isEmpty)
    // A quota driver that begins to work may show what else is wrong.
    for _ in 0..<2 {
      for finding in try found() {
        // No Dovecot runs that could read it.
        let command = try #require(finding["remedy"]?.components(separatedBy: " && doveadm reload").first)
        try Command.check(["sh", "-ec", command])
      }
      try Command.check(["touch", "-d", "1 hour ago", host.sandbox("ullage.cf"), file])
    }
    return try found()
  }

  @Test(
    "Dovecot: what is printed can be pasted, and the real doveconf shows that it cures",
    arguments: [
      ("", ""), ("mail_plugins = quota\n", ""), ("mail_plugins = quota\nplugin {\n  quota = count:User quota\n}\n", ""),
      (right + "}\n", ""), (right + "  quota_rule = *:storage=1G\n}\n", "virtual_trash_name = .Trash, .Spam"),
      (right + "  quota_rule2 = Trash:ignore\n}\n", ""), (right + "  quota_rule3 = Spam:ignore\n}\n", ""),
      (right + "  quota_rule = Trash:ignore\n  quota_rule2 = Spam:ignore\n  quota_rule3 = Junk:ignore\n}\n", ""),
      (right + "  quota_rule = Trash:ignore\n  quota_rule2 = Trash.*:ignore\n}\n", ""),
      (right + "  quota_rule = Trash:ignore\n}\n", "maildir_count_profile = courier"),
      // The block keeps its plugins, whatever is set outside of it later.
      ("protocol imap {\n  mail_plugins = $mail_plugins imap_sieve\n}\n", ""),
      ("protocol !lda {\n  mail_plugins = x\n}\n" + right + "  quota_rule = Trash:ignore\n}\n", ""),
      ("protocol pop3 {\n  mail_plugins = x\n}\n" + right + "  quota_rule = Trash:ignore\n}\n", ""),
    ])
  func cures(settings: String, configuration: String) throws {
    let file = host.sandbox("dovecot.conf")
    try host.sandbox.write(
      "dovecot.conf", "ssl = no\nprotocols = imap pop3\nmail_location = maildir:~/Maildir\n" + settings, mode: 0o644)
    #expect(try cured(file, configuration) == [], "\(host.sandbox.text("dovecot.conf") ?? "")")
  }

  private static let right = "mail_plugins = quota\nplugin {\n  quota = maildir:User quota\n"

  @Test(
    "Dovecot: after the cure both count alike, with prefixes, separators and names that are not ASCII",
    arguments: [
      ("separator = .", [".Trash"]), ("separator = /", [".Trash", ".Archive.Old"]),
      ("prefix = INBOX.\n  separator = .", [".Trash", ".Gel&APY-scht"]), ("separator = .", [".Gel&APY-scht.R&-D"]),
    ])
  func sameCount(namespace: String, folders: [String]) throws {
    let dovecot = try Dovecot(host)
    let file = host.sandbox("dovecot.conf")
    let text = try #require(host.sandbox.text("dovecot.conf"))
    try host.sandbox.write(
      "dovecot.conf", "protocols = imap\n" + text.replacing("separator = .", with: namespace), mode: 0o644)
    let names = "virtual_trash_name = \(folders.joined(separator: ", "))"
    #expect(try cured(file, names) == [], "\(host.sandbox.text("dovecot.conf") ?? "")")
    try host.makeMaildir()
    try host.store("a,S=100:2,S", bytes: 100)
    for folder in folders + [".Kept"] {
      try host.sandbox.makeMaildir("\(host.maildir)/\(folder)")
      try host.sandbox.write("\(host.maildir)/\(folder)/maildirfolder", "")
      try host.store("b,S=30:2,S", bytes: 30, folder: folder)
    }
    try dovecot.recalculate("example.org/you")
    let own = try host.ullage(
      "recompute", "--dry-run", "--maildir", host.sandbox(host.maildir), "--format=jsonl", asMailUser: false)
    #expect(
      try own.records.first?["counted_bytes"] == "130" && host.ledgerTotal == [130, 2], "\(own) \(host.ledger ?? "")")
  }

  @Test("Courier: trash folder, build option (shown by its own maildirmake) and counting profile")
  func courier() throws {
    let right = "IMAP_TRASHFOLDERNAME=Trash\nIMAP_EMPTYTRASH=Trash:7\n"
    func kinds(_ imapd: String, _ configuration: String, behind script: String? = nil) throws -> [String] {
      try configure(configuration)
      try host.sandbox.write("courier/imapd", imapd, mode: 0o644)
      try Command.check(["touch", "-d", "1 hour ago", host.sandbox("courier/imapd")])
      let arguments = host.toolArguments([
        "check", "--postfix=\(files.path)", "--format=jsonl", "--dovecot=/nowhere",
        "--courier=\(host.sandbox("courier"))",
      ])
      let shell = script.map { ["unshare", "--mount", "sh", "-ec", "\($0)\nexec \"$@\"", "sh"] } ?? []
      let ending = try Command.run(shell + arguments)
      return try ending.records.filter { $0["area"] == "imap" && $0["severity"] != "notice" }.compactMap { $0["kind"] }
    }
    #expect(try kinds(right, "maildir_count_profile = courier") == [])
    #expect(try kinds(right, "") == ["count-profile"])
    #expect(try kinds(right, "virtual_trash_count = yes") == ["trash", "count-profile"])
    #expect(try kinds("IMAP_TRASHFOLDERNAME=\"Deleted Items\"\n", "maildir_count_profile = courier") == ["trash"])
    // A build --with-trashquota counts what is in .Trash.
    try host.sandbox.write(
      "maildirmake",
      """
      #!/bin/sh
      case $1 in
        -q) printf '%s\\n10 1\\n' "$2" > "$3/maildirsize" ;;
        -f) mkdir -p "$3/.$2/cur" ;;
        *) mkdir -p "$1/cur" ;;
      esac
      """, mode: 0o755)
    let behind = """
      mount --make-rprivate /
      for p in /usr/bin/maildirmake.courier /usr/lib/courier/bin/maildirmake /usr/bin/maildirmake; do
        [ ! -e $p ] || mount --bind \(host.sandbox("maildirmake")) $p
      done
      """
    #expect(try kinds(right, "maildir_count_profile = courier", behind: behind) == ["trash"])
    #expect(try kinds(right, "virtual_trash_count = yes", behind: behind) == [])
    #expect(try check("--courier=/nowhere").output.contains("name the directory that has the file imapd"))
  }
}
