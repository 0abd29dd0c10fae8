// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Posix
import Site
import Text

/// What an administrator must know before switching over.
extension Migration {
  mutating func explain() throws(ConfigurationError) {
    try explainEntry()
    try explainLimits()
    try explainRest()
    for table in tables { explain(table) }
    explainPaths()
    explainSmallLimits()
    try explainTransports()
  }

  /// What virtual_transport is now, if that is an entry of ours: for pipe(8) or for the LMTP service.
  func ownTransport() throws(ConfigurationError) -> Transport? {
    let now = Transport(try postfix.value(of: "virtual_transport") ?? "virtual")
    if postfix.master.transport(now.name)?.runsDelivery == true { return now }
    let entries = try LMTPEntries(postfix, survey, nil).find()
    return entries.contains { $0.service.name == now.name && $0.nexthops.contains(now.nexthop) } ? now : nil
  }

  private mutating func explainEntry() throws(ConfigurationError) {
    let transport = try postfix.value(of: "virtual_transport") ?? "virtual"
    let name = transport.prefix { $0 != ":" }
    if name == options.transport {
      difference("virtual_transport", "is \(transport) already: mail has been switched over")
    } else if let own = try ownTransport() {
      difference(
        "virtual_transport",
        "is \(own.text), another way to deliver to the same mailboxes: only this parameter has to change, there and"
          + " back")
    } else if name != service?.name ?? "virtual" {
      difference(
        "virtual_transport",
        "is \(transport), so virtual(8) does not deliver now; its settings in main.cf were taken anyway."
          + " \(Self.loss(postfix.master.transport(String(name))))")
    }
    for other in postfix.master.services(running: "virtual") where other != service && !other.overrides.isEmpty {
      difference(
        "master.cf, line \(other.line)",
        "\(other.name) is another virtual(8) with settings of its own, which were not taken; it needs a configuration"
          + " file of its own, and an entry with --config")
    }
    if postfix.master.transport(options.transport) != nil {
      difference(options.transport, "is already an entry in master.cf, which the command below replaces")
    }
  }

  /// What ends with the program that delivers now.
  private static func loss(_ service: MasterService?) -> String {
    switch service?.program.first?.split(separator: "/").last {
    case "maildrop"?: "Filters in maildroprc and .mailfilter are not applied any more: there is no filter here"
    case "dovecot-lda"?, "deliver"?: "Sieve scripts are not run any more: there is no filter here"
    default: "Whatever that transport does beside delivering, filtering for instance, ends"
    }
  }

  private mutating func explainLimits() throws(ConfigurationError) {
    let limit = try value(.virtual_mailbox_limit)
    let source =
      written(.virtual_mailbox_limit) == nil
      ? "Postfix's default, since main.cf does not set it" : "as Postfix's files say"
    let text = limit == "0" ? "unlimited" : "limited to \(limit) bytes"
    difference(
      "virtual_mailbox_limit",
      "mailboxes without a limit of their own are \(text) (\(source)). As with VDA this is a quota for the"
        + " whole mailbox"
    )
    let size = try value(.message_size_limit)
    if size != "0", try value(.virtual_mailbox_limit_override).lowercased() != "yes" {
      difference(
        "virtual_mailbox_limit_override",
        "is not yes, so limits below message_size_limit (\(size) bytes) do not apply, as with VDA")
    }
    if written(.virtual_mailbox_limit_maps) == nil {
      difference("virtual_mailbox_limit_maps", "is not set: virtual_mailbox_limit is the quota of every mailbox")
    } else {
      difference("virtual_mailbox_limit_maps", "while it cannot be queried, mail is deferred; VDA assumed some 51.2 MB")
    }
    if try value(.virtual_mailbox_limit_inbox).lowercased() == "yes" {
      difference(
        "virtual_mailbox_limit_inbox", "is yes: no maildirsize is written, because it would mislead the IMAP server")
    }
  }

  private mutating func explainRest() throws(ConfigurationError) {
    if written(.virtual_maildir_extended).map({ $0.text.lowercased() }) != "yes" {
      difference(
        "virtual_maildir_extended",
        "is not yes: VDA wrote no maildirsize. From now on there is one, which the IMAP server shows")
    }
    if try value(.virtual_maildir_limit_message).contains("%") {
      difference("virtual_maildir_limit_message", "contains a %: VDA took it for a format, here it is plain text")
    }
    let filters = written(.virtual_maildir_filter).map { $0.text.lowercased() == "yes" } ?? false
    if filters || written(.virtual_maildir_filter_maps).map({ !$0.isEmpty }) ?? false {
      obstacle(
        "virtual_maildir_filter",
        "VDA's filter does not exist here: its rules will not be applied. Filter with Sieve, or stay with VDA")
    }
    for name in ["virtual_create_maildirsize", "virtual_mailbox_extended"] where written(name) != nil {
      change(name, "is left out: no version of VDA read it")
    }
    for name in ["concurrency_limit", "recipient_limit"]
    where postfix.main.entries["virtual_destination_\(name)"] != nil {
      difference(
        "virtual_destination_\(name)",
        "belongs to the transport virtual; the new one has \(options.transport)_destination_\(name)")
    }
  }

  /// Each table of the new file, once.
  var tables: [TableReference] {
    Parameter.tables.flatMap { settings?.tables($0) ?? [] }.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }

  private mutating func explain(_ table: TableReference) {
    let plain = table.behindProxy
    let file = plain.name.text
    switch plain.type {
    case "pgsql" where !file.hasPrefix("/"):
      obstacle(
        table.text,
        "its settings are in main.cf, as \(file)_hosts and so on; write them into a file, as hosts = and so on,"
          + " and name that: pgsql:/etc/postfix/\(file).cf")
    case "pgsql", "texthash": explainFile(of: table)
    case "static", "inline", "socketmap": break
    case "hash", "btree", "lmdb", "cdb", "dbm", "sdbm":
      let made = TableFiles.files(of: plain)
      if let name = made.first, !TableFiles.exists(name) {
        obstacle(table.text, "there is no \(name); create it:", remedy: .run(Command("postmap", plain.text)))
      }
      difference(
        table.text,
        "is queried by postmap -q, one process per lookup; texthash:\(file) reads the same text without one")
    case "mysql", "ldap", "sqlite", "mongodb", "memcache":
      difference(
        table.text,
        "is queried by postmap -q, one process per lookup, with Postfix's own support for \(plain.type) (on"
          + " Debian the package"
          + " postfix-\(plain.type)). The lookup service makes that cheaper: ullaged(8). A list of all mailboxes needs"
          + " PostgreSQL, so --all, --domain and audit need mailbox_list_database")
    default:
      if let name = TableFiles.files(of: plain).first, !TableFiles.exists(name) {
        obstacle(table.text, "there is no \(name)")
      }
      difference(table.text, "is queried by postmap -q, one process per lookup")
    }
  }

  private mutating func explainFile(of table: TableReference) {
    if let mistake = survey.mistake(table.behindProxy) { return obstacle(table.text, mistake) }
    let isForAll = Parameter.tables.contains {
      !$0.mayBeConstant && settings?.tables($0).contains(table) == true
    }
    if isForAll, survey.answersAllAlike(table.behindProxy) {
      obstacle(
        table.text,
        "its query contains no part of the address, such as '%s': the answer is the same for every address. A line"
          + " that continues the query must begin with a blank")
    }
  }

  /// Paths without a slash at the end are mbox files.
  private mutating func explainPaths() {
    for table in settings?.tables(.virtual_mailbox_maps) ?? [] {
      let plain = table.behindProxy
      var files: [String] = []
      switch plain.type {
      case "static": files = [plain.name.text]
      case "inline", "texthash", "hash", "btree", "lmdb", "cdb":
        guard let entries = survey.entries(plain) else {
          difference(table.text, "has no source file, so it was not searched for paths without a slash at the end")
          continue
        }
        files = entries.map(\.value)
      case "pgsql": explainPathsInDatabase(plain)
      default:
        difference(
          table.text, "may contain paths without a slash at the end, which are mbox files: mail to them is deferred")
      }
      judge(files, in: table)
    }
  }

  private mutating func judge(_ paths: [String], in table: TableReference) {
    let boxes = paths.filter { !$0.hasSuffix("/") }
    if let first = boxes.first { obstacleOfFiles(table.text, boxes.count, first) }
    if let path = paths.first(where: { settings?.repeatsBase(Array($0.utf8)) == true }) {
      obstacle(
        table.text,
        "gives paths that begin with virtual_mailbox_base (\(path)). Paths are relative to it, so mail would go to the"
          + " base below the base; correct the rows or the query, or set virtual_mailbox_base = /")
    }
  }

  /// Limits into which no ordinary message fits: the column may be in MB.
  private mutating func explainSmallLimits() {
    for table in settings?.tables(.virtual_mailbox_limit_maps) ?? [] {
      let plain = table.behindProxy
      var values: [String]
      switch plain.type {
      case "inline", "texthash", "hash", "btree", "lmdb", "cdb": values = survey.entries(plain)?.map(\.value) ?? []
      case "pgsql":
        guard case .success(let rows) = survey.ask(plain, Self.someMailboxes) else { continue }
        values = survey.values(rows.compactMap(\.first), in: plain)
      default: continue
      }
      values.removeAll { Int64($0).map { !(1..<100_000).contains($0) } ?? false }
      guard let example = values.first else { continue }
      let isNumber = Int64(example) != nil
      difference(
        table.text,
        isNumber
          ? "gives limits such as \(example) bytes, into which no ordinary message fits. If the column is in MB,"
            + " multiply in the query: quota::bigint * 1048576"
          : "gives \"\(example)\", which is not a whole number: mail for such mailboxes is deferred. VDA read it in"
            + " part, or took it for no limit")
    }
  }

  private static let someMailboxes = "SELECT username FROM mailbox WHERE active LIMIT 1000"

  private mutating func obstacleOfFiles(_ subject: String, _ count: Int, _ example: String) {
    obstacle(
      subject,
      "\(count == 1 ? "a path ends" : "\(count) paths end") without a slash (\(example)): those are mbox files, but"
        + " only Maildirs work here. Convert them (mb2md, or dsync), or leave those domains to virtual(8) in"
        + " transport_maps")
  }

  /// Looks up the first thousand mailboxes in the table, because its query may add the slash.
  private mutating func explainPathsInDatabase(_ table: TableReference) {
    switch survey.ask(table, Self.someMailboxes) {
    case .success(let rows): judge(survey.values(rows.compactMap(\.first), in: table), in: table)
    case .failure(let failure):
      difference(
        table.text,
        "could not be searched for mbox files, paths without a slash at the end (\(failure.text)); check it, with"
          + " PostfixAdmin's tables:", remedy: .sql("SELECT maildir FROM mailbox WHERE maildir NOT LIKE '%/';"))
    }
  }

  /// A domain's transport in transport_maps overrides virtual_transport.
  private mutating func explainTransports() throws(ConfigurationError) {
    let new = destination
    // Another way of ours to deliver is left as it is left for virtual(8), with the same commands.
    let own = options.usesLMTP ? try ownTransport()?.name : nil
    let old = own == new.name ? service?.name ?? "virtual" : own ?? service?.name ?? "virtual"
    otherTransports = try postfix.otherTransports(instead: new)
    for other in otherTransports {
      difference(
        other.parameter,
        "is \(other.value): that mail goes to virtual(8), too. The step that switches over changes it")
    }
    for route in try TransportRoutes(postfix, survey).routes(to: old, instead: new) {
      switch route.domains {
      case .success(let domains) where domains.count == 0: continue
      case .success(let domains):
        var text =
          "sends \(domains.count == 1 ? "a domain" : "\(domains.count) domains") (\(domains.example)) to \(old), which"
          + " overrides virtual_transport; "
          + (route.change == nil ? "set \(new.field) there" : "the step that switches over changes it")
        if case .statement? = route.change {
          text += ". In PostfixAdmin, $CONF['transport_options'] and 'transport_default' must also have \(new.field)"
        }
        difference(route.table, text)
        if let change = route.change { routeChanges.append(change) }
      case .failure(let failure):
        difference(
          route.table,
          "could not be searched (\(failure.text)). Where it sends a domain to \(old), that overrides virtual_transport"
            + " and must become \(new.field)", remedy: route.change?.remedy)
      }
    }
  }
}
