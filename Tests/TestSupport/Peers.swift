// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Other programs that deliver into the mailbox of a `MailHost`, each with its own settings for the same limit. None of
/// them is a running server.
package enum PeerAgent: String, CaseIterable, Sendable {
  case deliverquota, maildrop, dovecotLDA, exim

  /// Delivers a message.
  ///
  /// - Returns: whether it was accepted.
  package func deliver(_ message: [UInt8], to host: MailHost, limit: Int64) throws -> Bool {
    let maildir = host.sandbox(host.maildir)
    switch self {
    case .deliverquota:
      return try Command.run(["deliverquota", maildir], input: .bytes(message), asMailUser: true).status == 0
    case .maildrop:
      try host.sandbox.write("filter", "MAILDIRQUOTA=\"\(limit)S\"\nto \"\(maildir)/\"\n")
      let ending = try Command.run(
        ["maildrop", host.sandbox("filter")], input: .bytes(message), environment: ["HOME": host.sandbox.path],
        asMailUser: true)
      return ending.status == 0
    case .dovecotLDA: return try Dovecot(host, limit: limit).deliver(message, to: "example.org/you")
    case .exim: return try Exim(host, limit: limit).deliver(message)
    }
  }
}

/// Other programs that show how full a mailbox is.
package enum PeerReader: String, CaseIterable, Sendable {
  case courierIMAP, dovecotIMAP, doveadm

  /// The usage in KiB.
  package func usage(of host: MailHost, limit: Int64) throws -> Int? {
    switch self {
    case .courierIMAP: return Self.storage(in: try CourierIMAP(host).run(["GETQUOTAROOT INBOX"]))
    case .dovecotIMAP:
      return Self.storage(in: try Dovecot(host, limit: limit).imap(["GETQUOTAROOT INBOX"], "example.org/you"))
    case .doveadm:
      // `User quota	STORAGE	50	100	50`
      let lines = try Dovecot(host, limit: limit).usage("example.org/you").split(separator: "\n")
      return lines.first { $0.contains("STORAGE") }.flatMap { Int($0.split(separator: "\t")[2]) }
    }
  }

  /// `* QUOTA "ROOT" (STORAGE 50 100)`
  private static func storage(in answer: String) -> Int? {
    answer.firstMatch(of: #/\(STORAGE ([0-9]+) /#).flatMap { Int($0.1) }
  }
}

/// Courier's IMAP server for one session on standard input, unpacked by scripts/peers.
package struct CourierIMAP {
  private let host: MailHost

  package init(_ host: MailHost) { self.host = host }

  /// The server, and the environment that makes it take the client for one that has logged in.
  package var command: [String] { get throws { [try Peers.program("usr/bin/imapd"), host.sandbox(host.maildir)] } }
  package var environment: [String: String] {
    get throws {
      [
        "AUTHENTICATED": "you", "HOME": host.sandbox.path, "IMAP_CAPABILITY": "IMAP4rev1 QUOTA UIDPLUS",
        "LD_LIBRARY_PATH": try Peers.libraries, "IMAP_ENHANCEDIDLE": "0", "IMAP_USELOCKS": "0",
      ]
    }
  }

  /// The answers to commands without tags, which are followed by LOGOUT.
  package func run(_ commands: [String]) throws -> String {
    try Command.run(command, input: .bytes(Peers.imapSession(commands)), environment: environment, asMailUser: true)
      .output
  }
}

/// Exim's appendfile transport. Exim wants a user of its own that exists, so it sees another /etc/passwd.
struct Exim {
  private let host: MailHost

  init(_ host: MailHost, limit: Int64) throws {
    self.host = host
    try host.sandbox.makeDirectory("exim")
    try host.sandbox.write(
      "exim.conf",
      """
      exim_path = \(try Peers.program("usr/sbin/exim4"))
      spool_directory = \(host.sandbox("exim"))
      log_file_path = \(host.sandbox("exim"))/%slog
      primary_hostname = mx.example.org
      keep_environment = LD_LIBRARY_PATH
      deliver_drop_privilege
      acl_not_smtp = accept
      begin acl
      begin routers
      box:
        driver = accept
        transport = box
      begin transports
      box:
        driver = appendfile
        directory = \(host.sandbox(host.maildir))
        maildir_format
        maildir_use_size_file
        maildir_tag = ,S=$message_size
        quota = \(limit)
        quota_size_regex = ,S=(\\d+)
        user = \(MailUser.id)
        group = \(MailUser.group)

      """, mode: 0o644)
  }

  func deliver(_ message: [UInt8]) throws -> Bool {
    let script = """
      cp /etc/passwd "$0/passwd"; echo "Debian-exim:x:$1:$2::/nonexistent:/usr/sbin/nologin" >>"$0/passwd"
      cp /etc/group "$0/group"; echo "Debian-exim:x:$2:" >>"$0/group"
      mount --bind "$0/passwd" /etc/passwd; mount --bind "$0/group" /etc/group; shift 2; exec "$@"
      """
    let log = host.sandbox("exim/mainlog")
    let before = try? String(contentsOfFile: log, encoding: .utf8)
    _ = try Command.run(
      [
        "unshare", "--mount", "sh", "-ec", script, host.sandbox.path, "\(MailUser.id)", "\(MailUser.group)",
      ] + MailUser.drop + [
        try Peers.program("usr/sbin/exim4"), "-C", host.sandbox("exim.conf"), "-odi", "-oi", "-f", "<>",
        "you@example.org",
      ],
      input: .bytes(message), environment: ["LD_LIBRARY_PATH": try Peers.libraries])
    let added = try String(contentsOfFile: log, encoding: .utf8).dropFirst(before?.count ?? 0)
    return added.contains(" => you <")
  }
}

/// What scripts/peers has unpacked.
package enum Peers {
  static var directory: String? { ProcessInfo.processInfo.environment["ULLAGE_PEERS"] }

  package static func program(_ path: String) throws -> String {
    guard let directory else {
      throw TestError("ULLAGE_PEERS is not set; run scripts/test")
    }
    return "\(directory)/\(path)"
  }

  static var libraries: String {
    get throws {
      let names = try FileManager.default.contentsOfDirectory(atPath: program("usr/lib"))
      // Such as x86_64-linux-gnu.
      let ofArchitecture = names.filter { $0.hasSuffix("-linux-gnu") }.flatMap { [$0, "\($0)/courier-authlib"] }
      return try (ofArchitecture.map { "usr/lib/\($0)" } + ["usr/lib/courier-authlib", "usr/lib"])
        .map { try program($0) }.joined(separator: ":")
    }
  }

  static func imapSession(_ commands: [String]) -> [UInt8] {
    let lines = (commands + ["LOGOUT"]).enumerated().map { "\($0 + 1) \($1)\r\n" }
    return Array(lines.joined().utf8)
  }
}
