// SPDX-License-Identifier: Apache-2.0

/// The parameters of ullage.cf that only `ullage` reads.
///
/// Their names have prefixes of their own. Deliveries and services ignore every such name, even a misspelt one, so that
/// a mistake in a report defers no mail.
package enum ToolParameter: String, CaseIterable, Sendable {
  /// The pgsql: table whose database the usage is written to; if empty, that of the list.
  case usage_database
  /// The table with the columns username, bytes and messages; empty to write nowhere.
  case usage_table
  /// The statement that adds missing rows to a table with other columns.
  case usage_insert_query
  /// The statement that changes rows of a table with other columns.
  case usage_update_query
  /// The configuration of the Dovecot on this host; empty if it writes no usage to that table.
  case usage_dovecot_file

  package typealias Definition = Parameter.Definition

  package var definition: Definition {
    switch self {
    case .usage_database: Definition(.text, "")
    case .usage_table: Definition(.text, "")
    case .usage_insert_query: Definition(.text, "")
    case .usage_update_query: Definition(.text, "")
    case .usage_dovecot_file: Definition(.text, "/etc/dovecot/dovecot.conf")
    }
  }

  /// Whether a name is left to `ullage`.
  static func isReserved(_ name: String) -> Bool { name.utf8.starts(with: "usage_".utf8) }
}
