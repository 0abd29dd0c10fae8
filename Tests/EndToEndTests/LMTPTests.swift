// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

/// A real Postfix that delivers by the real `ullaged lmtp`.
@Suite(.takesRoot)
struct LMTPTests {
  /// Postfix with the documented entry, and with the one for mass mail; both lead to the socket of `host`.
  private final class Site {
    let host: MailHost
    let postfix: PostfixInstance

    /// - Parameter starts: whether the service is started here.
    init(_ settings: String = "", main: String = "", maps: String = "inline:{ you@example.org=example.org/you/ }")
      throws
    {
      host = try MailHost()
      try host.configure("lmtp_socket = \(host.sandbox("lmtp"))\n\(settings)", maps: maps)
      postfix = try PostfixInstance(
        pipe: PostfixInstance.entry(host, program: MailHost.program),
        settings: """
          virtual_transport = ullage_lmtp:unix:\(host.sandbox("lmtp"))
          ullage_lmtp_destination_recipient_limit = 1
          \(main)
          """)
      let options = "lmtp -o lmtp_line_length_limit=0 -o lmtp_send_xforward_command=yes"
      for (name, flags) in [("ullage_lmtp", "ORX"), ("ullage_mass", "RX")] {
        try Command.check(
          [
            "postconf", "-c", postfix.sandbox("config"), "-M",
            "\(name)/unix=\(name) unix - - n - - \(options) flags=\(flags)",
          ])
      }
      try postfix.reload()
    }

    func start() throws -> ServiceDaemon {
      let daemon = try ServiceDaemon(host.sandbox("ullage.cf"), service: "lmtp", socket: host.sandbox("lmtp"))
      // The socket's owner is the mail user; Postfix connects as its own.
      try Command.check(["chmod", "666", host.sandbox("lmtp")])
      return daemon
    }

    /// The messages of a mailbox, without what differs between two deliveries of one.
    func messages(_ name: String = "you") -> [String] {
      host.sandbox.list("base/example.org/\(name)/new").compactMap {
        host.sandbox.text("base/example.org/\(name)/new/\($0)")
      }
      .map { $0.replacing(#/ id \w+|\w{3}, .*\(UTC\)|Message-Id: .*|Date: .*/#, with: "") }
    }
  }

  private static let message =
    "From: me@example.net\r\nDelivered-To: you@example.org\r\nSubject: x\r\n\r\n"
    + String(repeating: "a long line ", count: 400) + "\r\n.\r\n..\r\nü 8 bit\r\nend\r\n"

  @Test(
    "A message arrives with the same headers and bytes as by the pipe entry, whatever its lines and its Delivered-To")
  func sameAsPipe() throws {
    let site = try Site()
    let service = try site.start()
    try site.postfix.send(Self.message, from: "")
    let status = try site.postfix.nextStatus(of: "mx.example.org[")
    #expect(status.contains("dsn=2.0.0") && status.contains("250 2.0.0 Delivered"), "\(status)")
    let log = try waitUntil("the log line") { site.host.log.lines().first { $0.contains("status=sent") } }
    #expect(
      log.contains(": to=<you@example.org>, orig_to=<you@example.org>") == false
        && log.contains(": to=<you@example.org>, size="), "\(log)")
    #expect(status.contains("\(log.prefix { $0 != ":" }): to="), "\(status) \(log)")
    let byLMTP = site.messages()
    try site.postfix.setParameter("virtual_transport=ullage")
    try site.postfix.send(Self.message, from: "")
    #expect(try site.postfix.nextStatus().contains("status=sent"))
    #expect(
      byLMTP.count == 1 && site.messages().count == 2 && Set(site.messages()) == Set(byLMTP), "\(site.messages())")
    withExtendedLifetime(service) {}
  }

  @Test("Mass mail is written once for all its recipients")
  func massMail() throws {
    let names = (0..<30).map { "user\($0)" }
    let maps = names.map { "{ \($0)@example.org = example.org/\($0)/ }" }.joined(separator: ", ")
    let site = try Site(
      "lmtp_delivered_to = no", main: "ullage_mass_destination_recipient_limit = 50", maps: "inline:{ \(maps) }")
    try site.postfix.setParameter("virtual_transport=ullage_mass:unix:\(site.host.sandbox("lmtp"))")
    let service = try site.start()
    try site.postfix.send(Self.message, to: names.map { "\($0)@example.org" })
    for _ in names { #expect(try site.postfix.nextStatus(of: "mx.example.org[").contains("status=sent")) }
    let files = try names.flatMap { name in
      try site.host.sandbox.list("base/example.org/\(name)/new").map {
        try #require(site.host.sandbox.status("base/example.org/\(name)/new/\($0)"))
      }
    }
    #expect(files.count == 30 && Set(files.map(\.st_ino)).count == 1 && files.allSatisfy { $0.st_nlink == 30 })
    withExtendedLifetime(service) {}
  }

  @Test("Mail over quota is deferred or bounced with the configured text, mail for nobody is bounced")
  func refusals() throws {
    let site = try Site("virtual_mailbox_limit = 3000\nvirtual_maildir_limit_message = Full, sorry.")
    let service = try site.start()
    try site.postfix.send(MailHost.message(1500).text)
    _ = try site.postfix.nextStatus(of: "mx.example.org[")
    try site.postfix.send(MailHost.message(1500).text)
    let deferred = try site.postfix.nextStatus(of: "mx.example.org[")
    #expect(
      deferred.contains("dsn=4.2.2, status=deferred")
        && deferred.contains("452 4.2.2 maildir delivery failed: Full, sorry."))
    try site.postfix.send(MailHost.message(4000).text)
    #expect(try site.postfix.nextStatus(matching: "dsn=5.2.2", of: "mx.example.org[").contains("status=bounced"))
    try site.postfix.send("\r\nx\r\n", to: ["nobody@example.org"])
    #expect(try site.postfix.nextStatus(matching: "dsn=5.1.1", of: "mx.example.org[").contains("status=bounced"))
    withExtendedLifetime(service) {}
  }

  @Test("While the lookup service is down mail waits, and it is delivered once when it is back")
  func lookupServiceDown() throws {
    let site = try Site("lookup_socket = /nowhere/lookup")
    try site.host.configure(
      "lmtp_socket = \(site.host.sandbox("lmtp"))\nlookup_socket = \(site.host.sandbox("lookup"))")
    let service = try site.start()
    try site.postfix.send(Self.message)
    let deferred = try site.postfix.nextStatus(of: "mx.example.org[")
    #expect(
      deferred.contains("dsn=4.3.0, status=deferred")
        && deferred.contains("451 4.3.0 The mail system has a temporary problem."))
    let lookup = try ServiceDaemon(site.host.sandbox("ullage.cf"), socket: site.host.sandbox("lookup"))
    try site.postfix.flush()
    #expect(try site.postfix.nextStatus(matching: "status=sent", of: "mx.example.org[").contains("2.0.0"))
    #expect(site.messages().count == 1)
    withExtendedLifetime((service, lookup)) {}
  }

  @Test("Fifty restarts under load with the socket kept open: nothing is deferred, nothing comes twice")
  func restarts() throws {
    let site = try Site()
    // As systemd does it: the socket stays, and the next process gets what waits there.
    let manager = """
      import os, socket, signal, sys
      s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(1024); os.chmod(sys.argv[1], 0o666)
      def start():
          pid = os.fork()
          if pid == 0:
              os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='lmtp')
              os.dup2(s.fileno(), 3); os.set_inheritable(3, True)
              os.execvp(sys.argv[2], sys.argv[2:])
          return pid
      child = start()
      print('started', flush=True)
      for line in sys.stdin:
          os.kill(child, signal.SIGTERM)
          print('ended', os.waitpid(child, 0)[1], flush=True)
          child = start()
      os.kill(child, signal.SIGTERM)
      """
    let daemon = try Command(
      ["python3", "-c", manager, site.host.sandbox("lmtp")] + [
        Programs.path("ullaged"), "lmtp", "--config=\(site.host.sandbox("ullage.cf"))",
      ],
      input: .pipe, asMailUser: true)
    func lines() -> [Substring] { daemon.outputSoFar.split(separator: "\n") }
    try waitUntil("the start") { lines().isEmpty ? nil : () }
    let load = try Command(
      [
        "smtp-source", "-s", "10", "-m", "1000", "-l", "2000", "-f", "me@example.net", "-t", MailHost.recipient,
        "127.0.0.1:\(site.postfix.port)",
      ])
    for number in 1...50 {
      // A process that is ended before it knows signals has not begun to accept.
      try waitUntil("the start of a service", seconds: 60) {
        site.host.log.lines().contains { $0.contains("listening on") } ? () : nil
      }
      try daemon.write([10])
      try waitUntil("the end of a service", seconds: 60) { lines().count > number ? () : nil }
    }
    #expect(load.wait().status == 0)
    try waitUntil("all messages", seconds: 120) {
      site.host.sandbox.list("base/example.org/you/new").count >= 1000 ? () : nil
    }
    #expect(lines().dropFirst() == Array(repeating: "ended 0", count: 50)[...])
    // What systemd's unit has asked for (`Backlog=`).
    let sockets = try Command.check(["ss", "-xlHn", "src", site.host.sandbox("lmtp")])
    #expect(sockets.contains(" 1024 "), "\(sockets)")
    #expect(!site.postfix.log.contains("status=deferred") && !site.postfix.log.contains("lost connection"))
    try waitUntil("the end of the queue") {
      site.postfix.log.components(separatedBy: ": removed").count > 1000 ? () : nil
    }
    #expect(site.host.sandbox.list("base/example.org/you/new").count == 1000)
    _ = daemon.wait()
  }
}
