// SPDX-License-Identifier: Apache-2.0
import Aliases
import Configuration
import Findings
import Mailboxes
import Posix
import Site
import Tables
import Text

/// Whether the policy service gets answers from its tables and lists of domains: without one, it refuses nothing.
struct PolicyTableCheck {
  private let site: Site
  private let policy: PolicySettings
  /// Whom the policy service runs as; nil if that is unknown.
  private let user: User?
  private(set) var found = FindingList(.postfix)

  init(site: Site, policy: PolicySettings) {
    self.site = site
    self.policy = policy
    user =
      site.configurationFile == Ullage.configurationFile
      ? UnitFile.user(of: Self.unit).flatMap { User(ofEntry: $0) } ?? site.user : site.user
  }

  private static let unit = "ullaged-policy.service"
  /// Seconds for each table.
  private static let timeLimit: Int64 = 20
  private static let sample = Array("you@example.org".utf8)
  private static let reason = "the policy service refuses nothing without it"

  private var deadline: Deadline { Deadline(secondsFromNow: Self.timeLimit) }

  mutating func run() {
    guard let settings = site.settings else { return }
    let service = settings.lookupService
    if let socket = service.socket { askService(socket) }
    if service.socket == nil || service.fallsBack { askTables(settings) }
  }

  /// Asks what a request asks through the lookup service.
  private mutating func askService(_ socket: [UInt8]) {
    let tables = PolicyTables(policy, TableSet(), .service(socket))
    func ask(_ parameter: Parameter, _ question: () throws(TableError) -> Void) {
      do { try site.actingAsUser(question) } catch {
        // A lookup service that does not answer is `TableCheck`'s to report.
        guard error.isAnswer else { return }
        let isUsual = TableFiles.runsSystemd && site.configurationFile == Ullage.configurationFile
        found.add(
          .error, .badTable, error.shown, at: parameter.rawValue, reason: Self.reason,
          remedy: isUsual
            ? .advise(
              "correct what the message says, if it is still so, and let the lookup service read it again",
              [Command("systemctl", "reload", "ullaged-lookup")])
            : .advice("correct what the message says, if it is still so, and send SIGHUP to the lookup service"))
      }
    }
    for parameter in [Parameter.recipient_canonical_maps, .canonical_maps, .virtual_alias_maps] {
      ask(parameter) { () throws(TableError) in
        _ = try tables.row(of: parameter, for: Self.sample, isPartial: false, until: deadline)
      }
    }
    for parameter in [Parameter.mydestination, .virtual_mailbox_domains] {
      ask(parameter) { () throws(TableError) in
        _ = try tables.contains(Array("example.org".utf8), in: parameter, until: deadline)
      }
    }
    ask(.policy_usage_maps) { () throws(TableError) in
      _ = try tables.usage(of: AddressQuery(Self.sample, until: deadline))
    }
  }

  /// Asks each table by itself, since a request ends at the first that answers.
  private mutating func askTables(_ settings: Settings) {
    var seen = Set(Parameter.tables.flatMap { settings.tables($0) }.map(\.behindProxy))
    let aliases = policy.aliases
    for (parameter, tables) in [
      (Parameter.recipient_canonical_maps, aliases.recipientCanonicalMaps), (.canonical_maps, aliases.canonicalMaps),
      (.virtual_alias_maps, aliases.virtualAliasMaps), (.policy_usage_maps, policy.usageMaps),
    ] {
      for table in tables where seen.insert(table.behindProxy).inserted { ask(table, parameter) }
    }
    for parameter in [Parameter.mydestination, .virtual_mailbox_domains] {
      for table in domainTables(parameter) where seen.insert(table.behindProxy).inserted { ask(table, parameter) }
    }
  }

  /// The tables in a list of domains, whose files are read.
  private mutating func domainTables(_ parameter: Parameter) -> [TableReference] {
    var last: TableReference?
    do {
      return try DomainList(policy.aliases.domains(parameter)) { name throws(TableError) in
        let file = TableReference(type: "file", name: name)
        last = file
        return try acting { () throws(TableError) in
          try TableFile.read(file, limit: 1 << 20, until: deadline)
        }
      }.tables
    } catch {
      switch error {
      case .list(let error):
        found.add(
          .error, .badConfiguration, error.message, at: parameter.rawValue, reason: Self.reason,
          remedy: .advice("correct the list"))
      case .file(let error):
        if let last { report(error, of: last, parameter) }
      }
      return []
    }
  }

  private mutating func ask(_ table: TableReference, _ parameter: Parameter) {
    do {
      try acting { () throws(TableError) in
        _ = try TableSet().query(TableQuery(Self.sample, until: deadline), in: table)
      }
    } catch { report(error, of: table, parameter) }
  }

  private mutating func report(_ error: TableError, of table: TableReference, _ parameter: Parameter) {
    let table = table.behindProxy
    if user == nil, let file = TableFiles.files(of: table).first, TableFiles.isClosed(file) {
      return found.skip(
        "whether the policy service gets answers from \(table.text)", because: "you may not read \(file)",
        remedy: .runAsRoot)
    }
    found.add(
      .error, .badTable, error.shown, at: parameter.rawValue, reason: Self.reason,
      remedy: TableRemedy.remedy(for: error, of: table, for: user))
  }

  /// Runs `body` with the rights that systemd gives the service, if we are root and can switch users.
  private func acting<R>(_ body: () throws(TableError) -> R) throws(TableError) -> R {
    guard let user else { return try body() }
    let others = UnitFile.values(of: "SupplementaryGroups", in: Self.unit) ?? []
    let ids = others.flatMap { $0.split(separator: " ") }.compactMap { Group.id(of: String($0)) }
    return try user.acting(others: user.groups + ids, body)
  }
}
