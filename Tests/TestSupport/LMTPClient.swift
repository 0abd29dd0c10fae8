// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A client of the LMTP service: as lmtp(8) is, or as hostile as a test likes.
package final class LMTPClient {
  package let socket: UnixSocket
  private var received: [UInt8] = []

  /// Connects, and reads the greeting.
  package init(_ path: String) throws {
    socket = try UnixSocket(connectingTo: path)
    guard let greeting = reply(), greeting.hasPrefix("220 ") else { throw TestError("no greeting at \(path)") }
  }

  /// The next reply, without its line end; of several lines the last. Nil when the server has hung up.
  package func reply() -> String? {
    while true {
      while let end = received.firstIndex(of: 10) {
        let line = String(decoding: received[..<end].dropLast(), as: UTF8.self)
        received.removeFirst(end + 1)
        if line.dropFirst(3).first != "-" { return line }
      }
      let bytes = socket.receive()
      guard !bytes.isEmpty else { return nil }
      received += bytes
    }
  }

  /// The next replies; fewer if the server hangs up.
  package func replies(_ count: Int) -> [String] { (0..<count).compactMap { _ in reply() } }

  /// Sends the lines in one write, and reads a reply to each.
  package func ask(_ lines: String...) -> [String] {
    socket.send(lines.map { "\($0)\r\n" }.joined())
    return replies(lines.count)
  }

  /// Sends a message as lmtp(8) does: the commands in one write, and the message if a recipient is accepted.
  ///
  /// - Returns: a reply for each recipient: that to its RCPT if it was not accepted, else that to its copy.
  package func deliver(_ message: [UInt8], to recipients: [String]) -> [String] {
    let recipientReplies = begin(recipients)
    guard recipientReplies.contains(where: { $0.hasPrefix("250 ") }) else { return recipientReplies }
    socket.send(Self.encoded(message))
    return recipientReplies.map { $0.hasPrefix("250 ") ? reply() ?? "" : $0 }
  }

  /// Sends the commands before a message.
  ///
  /// - Returns: the replies to RCPT. DATA has been accepted if one of them was.
  package func begin(_ recipients: [String]) -> [String] {
    let lines = ["LHLO client", "MAIL FROM:<me@example.net>"] + recipients.map { "RCPT TO:<\($0)>" } + ["DATA"]
    socket.send(lines.map { "\($0)\r\n" }.joined())
    return Array(replies(lines.count).dropFirst(2).dropLast())
  }

  /// A message with CR LF, dots added, and its end (RFC 5321 §4.5.2).
  package static func encoded(_ message: [UInt8]) -> [UInt8] {
    var encoded: [UInt8] = []
    for line in message.split(separator: 10, omittingEmptySubsequences: false) {
      if line.first == 46 { encoded.append(46) }
      encoded += line
      encoded += [13, 10]
    }
    if message.isEmpty || message.last == 10 { encoded.removeLast(2) }
    return encoded + Array(".\r\n".utf8)
  }
}

/// A scratch installation with several mailboxes `a@d` to `h@d`, and the real `ullaged lmtp`.
package final class LMTPHost {
  package let host: MailHost
  package private(set) var daemon: ServiceDaemon
  package var socket: String { host.sandbox("lmtp") }
  private let launcher: [String]

  /// - Parameters:
  ///   - settings: lines for ullage.cf.
  ///   - launcher: a command that starts the service.
  package init(
    _ settings: String = "", launcher: [String] = MailUser.drop, environment: [String: String] = [:],
    below parent: String? = nil
  ) throws {
    self.launcher = launcher
    host = try MailHost(below: parent)
    try Self.configure(host, settings)
    daemon = try ServiceDaemon(
      host.sandbox("ullage.cf"), service: "lmtp", socket: host.sandbox("lmtp"), launcher: launcher,
      environment: environment)
  }

  package func configure(_ settings: String) throws { try Self.configure(host, settings) }

  /// `a2@d` has the mailbox of `a@d`.
  private static func configure(_ host: MailHost, _ settings: String) throws {
    let names = "abcdefgh".map { "{ \($0)@d = d/\($0)/ }" } + ["{ a2@d = d/a/ }"]
    try host.configure(
      "lmtp_socket = \(host.sandbox("lmtp"))\n\(settings)", maps: "inline:{ \(names.joined(separator: ", ")) }")
  }

  package func connect() throws -> LMTPClient { try LMTPClient(socket) }

  /// Delivers a message on a connection of its own; the replies are those of `LMTPClient.deliver`.
  package func deliver(_ message: [UInt8], to recipients: String...) throws -> [String] {
    try connect().deliver(message, to: recipients)
  }

  /// The messages in `new/` of a mailbox.
  package func messages(_ name: String) -> [[UInt8]] {
    new(name).compactMap { host.sandbox.bytes("base/d/\(name)/new/\($0)") }
  }

  package func new(_ name: String) -> [String] { host.sandbox.list("base/d/\(name)/new") }

  package func ledger(_ name: String) -> String? { host.sandbox.text("base/d/\(name)/maildirsize") }

  /// The sums of its entries: bytes and messages.
  package func ledgerTotal(_ name: String) -> [Int]? { ledger(name).flatMap(MailHost.total) }

  package func waitForLog(_ text: String) throws {
    try waitUntil("\(text) in the log") { host.log.lines().contains { $0.contains(text) } ? () : nil }
  }

  /// Locks a mailbox until the input of the command is closed.
  package func lock(_ name: String) throws -> Command {
    try host.sandbox.makeMaildir("base/d/\(name)")
    let lock = try Command(
      ["flock", host.sandbox("base/d/\(name)"), "sh", "-c", "echo; exec cat"], input: .pipe, asMailUser: true)
    try waitUntil("the lock") { lock.outputSoFar.isEmpty ? nil : () }
    return lock
  }

  /// Attaches strace(1) to the service.
  package func trace(_ options: String...) throws -> Command {
    let service = daemon.command.process
    let trace = try Command(["strace", "-f", "-o", "/dev/null", "-p", "\(service)"] + options)
    try waitUntil("strace") {
      let status = try String(contentsOfFile: "/proc/\(service)/status", encoding: .utf8)
      return status.contains("TracerPid:\t0\n") ? nil : ()
    }
    return trace
  }

  /// Nothing is in `tmp/` of any mailbox.
  package var isTidy: Bool {
    host.sandbox.list("base/d").allSatisfy { host.sandbox.list("base/d/\($0)/tmp").isEmpty }
  }

  /// Ends the service as systemd does, and starts it again.
  package func restart() throws {
    daemon.command.kill(SIGTERM)
    _ = daemon.command.wait()
    daemon = try ServiceDaemon(host.sandbox("ullage.cf"), service: "lmtp", socket: socket, launcher: launcher)
  }
}
