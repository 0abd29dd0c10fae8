// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Mailboxes
import Quota
import Site
import Text

/// main.cf and master.cf, as far as deliveries depend on them.
struct PostfixCheck {
  private let site: Site
  private let directory: String
  private let entries: [MasterService]
  /// The entries that read another ullage.cf.
  private let others: [MasterService]
  /// The entries that hand mail to the LMTP service.
  private let lmtp: [LMTPEntry]
  /// Connections to the database that deliveries query, nil if they query none or the number is unknown.
  private let connections: Int64?
  private(set) var found = FindingList(.postfix)

  init(
    site: Site, directory: String, entries: [MasterService], others: [MasterService], lmtp: [LMTPEntry] = [],
    connections: Int64?
  ) {
    self.site = site
    self.directory = directory
    self.entries = entries
    self.others = others
    self.lmtp = lmtp
    self.connections = connections
  }

  mutating func run() {
    let postfix: PostfixDirectory
    do { postfix = try site.postfix.get() } catch {
      if error.isDenied { return found.skip("Postfix's entry", because: error.shown, remedy: .runAsRoot) }
      return found.add(
        .error, .postfixDirectory, error.shown, at: directory, reason: "how Postfix calls Ullage is unknown",
        remedy: .advice(error.isInFile ? "correct that line" : "name the directory that has main.cf with --postfix="))
    }
    guard !entries.isEmpty || !lmtp.isEmpty else {
      return found.add(
        .error, .noEntry, "no entry runs ullage-deliver", at: "\(directory)/master.cf", reason: "no mail arrives here",
        remedy: postfix.master.transport("ullage") != nil
          ? .advice("the entry ullage runs another program; let it run ullage-deliver itself: ullage-deliver(8)")
          : .run(
            postfix.postconf("-M", "ullage/unix=\(MasterEntry.line(user: site.userName, site.configurationFile))"),
            postfix.postconf("-e", "ullage_destination_recipient_limit=1"), postfix.reload))
    }
    for service in entries { check(Entry(site: site, postfix: postfix, service: service)) }
    checkLMTP(postfix)
    for other in others {
      let file = EntryCheck.configurationFile(of: other)
      found.add(
        .notice, .otherEntry, "the entry \(other.name) reads \(file)",
        at: "\(postfix.path)/master.cf, line \(other.line)",
        reason: "it was not checked", remedy: .run(postfix.check(file, isOther: true)))
    }
    do throws(ConfigurationError) {
      try checkMailComes(postfix)
      try checkValues(postfix)
    } catch {
      found.add(
        .error, .postfixDirectory, error.message,
        at: "\(postfix.path)/main.cf\(error.line.map { ", line \($0)" } ?? "")",
        reason: "Postfix cannot use that value either", remedy: .advice("correct that line"))
    }
  }

  private mutating func check(_ entry: Entry) {
    let count = found.findings.count
    let check = EntryCheck(entry, connections: connections)
    found.append(check.findings())
    found.append(ArgumentsCheck(entry).findings())
    found.append(ProgramCheck(entry).findings())
    entry.checkSoftBounce(&found)
    if !found.hasTrouble(since: count) {
      found.good("the entry \(entry.service.name) in \(directory)/master.cf is right")
    }
  }

  private mutating func checkLMTP(_ postfix: PostfixDirectory) {
    guard !lmtp.isEmpty else { return }
    let count = found.findings.count
    let settings: LMTPSettings?
    do { settings = try SettingsFile(site.configurationFile).lmtp.get() } catch {
      settings = nil
      // The check of the file reports what concerns every delivery.
      if site.settings != nil {
        found.add(
          .error, .badConfiguration, error.shown, at: site.configurationFile,
          reason: "the LMTP service does not start, so all mail for it is deferred",
          remedy: .advice("correct that line"))
      }
    }
    for use in lmtp {
      let entry = Entry(site: site, postfix: postfix, service: use.service)
      // All entries share one service, which has its connections once.
      let connections = use == lmtp.first ? connections : nil
      found.append(LMTPCheck(entry, use, settings, connections: connections).findings())
      if !found.hasTrouble(since: count) {
        found.good("the entry \(use.service.name) in \(directory)/master.cf is right")
      }
    }
  }

  private mutating func checkMailComes(_ postfix: PostfixDirectory) throws(ConfigurationError) {
    let destinations = entries.map { Transport($0.name, to: "") } + lmtp.map(\.transport)
    let transport = try postfix.value(of: "virtual_transport") ?? ""
    let now = Transport(transport)
    func isHere(_ destination: Transport) -> Bool {
      // pipe(8) has no use for a nexthop.
      guard let use = lmtp.first(where: { $0.service.name == now.name }) else { return destination.name == now.name }
      return destination.name == now.name && use.nexthops.contains(now.nexthop)
    }
    guard let own = destinations.first(where: isHere) else {
      let strays = lmtp.contains { $0.service.name == now.name }
      let right = destinations.first { $0.name == now.name } ?? destinations[0]
      return found.add(
        strays ? .error : .notice, .noMail,
        "virtual_transport is \(transport.isEmpty ? "empty" : transport), not \(right.text)",
        at: "\(postfix.path)/main.cf",
        reason: strays
          ? "lmtp(8) looks for a server elsewhere"
          : "mail arrives here only for domains that transport_maps sends here",
        remedy: .run(postfix.postconf("-e", "virtual_transport=\(right.text)"), postfix.reload))
    }
    let count = found.findings.count
    let routes = TransportRoutes(postfix, Survey(postfix.path))
    for name in postfix.virtualTransports {
      for route in try routes.routes(to: name, instead: own) { check(route, own) }
    }
    for other in try postfix.otherTransports(instead: own) {
      found.add(
        .warning, .noMail, "\(other.parameter) is \(other.value), which is virtual(8)", at: "\(postfix.path)/main.cf",
        reason: "mail that it delivers has no quota",
        remedy: .run(postfix.postconf("-e", "\(other.parameter)=\(other.changed)"), postfix.reload))
    }
    if !found.hasTrouble(since: count) { found.good("virtual_transport is \(transport)") }
  }

  /// An entry in transport_maps for a domain overrides virtual_transport.
  private mutating func check(_ route: TransportRoute, _ own: Transport) {
    switch route.domains {
    case .failure(let failure):
      found.skip(
        "whether \(route.table) sends domains to virtual", because: failure.text)
    case .success(let domains) where domains.count == 0: break
    case .success(let domains):
      let noun = route.parameter == "transport_maps" ? "domain" : "user"
      let count = domains.count == 1 ? "a \(noun) uses" : "\(domains.count) \(noun)s use"
      found.add(
        .warning, .noMail, "\(count) virtual(8) (\(domains.example))", at: "\(route.table) in \(route.parameter)",
        reason: "that goes to virtual(8), so there is no quota",
        remedy: remedy(route.change) ?? .advice("write \(own.field) instead of virtual:"))
    }
  }

  /// Postfix notices a changed database by itself, not a changed text.
  private func remedy(_ change: TransportRoute.Change?) -> Remedy? {
    guard case .commands(let there, _)? = change, case .success(let postfix) = site.postfix else {
      return change?.remedy
    }
    return .run(there + [postfix.reload])
  }

  /// Parameters that smtpd and the queue manager read from main.cf, and a delivery from ullage.cf.
  private mutating func checkValues(_ postfix: PostfixDirectory) throws(ConfigurationError) {
    guard let settings = site.settings else { return }
    let shared: [(parameter: Parameter, ours: String, reason: String)] = [
      (.virtual_mailbox_base, settings.mailboxBase.text, "the way back to virtual(8) leads to other Maildirs"),
      (
        .message_size_limit, "\(settings.messageSizeLimit)",
        "limits below it apply only with virtual_mailbox_limit_override = yes, so both must be the same"
      ),
      (
        .recipient_delimiter, settings.recipientDelimiter.text,
        "mail to user+extension is deferred or refused, or goes to another mailbox"
      ),
    ]
    for (parameter, ours, reason) in shared {
      let name = parameter.rawValue
      guard let theirs = try postfix.value(of: name) else { continue }
      // virtual(8)'s entry may override it with -o; ullage.cf may have been generated from that.
      var all = [theirs]
      for service in postfix.master.services(running: "virtual") {
        if let value = try postfix.value(of: name, for: service) { all.append(value) }
      }
      if all.contains(where: { Self.isSame(parameter, $0, ours) }) { continue }
      // Some sites no longer have virtual(8), nor a base in main.cf.
      guard parameter != .virtual_mailbox_base || !theirs.isEmpty else { continue }
      if parameter == .message_size_limit, !lmtp.isEmpty, Self.isBelow(ours, theirs) {
        found.add(
          lmtp.contains(where: \.isUsed) ? .error : .warning, .otherValue,
          "\(name) is \"\(theirs)\" for Postfix and \"\(ours)\" here", at: "\(directory)/main.cf",
          reason: "the LMTP service takes no larger message, which is deferred until it is returned; it reads the new"
            + " value when it is reloaded: systemctl reload ullaged-lmtp",
          remedy: .set(name, theirs))
        continue
      }
      found.add(
        // Not the reverse: a delivery then finds what Postfix accepts.
        parameter == .recipient_delimiter && !theirs.isEmpty ? .error : .warning, .otherValue,
        "\(name) is \"\(theirs)\" for Postfix and \"\(ours)\" here",
        at: "\(directory)/main.cf", reason: reason,
        remedy: parameter == .virtual_mailbox_base
          ? .advice("set the same directory in both, unless virtual(8) is not used any more") : .set(name, theirs))
    }
  }

  /// Zero means no limit, in both files.
  private static func isBelow(_ ours: String, _ theirs: String) -> Bool {
    guard let ours = Int64(ours), ours > 0, let theirs = Int64(theirs) else { return false }
    return theirs == 0 || ours < theirs
  }

  private static func isSame(_ parameter: Parameter, _ theirs: String, _ ours: String) -> Bool {
    parameter == .virtual_mailbox_base
      ? PostfixDirectory.absolute(theirs) == PostfixDirectory.absolute(ours) : theirs == ours
  }
}
