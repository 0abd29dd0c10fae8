// SPDX-License-Identifier: Apache-2.0
import Quota

/// Every parameter of ullage.cf, except those of `ToolParameter`: the single table behind the parser, the manual page
/// and `Settings`.
///
/// `message_size_limit`, `recipient_delimiter` and all names with `virtual_` are Postfix's and VDA's.
package enum Parameter: String, CaseIterable, Sendable {
  /// The directory that holds all mailboxes.
  case virtual_mailbox_base
  /// Maps an address to the path of its Maildir below the base, ending in a slash.
  case virtual_mailbox_maps
  /// Text appended to that path, ending in a slash.
  case virtual_maildir_suffix
  /// Maps an address to its quota limit in bytes.
  case virtual_mailbox_limit_maps
  /// The limit in bytes if the tables give none.
  case virtual_mailbox_limit
  /// Whether a limit below message_size_limit applies.
  case virtual_mailbox_limit_override
  /// Whether only the inbox counts, without folders.
  case virtual_mailbox_limit_inbox
  /// Maps an address to its largest number of messages.
  case virtual_mailbox_message_limit_maps
  /// Whether mail over quota is refused for good instead of deferred.
  case virtual_overquota_bounce
  /// The text that the sender gets if the mailbox is over quota.
  case virtual_maildir_limit_message
  /// Maps an address to such a text of its own.
  case virtual_maildir_limit_message_maps
  /// The text that the sender gets if the message is larger than the whole limit.
  case virtual_maildir_oversize_message
  /// Whether the trash folder counts, too.
  case virtual_trash_count
  /// The name of the trash folder, or of several.
  case virtual_trash_name
  /// Whether folders below the trash are trash, too.
  case virtual_trash_subfolders
  /// The program whose way of counting is used.
  case maildir_count_profile
  /// Maps an address to a user id, which must be the one that we run as.
  case virtual_uid_maps
  /// Maps an address to a group id, which must be the one that we run as.
  case virtual_gid_maps
  /// The lowest user id that may deliver.
  case virtual_minimum_uid
  /// Accepted for compatibility with VDA, without effect.
  case virtual_maildir_extended
  /// Must be no: VDA's filter is not supported.
  case virtual_maildir_filter
  /// Must be empty, for the same reason.
  case virtual_maildir_filter_maps
  /// See virtual_mailbox_limit_override.
  case message_size_limit
  /// The characters that separate an address extension from the user name.
  case recipient_delimiter
  /// Whether mailboxes are created even in an empty base.
  case mailbox_base_may_be_empty
  /// The pgsql: table whose database has the list of mailboxes; if empty, the one in virtual_mailbox_maps.
  case mailbox_list_database
  /// The query for all mailboxes: address, path, limit in bytes and, optionally, largest number of messages.
  case mailbox_list_query
  /// Lists the mailboxes that are switched off: two columns, the address and the path.
  case mailbox_inactive_query
  /// The socket of the lookup service; if empty, the tables are queried directly.
  case lookup_socket
  /// Whether the tables are queried directly while the lookup service does not answer.
  case lookup_fallback
  /// The largest number of database connections of the lookup service.
  case lookup_connections
  /// How long the lookup service caches an answer.
  case lookup_cache_time
  /// How old an answer of the service may be while a database is unavailable.
  case lookup_stale_time
  /// The time after which a message is deferred.
  case delivery_time_limit
  /// The time limit for counting a mailbox during a delivery.
  case recount_time_limit
  /// Maps an address to those that Postfix delivers to instead.
  case virtual_alias_maps
  /// The largest number of addresses that one recipient may become.
  case virtual_alias_expansion_limit
  /// The largest number of lookups, one after the other, that lead from one address to another.
  case virtual_alias_recursion_limit
  /// The longest address in bytes that virtual_alias_maps may give.
  case virtual_alias_address_length_limit
  /// Maps a recipient to the address that replaces it before virtual_alias_maps.
  case recipient_canonical_maps
  /// The same, for senders too.
  case canonical_maps
  /// Where an address extension is put back that a table does not have.
  case propagate_unmatched_extensions
  /// Whether owner-list and list-request are never split at a hyphen.
  case owner_request_special
  /// The domain of addresses without one.
  case myorigin
  /// The domain that completes a host name without a dot.
  case mydomain
  /// Whether such host names are completed.
  case append_dot_mydomain
  /// Whether user%domain without @ means user@domain.
  case allow_percent_hack
  /// Whether domain!user without @ means user@domain.
  case swap_bangpath
  /// The domains of local(8).
  case mydestination
  /// The domains of the mailboxes.
  case virtual_mailbox_domains
  /// Maps a domain to the bytes that its mailboxes may hold together.
  case virtual_domain_limit_maps
  /// The socket of the policy service.
  case policy_socket
  /// Where the policy service listens beside that: host:port.
  case policy_listen
  /// Who may connect there: addresses and networks.
  case policy_clients
  /// Whether all targets of a recipient must be full for a refusal, or any.
  case policy_rule
  /// The time limit for counting a mailbox before a refusal.
  case policy_recount_time
  /// How much smaller than its announced size a message may turn out, in percent.
  case policy_size_slack
  /// Domains whose addresses do not count as targets.
  case policy_uncounted_domains
  /// Clients that are never refused: addresses, networks and host names.
  case policy_exempt_clients
  /// Senders that are never refused: addresses and domains.
  case policy_exempt_senders
  /// Maps an address to the bytes in its mailbox, for hosts without the mailboxes.
  case policy_usage_maps
  /// Whether the IMAP server keeps that number up to date at every moment.
  case policy_usage_is_live
  /// The socket of the LMTP service.
  case lmtp_socket
  /// Where the LMTP service listens beside that: host:port.
  case lmtp_listen
  /// Who may connect there: addresses and networks.
  case lmtp_clients
  /// How many deliveries to one mailbox the LMTP service works on at once.
  case lmtp_mailbox_concurrency
  /// Whether the LMTP service writes the header Delivered-To.
  case lmtp_delivered_to
  /// Where each service shows its counters.
  case metrics_socket
  /// The socket of the system log.
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
    /// As written in the file.
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
    case .virtual_maildir_oversize_message:
      Definition(.text, "The message is larger than the recipient's mailbox can hold.")
    case .virtual_trash_count: Definition(.yesNo, "no")
    case .virtual_trash_name: Definition(.text, ".Trash")
    case .virtual_trash_subfolders: Definition(.yesNo, "no")
    case .maildir_count_profile: Definition(.choice(CountingProfile.allCases.map { $0.rawValue }), "maildir++")
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
    case .mailbox_inactive_query: Definition(.text, "")
    case .lookup_socket: Definition(.path, "")
    case .lookup_fallback: Definition(.yesNo, "no")
    case .lookup_connections: Definition(.integer(1...100), "4")
    case .lookup_cache_time: Definition(.seconds(0...3600), "5s")
    case .lookup_stale_time: Definition(.seconds(0...604_800), "0s")
    case .delivery_time_limit: Definition(.seconds(1...900), "120s")
    case .recount_time_limit: Definition(.seconds(1...900), "60s")
    case .virtual_alias_maps: Definition(.tables, "")
    case .virtual_alias_expansion_limit: Definition(.integer(1...100_000), "1000")
    case .virtual_alias_recursion_limit: Definition(.integer(1...100_000), "1000")
    case .virtual_alias_address_length_limit: Definition(.integer(1...100_000), "1000")
    case .recipient_canonical_maps: Definition(.tables, "")
    case .canonical_maps: Definition(.tables, "")
    case .propagate_unmatched_extensions: Definition(.text, "canonical, virtual")
    case .owner_request_special: Definition(.yesNo, "yes")
    case .myorigin: Definition(.text, "")
    case .mydomain: Definition(.text, "")
    case .append_dot_mydomain: Definition(.yesNo, "no")
    case .allow_percent_hack: Definition(.yesNo, "yes")
    case .swap_bangpath: Definition(.yesNo, "yes")
    case .mydestination: Definition(.text, "")
    case .virtual_mailbox_domains: Definition(.text, "")
    case .virtual_domain_limit_maps: Definition(.tables, "")
    case .policy_socket: Definition(.path, "")
    case .policy_listen: Definition(.text, "")
    case .policy_clients: Definition(.text, "")
    case .policy_rule: Definition(.choice(Self.policyRules), "all")
    case .policy_recount_time: Definition(.seconds(0...4), "2s")
    case .policy_size_slack: Definition(.integer(0...100), "6")
    case .policy_uncounted_domains: Definition(.text, "")
    case .policy_exempt_clients: Definition(.text, "")
    case .policy_exempt_senders: Definition(.text, "")
    case .policy_usage_maps: Definition(.tables, "")
    case .policy_usage_is_live: Definition(.yesNo, "no")
    case .lmtp_socket: Definition(.path, "")
    case .lmtp_listen: Definition(.text, "")
    case .lmtp_clients: Definition(.text, "")
    case .lmtp_mailbox_concurrency: Definition(.integer(1...100), "10")
    case .lmtp_delivered_to: Definition(.yesNo, "yes")
    case .metrics_socket: Definition(.text, "")
    case .log_socket: Definition(.path, "/dev/log")
    case .syslog_name: Definition(.text, "ullage-deliver")
    }
  }

  /// The parameters of a delivery that take tables, each of which is queried with an address.
  package static let tables = allCases.filter { $0.definition.kind == .tables && !$0.isForPolicy }

  /// Those of the policy service.
  package static let policyTables: [Parameter] = [
    .virtual_alias_maps, .recipient_canonical_maps, .canonical_maps, .policy_usage_maps,
  ]

  /// Whether no delivery uses it, only the policy service or `ullage`: a mistake in it must not defer mail.
  package var isForPolicy: Bool {
    switch self {
    case .virtual_alias_maps, .virtual_alias_expansion_limit, .virtual_alias_recursion_limit,
      .virtual_alias_address_length_limit, .recipient_canonical_maps, .canonical_maps,
      .propagate_unmatched_extensions, .owner_request_special, .myorigin, .mydomain, .append_dot_mydomain,
      .allow_percent_hack, .swap_bangpath, .mydestination, .virtual_mailbox_domains, .virtual_domain_limit_maps,
      .policy_socket, .policy_listen,
      .policy_clients, .policy_rule, .policy_recount_time, .policy_size_slack, .policy_uncounted_domains,
      .policy_exempt_clients, .policy_exempt_senders, .policy_usage_maps, .policy_usage_is_live, .metrics_socket:
      true
    default: false
    }
  }

  /// Whether its tables give one value for an address: a path or a number. Several would be joined by commas, as in
  /// Postfix, and two joined paths are one that nobody meant.
  package var isSingleValued: Bool { self != .virtual_maildir_limit_message_maps }

  /// Whether one answer for all addresses makes sense.
  package var mayBeConstant: Bool { self != .virtual_mailbox_maps }

  private static let policyRules = ["all", "any"]

  /// Names of Postfix settings, and of older or mistyped VDA settings, that have no effect here. They are
  /// accepted and ignored, so that lines can be copied from main.cf unchanged.
  package static let ignored: Set<String> = [
    "compatibility_level", "home_mailbox", "mail_spool_directory", "mailbox_command", "mailbox_size_limit",
    "mailbox_transport", "myhostname", "mynetworks", "virtual_alias_domains", "virtual_create_maildirsize",
    "virtual_destination_concurrency_limit",
    "virtual_destination_recipient_limit", "virtual_mailbox_extended",
    "virtual_mailbox_limit_message", "virtual_mailbox_lock", "virtual_transport",
  ]
}
