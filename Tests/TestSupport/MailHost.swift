// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A scratch installation: ullage.cf, a base directory, one mailbox, a log socket, and the real `ullage-deliver`.
package final class MailHost {
  package let sandbox: Sandbox
  package let log: LogReceiver
  /// Not below the sandbox: a socket keeps its file system busy.
  package var logSocket: String { logSandbox("log") }
  private let logSandbox: Sandbox
  package static let recipient = "you@example.org"

  /// The Maildir of `recipient`, relative to the sandbox.
  package let maildir = "base/example.org/you"

  /// - Parameter settings: lines for ullage.cf after base, mailbox table and log socket.
  package init(_ settings: String = "", below parent: String? = nil) throws {
    sandbox = try parent.map { try Sandbox(below: $0) } ?? Sandbox()
    logSandbox = try Sandbox()
    log = try LogReceiver(logSandbox("log"))
    try sandbox.makeDirectory("base/example.org")
    try configure(settings)
  }

  package func configure(_ settings: String, maps: String = "inline:{ you@example.org=example.org/you/ }") throws {
    try sandbox.write(
      "ullage.cf",
      """
      virtual_mailbox_base = \(sandbox("base"))
      virtual_mailbox_maps = \(maps)
      virtual_mailbox_limit = 0
      virtual_mailbox_limit_override = yes
      log_socket = \(logSocket)
      \(settings)

      """)
  }

  package struct Delivery {
    package let status: Int32
    package let output: String
    package let errors: String
    package let log: [String]

    /// The first warning in the log, empty if there is none.
    package var warning: String { log.first { $0.contains("warning: ") } ?? "" }
  }

  package var arguments: [String] {
    [
      Self.program, "--config=\(sandbox("ullage.cf"))", "--sender=me@example.net", "--recipient=\(Self.recipient)",
      "--queue-id=4Abc",
    ]
  }

  package func start(_ input: Command.Input, environment: [String: String] = [:]) throws -> Command {
    try Command(arguments, input: input, environment: environment, asMailUser: true)
  }

  package func deliver(
    _ message: [UInt8], arguments: [String]? = nil, environment: [String: String] = [:], asMailUser: Bool = true
  ) throws -> Delivery {
    let ending = try Command.run(
      arguments ?? self.arguments, input: .bytes(message), environment: environment, asMailUser: asMailUser)
    return Delivery(status: ending.status, output: ending.output, errors: ending.errors, log: log.lines())
  }

  package func deliver(bytes count: Int, environment: [String: String] = [:]) throws -> Delivery {
    try deliver(Self.message(count), environment: environment)
  }

  /// Delivers `bytes` bytes to `address` instead of `recipient`.
  package func deliver(to address: String, bytes: Int = 10) throws -> Delivery {
    let arguments = arguments.map { $0.hasPrefix("--recipient=") ? "--recipient=\(address)" : $0 }
    return try deliver(Self.message(bytes), arguments: arguments)
  }

  /// Delivers in a mount namespace that root has changed by `script`, lines of sh(1).
  package func deliver(bytes count: Int, behind script: String, arguments: [String]? = nil) throws -> Delivery {
    guard geteuid() == 0 else { throw TestError("a mount namespace needs root") }
    let shell = ["unshare", "--mount", "sh", "-ec", "\(script)\nexec \"$@\"", "sh"]
    return try deliver(
      Self.message(count), arguments: shell + MailUser.drop + (arguments ?? self.arguments), asMailUser: false)
  }

  /// A message of exactly `count` bytes.
  package static func message(_ count: Int) -> [UInt8] {
    (0..<count).map { $0 == count - 1 || $0 % 70 == 69 ? UInt8(ascii: "\n") : UInt8(ascii: "a") + UInt8($0 % 26) }
  }

  package var ledger: String? { sandbox.text("\(maildir)/maildirsize") }

  package func setLedger(_ text: String) throws {
    try makeMaildir()
    try sandbox.write("\(maildir)/maildirsize", text)
  }

  package func makeMaildir() throws {
    try sandbox.makeMaildir("\(maildir)")
  }

  /// Puts a message of `bytes` bytes into a folder of the mailbox (`""` is the inbox), as an IMAP server would.
  package func store(_ name: String, bytes: Int, folder: String = "") throws {
    try makeMaildir()
    try sandbox.write("\(maildir)/\(folder.isEmpty ? "" : folder + "/")cur/\(name)", Self.message(bytes))
  }

  package var new: [String] { sandbox.list("\(maildir)/new") }
  package var tmp: [String] { sandbox.list("\(maildir)/tmp") }

  package func newMessages() -> [[UInt8]] { new.compactMap { sandbox.bytes("\(maildir)/new/\($0)") } }

  /// The sums of the ledger's entries: bytes and messages. Nil if there is no ledger, or if a line makes
  /// readers count.
  package var ledgerTotal: [Int]? { ledger.flatMap(Self.total) }

  package static func total(of ledger: String) -> [Int]? {
    guard ledger.hasSuffix("\n") else { return nil }
    let entries = ledger.split(separator: "\n").dropFirst()
    // A ledger without a total makes every reader count.
    guard !entries.isEmpty else { return nil }
    var sum = [0, 0]
    for line in entries {
      let numbers = line.split(separator: " ").compactMap { Int($0) }
      guard numbers.count == 2 else { return nil }
      sum = [sum[0] + numbers[0], sum[1] + numbers[1]]
    }
    return sum
  }

  package static let program = Programs.path("ullage-deliver")
  package static let programWithFaults = Programs.path("ullage-deliver-faults")
}
