// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A directory in a sandbox with main.cf and master.cf, from which no Postfix runs.
package struct PostfixFiles {
  private let sandbox: Sandbox
  package var path: String { sandbox("postfix") }

  package init(_ sandbox: Sandbox, main: String, master: String = virtual) throws {
    self.sandbox = sandbox
    try set("main.cf", main)
    try set("master.cf", master)
  }

  /// virtual(8)'s entry as Postfix ships it.
  package static let virtual = """
    smtp      inet  n       -       y       -       -       smtpd
    virtual   unix  -       n       n       -       -       virtual

    """

  package func set(_ name: String, _ text: String) throws {
    try sandbox.write("postfix/\(name)", text, mode: 0o644)
    try Command.check(["touch", "-d", "1 hour ago", sandbox("postfix/\(name)")])
  }

  package func text(_ name: String) -> String? { sandbox.text("postfix/\(name)") }
}

/// The lines for main.cf that guides on VDA give; the limits come from `table`.
package func linesOfVDA(limits table: String) -> String {
  """
  virtual_mailbox_limit_maps = \(table)
  virtual_mailbox_limit_inbox = no
  virtual_mailbox_limit_override = yes
  virtual_maildir_extended = yes
  virtual_overquota_bounce = no
  # virtual_maildir_limit_message_maps = hash:/etc/postfix/limit_messages
  virtual_maildir_limit_message = "Sorry, the recipients mailbox is currently full. Please try again later."
  virtual_trash_count = no
  virtual_trash_name = ".Trash"
  virtual_maildir_filter = no
  mailbox_size_limit = 0
  message_size_limit = 20971520

  """
}

/// The commands that `ullage migrate` prints under "What to do", or after another `title`.
package func commands(in report: String, after title: String = "What to do\n") -> [String] {
  guard let part = report.components(separatedBy: title).dropFirst().first else { return [] }
  // The list ends at an empty line.
  let lines = part.split(separator: "\n", omittingEmptySubsequences: false).prefix { !$0.isEmpty }
  return lines.filter { $0.hasPrefix("       ") }.map { String($0.dropFirst(7)) }
}

/// The SQL statements among the commands.
package func statements(_ commands: [String]) -> [String] {
  commands.filter { $0.hasPrefix("SQL: ") }.map { String($0.dropFirst(5)) }
}
