// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Dovecot's `doveadm quota` with its Maildir++ driver, without a running server, on the Maildirs
/// directly below the host's base.
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
      namespace inbox {
        inbox = yes
        separator = .
      }
      plugin {
        quota = maildir:User quota
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

  private func run(_ name: String, _ command: String) throws -> String {
    let ending = try Command.run(
      ["doveadm", "-c", configuration, "-f", "tab", "quota", command],
      environment: ["HOME": host.sandbox("base/\(name)"), "USER": Self.userName], asMailUser: true)
    guard ending.status == 0 else { throw TestError("doveadm quota \(command) \(name): \(ending.errors)") }
    return ending.output
  }
}
