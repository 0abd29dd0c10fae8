// SPDX-License-Identifier: Apache-2.0
import Configuration
import Foundation
import TestSupport
import Testing

/// What `ullage check` finds about the LMTP service, with a real one, the real postconf and files that no Postfix runs
/// from.
final class CheckLMTPTests {
  private let host: MailHost
  private let files: PostfixFiles
  private var service: ServiceDaemon?

  init() throws {
    host = try MailHost()
    try host.sandbox.makeDirectory("queue/private")
    try Command.check(["chmod", "755", host.sandbox("queue"), host.sandbox("queue/private")])
    files = try PostfixFiles(host.sandbox, main: "", master: "")
    try restore()
    service = try ServiceDaemon(
      host.sandbox("ullage.cf"), service: "lmtp", socket: host.sandbox("queue/private/ullage-lmtp"))
    // Only Postfix may connect. The owner stays: the service sets the mode after it has begun to listen.
    try Command.check(["chgrp", "postfix", host.sandbox("queue/private/ullage-lmtp")])
  }

  /// The files as the manual has them.
  private func restore(_ settings: String = "") throws {
    try host.configure("lmtp_socket = \(host.sandbox("queue/private/ullage-lmtp"))\n\(settings)")
    try Command.check(["chown", "root:\(MailUser.group)", host.sandbox("ullage.cf")])
    try Command.check(["chmod", "640", host.sandbox("ullage.cf")])
    try files.set(
      "main.cf",
      """
      compatibility_level = 3.6
      queue_directory = \(host.sandbox("queue"))
      virtual_transport = ullage_lmtp:unix:private/ullage-lmtp
      ullage_lmtp_destination_recipient_limit = 1

      """)
    try files.set("master.cf", MasterEntry.lmtpLine() + "\n")
  }

  private func records() throws -> [[String: String]] {
    let ending = try host.ullage(
      "check", "--postfix=\(files.path)", "--dovecot=/nowhere", "--courier=/nowhere", "--ignore=mailbox-list",
      "--format=jsonl", asMailUser: false)
    #expect(ending.errors == "", "\(ending)")
    return try ending.records
  }

  private func findings() throws -> [[String: String]] { try records().filter { $0["severity"] != "notice" } }

  @Test("An entry as the manual gives it has no finding, and its mail user is the owner of the base")
  func right() throws {
    let all = try records()
    #expect(all.filter { $0["severity"] != "notice" } == [], "\(all)")
    #expect(!all.contains { $0["finding"]?.contains("mail user may do") == true }, "\(all)")
    // What that user may not read is found as for ullage-deliver.
    try Command.check(["chmod", "600", host.sandbox("ullage.cf")])
    let closed = try #require(try findings().first)
    #expect(
      closed["kind"] == "configuration-rights" && closed["finding"] == "nobody may not read it", "\(closed)")
    try run(closed)
    #expect(try findings() == [])
    // A base of root's says nothing of a user.
    try Command.check(["chown", "root", host.sandbox("base")])
    #expect(try records().contains { $0["finding"] == "what the mail user may do" })
  }

  private func run(_ finding: [String: String]) throws {
    // No Postfix runs from these files that could be reloaded.
    let command = try #require(finding["remedy"]?.components(separatedBy: " && postfix ").first)
    try Command.check(["sh", "-c", command])
    for name in ["main.cf", "master.cf"] {
      try Command.check(["touch", "-d", "1 hour ago", "\(files.path)/\(name)"])
    }
  }

  @Test("Each finding's command takes it away, with the real postconf")
  func remedies() throws {
    let entry = MasterEntry.lmtpLine()
    let cases: [(file: String, old: String, new: String, kinds: [String])] = [
      ("master.cf", "flags=ORX", "flags=DOX", ["error flags", "warning flags"]),
      ("master.cf", "-o lmtp_line_length_limit=0 ", "", ["warning lmtp-options"]),
      ("master.cf", entry, "ullage_lmtp unix - - n - - lmtp flags=ORX -o lmtp_line_length_limit=0", ["error flags"]),
      ("main.cf", "ullage_lmtp_destination_recipient_limit = 1\n", "", ["error recipient-limit"]),
      (
        "main.cf", "compatibility", "lmtp_discard_lhlo_keywords = pipelining, dsn\ncompatibility",
        ["warning lmtp-options"]
      ),
      ("main.cf", "compatibility", "message_size_limit = 20480000\ncompatibility", ["error other-value"]),
      ("main.cf", ":unix:private/ullage-lmtp", "", ["error no-mail"]),
      (
        "main.cf", "ullage_lmtp:", "lmtp:",
        ["warning recipient-limit", "error flags", "warning flags", "warning lmtp-options"]
      ),
    ]
    for (file, old, new, kinds) in cases {
      try restore()
      if new == "lmtp:" { try files.set("master.cf", "lmtp unix - - n - - lmtp\n") }
      try files.set(file, try #require(files.text(file)).replacing(old, with: new))
      // All commands of one report, in their order, as an administrator pastes them.
      let found = try findings()
      #expect(found.map { "\($0["severity"] ?? "") \($0["kind"] ?? "")" } == kinds, "\(new): \(found)")
      for finding in found { try run(finding) }
      #expect(try findings() == [], "\(new): \(files.text("master.cf") ?? "")\(files.text("main.cf") ?? "")")
    }
  }

  @Test("A service that does not answer, another one in its place, and a chroot are found")
  func socket() throws {
    let main = try #require(files.text("main.cf"))
    let socket = host.sandbox("queue/private/ullage-lmtp")
    try files.set("main.cf", main.replacing("unix:private", with: "unix:\(host.sandbox("queue/private"))"))
    #expect(try findings() == [])
    try files.set("master.cf", MasterEntry.lmtpLine().replacing("- - n - -", with: "- - y - -") + "\n")
    let chroot = try #require(try findings().first)
    #expect(chroot["kind"] == "entry-fields", "\(chroot)")
    try run(chroot)
    #expect(try findings() == [])
    try Command.check(["chgrp", "nogroup", socket])
    let closed = try #require(try findings().first)
    #expect(closed["kind"] == "lmtp-socket" && closed["remedy"]?.hasPrefix("let the user postfix connect") == true)
    service = nil
    try Command.check(["chgrp", "postfix", socket])
    let silent = try #require(try findings().first)
    #expect(silent["kind"] == "lmtp-socket" && silent["remedy"]?.contains("ullaged") == true, "\(silent)")
    try Command.check(["rm", "-f", socket])
    let script = """
      import socket, sys
      listener = socket.socket(socket.AF_UNIX)
      listener.bind(sys.argv[1])
      listener.listen(5)
      while True:
          try:
              listener.accept()[0].sendall(b"220 mx.example.org Dovecot ready.\\r\\n")
          except OSError:
              pass
      """
    let other = try Command(["python3", "-c", script, socket], input: .file("/dev/null"))
    defer {
      other.kill(SIGKILL)
      _ = other.wait()
    }
    _ = try waitUntil("a socket") { try? UnixSocket(connectingTo: socket) }
    try Command.check(["chown", "postfix", socket])
    let stranger = try findings()
    #expect(stranger.first?["finding"] == "what answers on \(socket) is not the LMTP service", "\(stranger)")
  }
}
