// SPDX-License-Identifier: Apache-2.0
import Text

/// Every parameter of ullage.cf: the one table that the parser, the manual page and `Settings` go by.
///
/// The names that begin with `virtual_`, `message_size_limit` and `recipient_delimiter` are Postfix's and VDA's.
package enum Parameter: String, CaseIterable, Sendable {
  case virtual_mailbox_base
  case virtual_mailbox_maps
  case virtual_maildir_suffix
  case virtual_mailbox_limit_maps
  case virtual_mailbox_limit
  case virtual_mailbox_limit_override
  case virtual_mailbox_limit_inbox
  case virtual_mailbox_message_limit_maps
  case virtual_overquota_bounce
  case virtual_maildir_limit_message
  case virtual_maildir_limit_message_maps
  case virtual_trash_count
  case virtual_trash_name
  case virtual_trash_subfolders
  case maildir_count_profile
  case virtual_uid_maps
  case virtual_gid_maps
  case virtual_minimum_uid
  case virtual_maildir_extended
  case virtual_maildir_filter
  case virtual_maildir_filter_maps
  case message_size_limit
  case recipient_delimiter
  case mailbox_base_may_be_empty
  case mailbox_list_database
  case mailbox_list_query
  case lookup_socket
  case lookup_fallback
  case lookup_connections
  case lookup_cache_time
  case lookup_stale_time
  case delivery_time_limit
  case recount_time_limit
  case log_socket
  case syslog_name

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

  package typealias Definition = (kind: Kind, standard: String, summary: String)

  /// The type, the default as it would be written in the file, and what the parameter is for.
  package var definition: Definition {
    switch self {
    case .virtual_mailbox_base: (.path, "", "The directory that holds all mailboxes.")
    case .virtual_mailbox_maps: (.tables, "", "Address to path of the Maildir below the base, ending in a slash.")
    case .virtual_maildir_suffix: (.text, "", "Text added to that path, ending in a slash.")
    case .virtual_mailbox_limit_maps: (.tables, "", "Address to quota limit in bytes.")
    case .virtual_mailbox_limit: (.integer(0...Int64.max), "51200000", "Limit in bytes where the tables give none.")
    case .virtual_mailbox_limit_override: (.yesNo, "no", "A limit below message_size_limit holds.")
    case .virtual_mailbox_limit_inbox: (.yesNo, "no", "Only the inbox counts, without its folders.")
    case .virtual_mailbox_message_limit_maps: (.tables, "", "Address to the largest number of messages.")
    case .virtual_overquota_bounce: (.yesNo, "no", "Over quota, refuse for good instead of deferring.")
    case .virtual_maildir_limit_message:
      (
        .text, "Sorry, the user's maildir has overdrawn his diskspace quota, please try again later.",
        "What the sender is told over quota."
      )
    case .virtual_maildir_limit_message_maps: (.tables, "", "Address to a text of its own.")
    case .virtual_trash_count: (.yesNo, "no", "The trash folder counts, too.")
    case .virtual_trash_name: (.text, ".Trash", "The folder that is the trash, or several.")
    case .virtual_trash_subfolders: (.yesNo, "no", "Folders below the trash are trash, too.")
    case .maildir_count_profile:
      (
        .choice(["maildir++", "courier", "dovecot", "exim", "vda"]), "maildir++",
        "Which program's way of counting holds."
      )
    case .virtual_uid_maps: (.tables, "", "Address to user id; it must be the one that we run as.")
    case .virtual_gid_maps: (.tables, "", "Address to group id; it must be the one that we run as.")
    case .virtual_minimum_uid: (.integer(1...4_294_967_294), "100", "Below this user id nothing is delivered.")
    case .virtual_maildir_extended: (.yesNo, "yes", "Read for VDA's sake, without effect.")
    case .virtual_maildir_filter: (.yesNo, "no", "Must be no: VDA's filter does not exist here.")
    case .virtual_maildir_filter_maps: (.tables, "", "Must be empty, as virtual_maildir_filter must be no.")
    case .message_size_limit: (.integer(0...Int64.max), "10240000", "See virtual_mailbox_limit_override.")
    case .recipient_delimiter: (.text, "", "The characters that part an address extension from the user name.")
    case .mailbox_base_may_be_empty: (.yesNo, "no", "Mailboxes are made in an empty base, too.")
    case .mailbox_list_database:
      (
        .text, "",
        "The pgsql: table whose database has the list of mailboxes; when empty, that of virtual_mailbox_maps."
      )
    case .mailbox_list_query:
      (
        .text, "SELECT username, maildir, quota FROM mailbox WHERE active",
        "Lists all mailboxes: address, path, limit in bytes, and perhaps the largest number of messages."
      )
    case .lookup_socket: (.path, "", "The socket of the lookup service; when empty, tables are asked directly.")
    case .lookup_fallback: (.yesNo, "no", "Tables are asked directly while the lookup service does not answer.")
    case .lookup_connections: (.integer(1...100), "4", "The lookup service's most connections to databases.")
    case .lookup_cache_time: (.seconds(0...3600), "5s", "How long the lookup service holds an answer.")
    case .lookup_stale_time:
      (.seconds(0...604_800), "0s", "How old an answer may be that the service gives while a database is away.")
    case .delivery_time_limit: (.seconds(1...900), "120s", "After this time the message is deferred.")
    case .recount_time_limit: (.seconds(1...900), "60s", "The longest count of a mailbox during a delivery.")
    case .log_socket: (.path, "/dev/log", "The socket of the system's log.")
    case .syslog_name: (.text, "ullage-deliver", "The program's name in the log.")
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
