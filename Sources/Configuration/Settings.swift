// SPDX-License-Identifier: Apache-2.0
package import Quota
import Text

/// The checked values of ullage.cf. See `Parameter` for their meaning.
package struct Settings: Sendable {
  /// The tables of each parameter that takes them.
  private let tables: [Parameter: [TableReference]]
  package let mailboxBase: [UInt8]
  package let maildirSuffix: [UInt8]
  package let baseMayBeEmpty: Bool
  /// Which limit applies to a mailbox.
  package let limitRule: LimitRule
  /// Which messages count.
  package let countingRule: CountingRule
  /// Bytes; zero means no limit.
  package let messageSizeLimit: Int64
  package let overquotaBounces: Bool
  package let limitMessage: [UInt8]
  package let oversizeMessage: [UInt8]
  package let minimumUser: Int64
  package let recipientDelimiter: [UInt8]
  /// Whether ullage.cf sets `recipient_delimiter`, perhaps to nothing.
  package let setsRecipientDelimiter: Bool
  /// The table whose database has the list of mailboxes, nil if no table is in PostgreSQL.
  package let listDatabase: TableReference?
  package let listQuery: [UInt8]
  /// Lists the mailboxes that are switched off; empty if that is unknown.
  package let inactiveQuery: [UInt8]
  package let lookupService: LookupServiceSettings
  /// Seconds.
  package let deliveryTimeLimit: Int64
  /// Seconds.
  package let recountTimeLimit: Int64
  package let logSocket: [UInt8]

  /// - Throws: `ConfigurationError` for the first value of the wrong type or out of bounds, for an unknown
  ///   name, and for unsupported settings.
  package init(_ file: ConfigurationFile) throws(ConfigurationError) {
    try self.init(file, isComplete: true)
  }

  /// The defaults, for work on directories, which needs neither base nor tables.
  package static func defaults() throws(ConfigurationError) -> Settings {
    try Settings(ConfigurationFile(parsing: []), isComplete: false)
  }

  /// - Parameter isComplete: what has no default must be set.
  private init(_ file: ConfigurationFile, isComplete: Bool) throws(ConfigurationError) {
    try file.check()
    var tables: [Parameter: [TableReference]] = [:]
    for parameter in Parameter.tables { tables[parameter] = try file.tables(parameter) }
    self.tables = tables
    mailboxBase = try file.path(.virtual_mailbox_base)
    maildirSuffix = try file.value(of: .virtual_maildir_suffix)
    baseMayBeEmpty = try file.yesNo(.mailbox_base_may_be_empty)
    messageSizeLimit = try file.integer(.message_size_limit)
    limitRule = LimitRule(
      fallback: try file.integer(.virtual_mailbox_limit), messageSizeLimit: messageSizeLimit,
      overrides: try file.yesNo(.virtual_mailbox_limit_override))
    countingRule = try Self.countingRule(file)
    overquotaBounces = try file.yesNo(.virtual_overquota_bounce)
    limitMessage = try file.value(of: .virtual_maildir_limit_message)
    oversizeMessage = try file.value(of: .virtual_maildir_oversize_message)
    minimumUser = try file.integer(.virtual_minimum_uid)
    recipientDelimiter = try file.value(of: .recipient_delimiter)
    setsRecipientDelimiter = file.line(of: .recipient_delimiter) != nil
    listDatabase = try Self.listDatabase(file, tables[.virtual_mailbox_maps] ?? [])
    listQuery = try file.value(of: .mailbox_list_query)
    inactiveQuery = try Self.inactiveQuery(file, listQuery)
    lookupService = try LookupServiceSettings(file)
    deliveryTimeLimit = try file.seconds(.delivery_time_limit)
    recountTimeLimit = try file.seconds(.recount_time_limit)
    logSocket = file.logSocket
    if isComplete { try checkRequired(file) }
    try checkWhole(file)
  }

  /// The tables that `parameter` names, in the order in which they are queried.
  package func tables(_ parameter: Parameter) -> [TableReference] { tables[parameter] ?? [] }

  /// Whether a mailbox's path, which is relative to the base, begins with the base once more.
  package func repeatsBase(_ path: [UInt8]) -> Bool {
    let slash = UInt8(ascii: "/")
    let parts = mailboxBase.split(separator: slash)
    return !parts.isEmpty && path.split(separator: slash).starts(with: parts)
  }

  private static func countingRule(_ file: ConfigurationFile) throws(ConfigurationError) -> CountingRule {
    let name = try file.choice(.maildir_count_profile)
    guard let profile = CountingProfile(rawValue: name) else { preconditionFailure("the choices are the profiles") }
    let trashNames = folders(try file.value(of: .virtual_trash_name))
    return CountingRule(
      profile: profile, uncountedFolders: try file.yesNo(.virtual_trash_count) ? [] : trashNames,
      leavesOutSubfolders: try file.yesNo(.virtual_trash_subfolders),
      inboxOnly: try file.yesNo(.virtual_mailbox_limit_inbox))
  }

  /// The names in `list`, separated by commas that are followed by a dot. Any other comma, or a blank, is
  /// part of a name: `.Deleted Items` is one folder. An empty list has none.
  private static func folders(_ list: [UInt8]) -> [[UInt8]] {
    let isBlank: (UInt8) -> Bool = { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
    var folders: [[UInt8]] = []
    for part in list.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
      let name = part.drop(while: isBlank)
      if let last = folders.indices.last, name.first != UInt8(ascii: ".") {
        folders[last] += [UInt8(ascii: ",")] + part
      } else {
        if let last = folders.indices.last {
          while folders[last].last.map(isBlank) == true { folders[last].removeLast() }
        }
        folders.append(folders.isEmpty ? Array(part) : Array(name))
      }
    }
    return folders.filter { !$0.isEmpty }
  }

  /// By default that of PostfixAdmin, if the list is its own, too.
  private static func inactiveQuery(
    _ file: ConfigurationFile, _ listQuery: [UInt8]
  ) throws(ConfigurationError) -> [UInt8] {
    let query = try file.value(of: .mailbox_inactive_query)
    let isUsual = listQuery.elementsEqual(Parameter.mailbox_list_query.definition.defaultText.utf8)
    return query.isEmpty && isUsual ? Array("SELECT username, maildir FROM mailbox WHERE NOT active".utf8) : query
  }

  private static func listDatabase(
    _ file: ConfigurationFile, _ mailboxTables: [TableReference]
  ) throws(ConfigurationError) -> TableReference? {
    let value = try file.value(of: .mailbox_list_database)
    guard !value.isEmpty else { return mailboxTables.lazy.compactMap({ $0.inPostgres }).first }
    guard let table = TableReference(value)?.inPostgres else {
      throw file.bad(.mailbox_list_database, value, Self.databaseRule)
    }
    return table
  }

  static let databaseRule = "be a pgsql: table, such as pgsql:/etc/file.cf"

  /// What has no default must be set.
  private func checkRequired(_ file: ConfigurationFile) throws(ConfigurationError) {
    for (parameter, isEmpty) in [
      (Parameter.virtual_mailbox_base, mailboxBase.isEmpty),
      (.virtual_mailbox_maps, tables(.virtual_mailbox_maps).isEmpty),
      (.virtual_maildir_limit_message, limitMessage.isEmpty),
      (.virtual_maildir_oversize_message, oversizeMessage.isEmpty),
    ] where isEmpty {
      throw ConfigurationError(line: file.line(of: parameter), "\(parameter.rawValue) must be set")
    }
  }

  /// Checks that go beyond the type of a single value.
  private func checkWhole(_ file: ConfigurationFile) throws(ConfigurationError) {
    _ = try file.yesNo(.virtual_maildir_extended)
    guard maildirSuffix.isEmpty || maildirSuffix.last == UInt8(ascii: "/") else {
      throw ConfigurationError(line: file.line(of: .virtual_maildir_suffix), "virtual_maildir_suffix must end in /")
    }
    // If the service queried itself, it would wait for its own answer.
    if let socket = lookupService.socket {
      let own = Array("unix:".utf8) + socket + [UInt8(ascii: ":")]
      for (parameter, references) in tables where references.contains(where: { $0.names(socket: own) }) {
        throw ConfigurationError(
          line: file.line(of: parameter),
          "\(parameter.rawValue) names lookup_socket itself; name the tables that the service should query")
      }
    }
    guard try !file.yesNo(.virtual_maildir_filter), tables(.virtual_maildir_filter_maps).isEmpty else {
      let line = file.line(of: .virtual_maildir_filter) ?? file.line(of: .virtual_maildir_filter_maps)
      throw ConfigurationError(
        line: line, "VDA's maildir filter does not exist here; filter with Sieve, and set virtual_maildir_filter = no")
    }
  }
}

extension ConfigurationFile {
  /// The socket of the log; the default if the value is invalid, so that the error itself can be logged.
  package var logSocket: [UInt8] {
    do { return try path(.log_socket) } catch { return Array(Parameter.log_socket.definition.defaultText.utf8) }
  }

  /// The name in the log; the default if the value is invalid.
  package var syslogName: [UInt8] {
    do { return try value(of: .syslog_name) } catch { return Array(Parameter.syslog_name.definition.defaultText.utf8) }
  }

  func path(_ parameter: Parameter) throws(ConfigurationError) -> [UInt8] {
    let value = try value(of: parameter)
    guard value.isEmpty || value.first == UInt8(ascii: "/") else { throw bad(parameter, value, "begin with /") }
    return value
  }

  func yesNo(_ parameter: Parameter) throws(ConfigurationError) -> Bool {
    let value = try value(of: parameter)
    switch value.text.lowercased() {
    case "yes": return true
    case "no": return false
    default: throw bad(parameter, value, "be yes or no")
    }
  }

  func choice(_ parameter: Parameter) throws(ConfigurationError) -> String {
    guard case .choice(let names) = parameter.definition.kind else { preconditionFailure("not a choice") }
    let value = try value(of: parameter)
    guard names.contains(value.text) else { throw bad(parameter, value, "be one of \(names.joined(separator: ", "))") }
    return value.text
  }

  func integer(_ parameter: Parameter) throws(ConfigurationError) -> Int64 {
    guard case .integer(let range) = parameter.definition.kind else { preconditionFailure("not an integer") }
    let value = try value(of: parameter)
    guard let number = Int64(value.text), value.allSatisfy({ $0.isDigit }), range.contains(number) else {
      throw bad(parameter, value, "be a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  func seconds(_ parameter: Parameter) throws(ConfigurationError) -> Int64 {
    guard case .seconds(let range) = parameter.definition.kind else { preconditionFailure("not a time") }
    let value = try value(of: parameter)
    let units: [UInt8: Int64] = [
      UInt8(ascii: "s"): 1, UInt8(ascii: "m"): 60, UInt8(ascii: "h"): 3600, UInt8(ascii: "d"): 86400,
    ]
    let unit = value.last.flatMap { units[$0] }
    let digits = unit == nil ? value[...] : value.dropLast()
    guard let number = Int64(digits.text), digits.allSatisfy({ $0.isDigit }), number <= range.upperBound,
      range.contains(number * (unit ?? 1))
    else {
      throw bad(parameter, value, "be a time from \(range.lowerBound) to \(range.upperBound) seconds, such as 90s")
    }
    return number * (unit ?? 1)
  }

  func tables(_ parameter: Parameter) throws(ConfigurationError) -> [TableReference] {
    var tables: [TableReference] = []
    for item in splitList(try value(of: parameter)) {
      guard let table = TableReference(item) else {
        throw bad(parameter, item, "be tables, such as pgsql:/etc/file.cf")
      }
      tables.append(table)
    }
    return tables
  }

  func bad(_ parameter: Parameter, _ value: [UInt8], _ rule: String) -> ConfigurationError {
    ConfigurationError(line: line(of: parameter), "\(parameter.rawValue) must \(rule), not \"\(value.text)\"")
  }

  func bad(_ parameter: ToolParameter, _ value: [UInt8], _ rule: String) -> ConfigurationError {
    ConfigurationError(line: line(of: parameter), "\(parameter.rawValue) must \(rule), not \"\(value.text)\"")
  }
}
