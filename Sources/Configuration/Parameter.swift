// SPDX-License-Identifier: Apache-2.0
import Quota

/// Every parameter of ullage.cf: the one table that the parser, the manual page and `Settings` go by.
///
/// The names that begin with `virtual_`, `message_size_limit` and `recipient_delimiter` are Postfix's and VDA's.
package enum Parameter: String, CaseIterable, Sendable {
  /// The directory that holds all mailboxes.
  case virtual_mailbox_base
  /// Address to path of the Maildir below the base, ending in a slash.
  case virtual_mailbox_maps
  /// Text added to that path, ending in a slash.
  case virtual_maildir_suffix
  /// Address to quota limit in bytes.
  case virtual_mailbox_limit_maps
  /// Limit in bytes where the tables give none.
  case virtual_mailbox_limit
  /// A limit below message_size_limit holds.
  case virtual_mailbox_limit_override
  /// Only the inbox counts, without its folders.
  case virtual_mailbox_limit_inbox
  /// Address to the largest number of messages.
  case virtual_mailbox_message_limit_maps
  /// Over quota, refuse for good instead of deferring.
  case virtual_overquota_bounce
  /// What the sender is told over quota.
  case virtual_maildir_limit_message
  /// Address to a text of its own.
  case virtual_maildir_limit_message_maps
  /// The trash folder counts, too.
  case virtual_trash_count
  /// The folder that is the trash, or several.
  case virtual_trash_name
  /// Folders below the trash are trash, too.
  case virtual_trash_subfolders
  /// Which program's way of counting holds.
  case maildir_count_profile
  /// Address to user id; it must be the one that we run as.
  case virtual_uid_maps
  /// Address to group id; it must be the one that we run as.
  case virtual_gid_maps
  /// Below this user id nothing is delivered.
  case virtual_minimum_uid
  /// Read for VDA's sake, without effect.
  case virtual_maildir_extended
  /// Must be no: VDA's filter does not exist here.
  case virtual_maildir_filter
  /// Must be empty, as virtual_maildir_filter must be no.
  case virtual_maildir_filter_maps
  /// See virtual_mailbox_limit_override.
  case message_size_limit
  /// The characters that part an address extension from the user name.
  case recipient_delimiter
  /// Mailboxes are made in an empty base, too.
  case mailbox_base_may_be_empty
  /// The pgsql: table whose database has the list of mailboxes; when empty, that of virtual_mailbox_maps.
  case mailbox_list_database
  /// Lists all mailboxes: address, path, limit in bytes, and perhaps the largest number of messages.
  case mailbox_list_query
  /// The socket of the lookup service; when empty, tables are asked directly.
  case lookup_socket
  /// Tables are asked directly while the lookup service does not answer.
  case lookup_fallback
  /// The lookup service's most connections to databases.
  case lookup_connections
  /// How long the lookup service holds an answer.
  case lookup_cache_time
  /// How old an answer may be that the service gives while a database is away.
  case lookup_stale_time
  /// After this time the message is deferred.
  case delivery_time_limit
  /// The longest count of a mailbox during a delivery.
  case recount_time_limit
  /// The socket of the system's log.
  case log_socket
  /// The program's name in the log.
  case syslog_name

  /// What a value must be.
  package enum Kind: Equatable, Sendable {
    case text
    /// Begins with a slash.
    case path
    case yesNo
    case choice([String])
    /// `type:name`, several separated by blanks or commas.
    case tables
    case integer(ClosedRange<Int64>)
    /// Whole seconds; `s`, `m`, `h` or `d` may follow.
    case seconds(ClosedRange<Int64>)
  }

  /// The type of a parameter, and its default.
  package struct Definition: Sendable {
    package let kind: Kind
    /// As it would be written in the file.
    package let defaultText: String

    init(_ kind: Kind, _ defaultText: String) {
      self.kind = kind
      self.defaultText = defaultText
    }
  }

  package var definition: Definition {
    switch self {
    case .virtual_mailbox_base: Definition(.path, "")
    case .virtual_mailbox_maps: Definition(.tables, "")
    case .virtual_maildir_suffix: Definition(.text, "")
    case .virtual_mailbox_limit_maps: Definition(.tables, "")
    case .virtual_mailbox_limit: Definition(.integer(0...Int64.max), "51200000")
    case .virtual_mailbox_limit_override: Definition(.yesNo, "no")
    case .virtual_mailbox_limit_inbox: Definition(.yesNo, "no")
    case .virtual_mailbox_message_limit_maps: Definition(.tables, "")
    case .virtual_overquota_bounce: Definition(.yesNo, "no")
    case .virtual_maildir_limit_message:
      Definition(
        .text,
        "Sorry, the user's maildir has overdrawn his diskspace quota, please try again later.")
    case .virtual_maildir_limit_message_maps: Definition(.tables, "")
    case .virtual_trash_count: Definition(.yesNo, "no")
    case .virtual_trash_name: Definition(.text, ".Trash")
    case .virtual_trash_subfolders: Definition(.yesNo, "no")
    case .maildir_count_profile: Definition(.choice(CountingProfile.allCases.map(\.rawValue)), "maildir++")
    case .virtual_uid_maps: Definition(.tables, "")
    case .virtual_gid_maps: Definition(.tables, "")
    case .virtual_minimum_uid: Definition(.integer(1...4_294_967_294), "100")
    case .virtual_maildir_extended: Definition(.yesNo, "yes")
    case .virtual_maildir_filter: Definition(.yesNo, "no")
    case .virtual_maildir_filter_maps: Definition(.tables, "")
    case .message_size_limit: Definition(.integer(0...Int64.max), "10240000")
    case .recipient_delimiter: Definition(.text, "")
    case .mailbox_base_may_be_empty: Definition(.yesNo, "no")
    case .mailbox_list_database: Definition(.text, "")
    case .mailbox_list_query: Definition(.text, "SELECT username, maildir, quota FROM mailbox WHERE active")
    case .lookup_socket: Definition(.path, "")
    case .lookup_fallback: Definition(.yesNo, "no")
    case .lookup_connections: Definition(.integer(1...100), "4")
    case .lookup_cache_time: Definition(.seconds(0...3600), "5s")
    case .lookup_stale_time: Definition(.seconds(0...604_800), "0s")
    case .delivery_time_limit: Definition(.seconds(1...900), "120s")
    case .recount_time_limit: Definition(.seconds(1...900), "60s")
    case .log_socket: Definition(.path, "/dev/log")
    case .syslog_name: Definition(.text, "ullage-deliver")
    }
  }

  /// Those that take tables, each asked for an address.
  package static let tables = allCases.filter { $0.definition.kind == .tables }

  /// Names of Postfix and of older or mistyped VDA settings that mean nothing here: read, so that a block of lines
  /// moves over from main.cf unchanged, and ignored.
  package static let ignored: Set<String> = [
    "compatibility_level", "home_mailbox", "mail_spool_directory", "mailbox_command", "mailbox_size_limit",
    "mailbox_transport", "mydestination", "mydomain", "myhostname", "mynetworks", "myorigin",
    "virtual_alias_domains", "virtual_alias_maps", "virtual_create_maildirsize",
    "virtual_destination_concurrency_limit",
    "virtual_destination_recipient_limit", "virtual_mailbox_domains", "virtual_mailbox_extended",
    "virtual_mailbox_limit_message", "virtual_mailbox_lock", "virtual_transport",
  ]
}
