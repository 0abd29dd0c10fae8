// SPDX-License-Identifier: Apache-2.0
import Configuration
import Posix
import Postfix

/// What an administrator must know before he switches over.
extension Migration {
  mutating func explain() throws(ConfigurationError) {
    try explainEntry()
    try explainLimits()
    try explainRest()
    for table in try tables() { explain(table) }
    try explainPaths()
    try explainTransports()
  }

  private mutating func explainEntry() throws(ConfigurationError) {
    let transport = try postfix.value(of: "virtual_transport") ?? "virtual"
    if transport.prefix(while: { $0 != ":" }) != service?.name ?? "virtual" {
      difference(
        "virtual_transport",
        "is \(transport), so virtual(8) does not deliver now; what main.cf says for it was taken all the same")
    }
    for other in postfix.master.services(running: "virtual") where other != service && !other.overrides.isEmpty {
      difference(
        "master.cf, line \(other.line)",
        "\(other.name) is another virtual(8) with settings of its own, which were not taken; it needs a configuration"
          + " file of its own, and an entry with --config")
    }
    if postfix.master.transport(options.transport) != nil {
      change(options.transport, "is already an entry of master.cf; the command below replaces it")
    }
  }

  private mutating func explainLimits() throws(ConfigurationError) {
    let limit = try value(.virtual_mailbox_limit)
    let source =
      written(.virtual_mailbox_limit) == nil ? "Postfix's default, since main.cf does not set it" : "as main.cf says"
    let text = limit == "0" ? "without limit" : "limited to \(limit) bytes"
    difference(
      "virtual_mailbox_limit",
      "mailboxes without a limit of their own are \(text) (\(source)). As with VDA this is a quota for the whole mailbox"
    )
    if try value(.virtual_mailbox_limit_override).lowercased() != "yes" {
      let size = try value(.message_size_limit)
      difference(
        "virtual_mailbox_limit_override",
        "is not yes, so that limits below message_size_limit (\(size) bytes) do not hold, as with VDA")
    }
    if written(.virtual_mailbox_limit_maps) == nil {
      difference("virtual_mailbox_limit_maps", "is not set: virtual_mailbox_limit is everybody's quota")
    } else {
      difference("virtual_mailbox_limit_maps", "while it cannot be asked, mail is deferred; VDA took 51.2 MB or so")
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
      difference("virtual_maildir_limit_message", "holds a %: VDA took it for a format, here it is plain text")
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
  func tables() throws(ConfigurationError) -> [TableReference] {
    guard let settings = try? Settings(ConfigurationFile(parsing: plan.configuration)) else { return [] }
    return Parameter.tables.flatMap { settings.tables($0) }.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }

  private mutating func explain(_ table: TableReference) {
    let plain = table.behindProxy
    let file = plain.name.text
    switch plain.type {
    case "pgsql" where !file.hasPrefix("/"):
      obstacle(
        table.text,
        "its settings stand in main.cf, as \(file)_hosts and so on; write them into a file, as hosts = and so on, and name"
          + " that: pgsql:/etc/postfix/\(file).cf")
    case "pgsql", "texthash":
      if let mistake = survey.mistake(plain) { obstacle(table.text, mistake) }
    case "static", "inline", "socketmap": break
    case "hash", "btree", "lmdb", "cdb", "dbm", "sdbm":
      difference(
        table.text,
        "is asked by postmap -q, one process a question; texthash:\(file) reads the same text without one")
    case "mysql", "ldap", "sqlite", "mongodb", "memcache":
      difference(
        table.text,
        "is asked by postmap -q, one process a question, with Postfix's own support for \(plain.type) (on Debian the package"
          + " postfix-\(plain.type)). The lookup service makes that cheaper: ullaged(8). A list of all mailboxes takes"
          + " PostgreSQL, so --all, --domain and audit need mailbox_list_database")
    default: difference(table.text, "is asked by postmap -q, one process a question")
    }
  }

  /// Paths without a slash at the end are mbox files.
  private mutating func explainPaths() throws(ConfigurationError) {
    let suffix = try value(.virtual_maildir_suffix)
    for table in try tables(of: .virtual_mailbox_maps) {
      let plain = table.behindProxy
      var files: [String] = []
      switch plain.type {
      case "static": files = [plain.name.text]
      case "inline", "texthash", "hash", "btree", "lmdb", "cdb": files = values(plain)
      case "pgsql": explainPathsInDatabase(plain)
      default:
        difference(
          table.text, "may hold paths without a slash at the end, which are mbox files: mail to them is deferred")
      }
      let boxes = files.filter { !$0.hasSuffix("/") }
      if let first = boxes.first { obstacleOfFiles(table.text, boxes.count, first) }
    }
    if !suffix.isEmpty, !suffix.hasSuffix("/") {
      obstacle("virtual_maildir_suffix", "must end in a slash; \(suffix) does not")
    }
  }

  private mutating func obstacleOfFiles(_ subject: String, _ count: Int, _ example: String) {
    obstacle(
      subject,
      "\(count == 1 ? "a path ends" : "\(count) paths end") without a slash (\(example)): those are mbox files, and there are"
        + " Maildirs only here. Convert them (mb2md, or dsync), or leave those domains to virtual(8) by transport_maps")
  }

  private func tables(of parameter: Parameter) throws(ConfigurationError) -> [TableReference] {
    guard let settings = try? Settings(ConfigurationFile(parsing: plan.configuration)) else { return [] }
    return settings.tables(parameter)
  }

  /// The values in the text of a table, comments and all else aside.
  private func values(_ table: TableReference) -> [String] {
    if table.type == "inline" {
      return splitList(table.name.dropFirst().dropLast()).compactMap { entry in
        splitAssignment(entry.first == UInt8(ascii: "{") ? Array(entry.dropFirst().dropLast()) : entry)?.value.text
      }
    }
    let text = survey.contents(table.name.text) ?? []
    return LogicalLine.split(text).compactMap { line in
      line.text.text.split(maxSplits: 1, whereSeparator: \.isWhitespace).dropFirst().first.map(String.init)
    }
  }

  private mutating func explainPathsInDatabase(_ table: TableReference) {
    let lines = LogicalLine.split(survey.contents(table.name.text) ?? []).compactMap(\.assignment)
    if lines.last(where: { $0.name.text == "result_format" })?.value.last == UInt8(ascii: "/") { return }
    let condition = "FROM mailbox WHERE maildir NOT LIKE '%/'"
    switch survey.ask(table, "SELECT count(*), min(maildir) \(condition)") {
    case .success(let rows):
      if let row = rows.first, let count = Int(row[0]), count > 0 { obstacleOfFiles(table.text, count, row[1]) }
    case .failure(let failure):
      difference(
        table.text,
        "could not be searched for mbox files, paths without a slash at the end (\(failure.text)); look yourself:",
        statement: "SELECT maildir \(condition);")
    }
  }

  /// A domain's own transport outranks virtual_transport.
  private mutating func explainTransports() throws(ConfigurationError) {
    guard let maps = try postfix.value(of: "transport_maps"), !maps.isEmpty else { return }
    let name = service?.name ?? "virtual"
    for item in splitList(Array(maps.utf8)) {
      guard let table = TableReference(item) else { continue }
      let plain = table.behindProxy
      switch plain.type {
      case "pgsql": explainTransportsInDatabase(plain, name)
      case "texthash", "hash", "btree", "lmdb", "cdb", "inline":
        let count = values(plain).filter { $0 == name || $0.hasPrefix("\(name):") }.count
        if count > 0 {
          difference(
            table.text,
            "sends \(count == 1 ? "a domain" : "\(count) domains") to \(name):, which outranks virtual_transport: write"
              + " \(options.transport): there")
        }
      default:
        difference(
          table.text,
          "is in transport_maps; where it answers \(name):, that outranks virtual_transport and must become"
            + " \(options.transport):")
      }
    }
  }

  private mutating func explainTransportsInDatabase(_ table: TableReference, _ name: String) {
    let condition = "WHERE transport IN ('\(name)', '\(name):')"
    let update = "UPDATE domain SET transport = '\(options.transport):' \(condition)"
    switch survey.ask(table, "SELECT count(*), min(domain) FROM domain \(condition)") {
    case .success(let rows):
      guard let row = rows.first, let count = Int(row[0]), count > 0 else { return }
      let domains = count == 1 ? "the domain \(row[1]) has" : "\(count) domains (\(row[1]) and others) have"
      difference(
        table.text,
        "\(domains) the transport \(name) in the database, which outranks virtual_transport: their mail stays with virtual(8)"
          + " until you say, when you switch over:", statement: "\(update);")
    case .failure(let failure):
      difference(
        table.text,
        "could not be asked (\(failure.text)). Where it has \(name) for a domain, that outranks virtual_transport; with"
          + " PostfixAdmin's tables say then, when you switch over:", statement: "\(update);")
    }
  }
}
