// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Dovecot's `doveadm quota`, IMAP server and delivery agent with its Maildir++ driver, without a running server, on
/// Maildirs below the host's base.
package final class Dovecot {
  private let host: MailHost
  private let configuration: String

  package init(_ host: MailHost, limit: Int64 = 1_000_000_000, ignoresTrash: Bool = false) throws {
    self.host = host
    configuration = host.sandbox("dovecot.conf")
    try host.sandbox.makeDirectory("dovecot")
    try host.sandbox.write(
      "dovecot.conf",
      """
      base_dir = \(host.sandbox("dovecot"))
      log_path = /dev/stderr
      ssl = no
      mail_location = maildir:~/
      mail_plugins = quota
      mail_uid = \(MailUser.id)
      mail_gid = \(MailUser.group)
      first_valid_uid = 1
      first_valid_gid = 1
      default_internal_user = \(Self.userName)
      default_login_user = \(Self.userName)
      postmaster_address = postmaster@example.org
      namespace inbox {
        inbox = yes
        separator = .
      }
      protocol imap {
        mail_plugin_dir = \(Peers.directory ?? "")/usr/lib/dovecot/modules
        mail_plugins = quota imap_quota
      }
      plugin {
        quota = maildir:User quota
        quota_grace = 0
        quota_rule = *:storage=\(limit)B
        \(ignoresTrash ? "quota_rule2 = Trash:ignore" : "")
      }

      """, mode: 0o644)
  }

  private static var userName: String { geteuid() == 0 ? "nobody" : NSUserName() }

  /// `doveadm quota recalc` for the Maildir `name`.
  package func recalculate(_ name: String) throws {
    _ = try run(name, "recalc")
  }

  /// `doveadm quota get`: bytes in units of 1024, and messages.
  package func usage(_ name: String) throws -> String { try run(name, "get") }

  /// Delivers a message with `dovecot-lda`.
  ///
  /// - Returns: whether it was accepted.
  package func deliver(_ message: [UInt8], to name: String) throws -> Bool {
    try run(["/usr/lib/dovecot/dovecot-lda", "-c", configuration, "-e"], name, message).status == 0
  }

  /// The answers of the IMAP server to commands without tags, which are followed by LOGOUT.
  package func imap(_ commands: [String], _ name: String) throws -> String {
    try run(imapServer, name, Peers.imapSession(commands)).output
  }

  /// A command of Dovecot's with our configuration, and the environment that makes it act for `example.org/you`.
  package func command(_ program: [String], _ arguments: [String] = []) -> [String] {
    program + ["-c", configuration] + arguments
  }
  package var imapServer: [String] { get throws { command([try Peers.program("usr/lib/dovecot/imap")]) } }
  package var environment: [String: String] { ["HOME": host.sandbox(host.maildir), "USER": Self.userName] }

  private func run(_ name: String, _ command: String) throws -> String {
    let ending = try run(["doveadm", "-c", configuration, "-f", "tab", "quota", command], name, [])
    guard ending.status == 0 else { throw TestError("doveadm quota \(command) \(name): \(ending.errors)") }
    return ending.output
  }

  private func run(_ command: [String], _ name: String, _ input: [UInt8]) throws -> Command.Ending {
    try Command.run(
      command, input: .bytes(input), environment: ["HOME": host.sandbox("base/\(name)"), "USER": Self.userName],
      asMailUser: true)
  }
}
