// SPDX-License-Identifier: Apache-2.0
import Aliases
import Configuration
import Findings
import Mailboxes
import Posix
import Site
import Tables
import Text

/// Whether smtpd(8) asks the policy service in the right place, whether that answers, and whether it expands aliases as
/// Postfix does. Nothing is found where nobody asks it.
struct PolicyCheck {
  private let site: Site
  private let postfix: PostfixDirectory
  private let survey: Survey
  private let file: SettingsFile
  private(set) var found = FindingList(.postfix)

  /// A list of restrictions that asks the service.
  private struct Use {
    let parameter: String
    /// The service whose `-o` sets the list; nil for main.cf.
    let service: MasterService?
    let items: [String]
    /// The argument of the restriction in `items`.
    let index: Int

    var endpoint: String { PolicyRestriction.service(items[index]).endpoint }
    var options: [String: String] { PolicyRestriction.service(items[index]).options }
  }

  private static let parameters = [
    "client", "helo", "sender", "relay", "recipient", "data", "end_of_data", "etrn",
  ].map { "smtpd_\($0)_restrictions" }
  private static let recipientList = "smtpd_recipient_restrictions"

  init(site: Site, postfix: PostfixDirectory) {
    self.site = site
    self.postfix = postfix
    survey = Survey(postfix.path)
    file = SettingsFile(site.configurationFile)
  }

  mutating func run() {
    let uses: [Use]
    // `PostfixCheck` reports values that Postfix cannot use.
    do { uses = try findUses() } catch { return }
    guard !uses.isEmpty else { return }
    let count = found.findings.count
    let configuration: ConfigurationFile
    let settings: PolicySettings
    do {
      configuration = try file.contents.get()
      settings = try file.policy.get()
    } catch {
      return found.add(
        .error, .badConfiguration, error.shown, at: site.configurationFile,
        reason: "the policy service does not start, so nothing is refused at RCPT", remedy: .advice("correct that line")
      )
    }
    var tables = PolicyTableCheck(site: site, policy: settings)
    tables.run()
    found.append(tables.found.findings)
    for use in uses {
      checkPlace(use)
      checkOptions(use)
      checkSocket(use)
    }
    checkParameters(configuration)
    checkAliases(settings)
    if !found.hasTrouble(since: count) { found.good("smtpd(8) asks the policy service in the right place") }
  }

  private func findUses() throws(ConfigurationError) -> [Use] {
    var uses: [Use] = []
    for parameter in Self.parameters {
      let services = postfix.master.services(running: "smtpd").filter { $0.overrides[parameter] != nil }
      for service in [nil] + services {
        let items = PolicyRestriction.items(try postfix.value(of: parameter, for: service) ?? "")
        for index in items.indices.dropFirst() where items[index - 1] == PolicyRestriction.name {
          let use = Use(parameter: parameter, service: service, items: items, index: index)
          if isOurs(use.endpoint) { uses.append(use) }
        }
      }
    }
    return uses
  }

  private func isOurs(_ endpoint: String) -> Bool {
    if endpoint.hasSuffix("/ullage-policy") { return true }
    guard case .success(let policy) = file.policy else { return false }
    if let port = policy.network.endpoint?.port, endpoint.hasSuffix(":\(port)") { return true }
    return policy.socket.map { $0.elementsEqual((survey.socket(of: endpoint) ?? "").utf8) } ?? false
  }

  private func effective(_ name: String) -> String? { survey.defaultValue(name)?.text }

  private func place(_ use: Use) -> String {
    use.service.map { "\(postfix.path)/master.cf, line \($0.line)" } ?? "\(postfix.path)/main.cf"
  }

  /// The list as it should be.
  private func remedy(_ use: Use) -> Remedy {
    guard use.service == nil, use.parameter == Self.recipientList else {
      return .advice("set it in \(use.parameter) there as ullaged(8) shows")
    }
    let list = PolicyRestriction.moved(in: use.items, from: use.index)
    return .run(postfix.postconf("-e", "\(use.parameter)=\(list)"), postfix.reload)
  }

  private mutating func checkPlace(_ use: Use) {
    guard use.parameter != "smtpd_end_of_data_restrictions" else { return }
    guard use.parameter == Self.recipientList else {
      return found.add(
        .warning, .policyPlace, "\(use.parameter) asks the policy service", at: place(use),
        reason: "there the service lets everything pass: it decides at RCPT and at the end of a message",
        remedy: .advice("move it to \(Self.recipientList)"))
    }
    let before = use.items[..<(use.index - 1)]
    if let end = before.first(where: { ["permit", "reject", "defer"].contains($0) }) {
      return found.add(
        .error, .policyPlace, "the policy service stands behind \"\(end)\"", at: place(use),
        reason: "it is never asked", remedy: remedy(use))
    }
    let isGuarded = before.contains { ["reject_unauth_destination", "defer_unauth_destination"].contains($0) }
    if !isGuarded, effective("smtpd_relay_before_recipient_restrictions") != "yes" {
      found.add(
        .warning, .policyPlace, "the policy service is asked before reject_unauth_destination", at: place(use),
        reason: "strangers learn which mailboxes are full, also where they may not send", remedy: remedy(use))
    } else if !before.contains("reject_unlisted_recipient") {
      found.add(
        .notice, .policyPlace, "the policy service is asked before reject_unlisted_recipient", at: place(use),
        reason: "it looks up every unknown recipient, too", remedy: remedy(use))
    }
  }

  private mutating func checkOptions(_ use: Use) {
    let action = use.options["default_action"] ?? effective("smtpd_policy_service_default_action") ?? ""
    if action.uppercased() != "DUNNO" {
      found.add(
        .error, .policyOptions, "the restriction has no default_action=DUNNO", at: place(use),
        reason: "while the service is down, all mail is deferred with 451 4.3.5", remedy: remedy(use))
    }
    if use.options["timeout"] == nil, effective("smtpd_policy_service_timeout") ?? "100s" == "100s" {
      found.add(
        .warning, .policyOptions, "the restriction has no timeout", at: place(use),
        reason: "if the service hangs, each recipient waits for 200 s", remedy: remedy(use))
    }
  }

  private mutating func checkSocket(_ use: Use) {
    guard let name = survey.socket(of: use.endpoint), let path = Path(name.utf8) else { return }
    let level = effective("compatibility_level") ?? ""
    let services = use.service.map { [$0] } ?? postfix.master.services(running: "smtpd")
    if use.endpoint.hasPrefix("unix:/"), let jailed = services.first(where: { $0.isChrooted(atLevel: level) }) {
      return found.add(
        .error, .policySocket, "the smtpd(8) called \(jailed.name) is chrooted and cannot reach \(use.endpoint)",
        at: "\(postfix.path)/master.cf, line \(jailed.line)", reason: "the service is never asked",
        remedy: .advice("let the service listen in private/ of the queue directory: \(PolicyRestriction.endpoint)"))
    }
    let probe = ServiceProbe(service: "policy", site: site)
    do throws(SystemError) {
      let answer = try probe.answer(at: path, to: "request=smtpd_access_policy\nprotocol_state=DATA\n\n")
      guard !answer.elementsEqual("action=DUNNO\n\n".utf8) else { return }
      found.add(
        .error, .policySocket, "what answers on \(name) is not the policy service", at: place(use),
        reason: "nothing is refused at RCPT", remedy: .advice("see who listens there"))
    } catch {
      if error.number == Errno.EACCES, CurrentProcess.effectiveUser != 0 {
        return found.skip("whether \(name) answers", because: "you may not connect to it", remedy: .runAsRoot)
      }
      found.add(
        .warning, .policySocket, error.shown, at: place(use),
        reason: "nothing is refused at RCPT until the service answers", remedy: probe.remedy(for: error))
    }
  }

  /// Parameters that say what becomes of a recipient: they are copied, so they may differ.
  private mutating func checkParameters(_ configuration: ConfigurationFile) {
    let copied = CopiedParameters(of: postfix, survey)
    for parameter in AliasSettings.copied {
      let (theirs, ours, mayBeUnset): (String, String, Bool)
      // `PostfixCheck` reports values that Postfix cannot use.
      do {
        guard let value = try copied.value(of: parameter) else { continue }
        theirs = value
        ours = try configuration.value(of: parameter).text
        mayBeUnset = try copied.isDefault(value, of: parameter)
      } catch { continue }
      if mayBeUnset, ours == parameter.definition.defaultText { continue }
      guard Self.items(theirs) != Self.items(ours) else { continue }
      found.add(
        .error, .policyParameters, "\(parameter.rawValue) is in effect \"\(theirs)\" for Postfix and \"\(ours)\" here",
        at: site.configurationFile, reason: "the policy service follows other aliases than Postfix",
        remedy: .set(parameter.rawValue, theirs.replacing(UInt8(ascii: "$"), with: "$$")))
    }
  }

  /// In their order, without `proxy:`.
  private static func items(_ list: String) -> [[UInt8]] {
    splitList(Array(list.utf8)).map { TableReference($0)?.behindProxy.text.utf8.map { $0 } ?? $0 }
  }

  /// How many addresses of each table are followed, and how many seconds that may take.
  private static let maxAddresses = 1000
  private static let timeLimit: Int64 = 15

  /// Aliases for which Postfix defers mail: those that lead back to themselves, above all.
  private mutating func checkAliases(_ settings: PolicySettings) {
    let deadline = Deadline(secondsFromNow: Self.timeLimit)
    let tables = PolicyTables(settings, TableSet(), .directly)
    var failures: [(address: [UInt8], failure: AliasExpansion.Failure)] = []
    var seen: Set<[UInt8]> = []
    for reference in settings.aliases.virtualAliasMaps {
      for address in addresses(in: reference.behindProxy).prefix(Self.maxAddresses)
      where !deadline.hasPassed && seen.insert(address).inserted {
        let expansion = AliasExpander.expand(address, settings.aliases, tables, until: deadline)
        guard case .failure(let failure) = expansion.result else { continue }
        switch failure {
        case .table, .notUnderstood, .unknownDomain: continue
        case .loop, .tooDeep, .tooMany, .tooLong, .emptyValue: failures.append((address, failure))
        }
      }
    }
    guard let first = failures.first else { return }
    let others =
      failures.count > 1 ? " (and \(quantity(failures.count - 1, "more address", plural: "more addresses")))" : ""
    found.add(
      .warning, .aliasLoop, "from \(displayText(first.address)): \(first.failure.shown)\(others)",
      at: "virtual_alias_maps",
      reason: "every message to it is deferred with 451 4.6.0",
      remedy: .advice("correct the aliases; ullage explain \(shellWord(displayText(first.address))) shows the way"))
  }

  private func addresses(in table: TableReference) -> [[UInt8]] {
    let keys: [String]
    if table.type == "pgsql" {
      guard case .success(let rows) = survey.ask(table, "SELECT address FROM alias WHERE active LIMIT 1000") else {
        return []
      }
      keys = rows.compactMap(\.first)
    } else {
      keys = survey.entries(table)?.map(\.key) ?? []
    }
    return keys.filter { $0.utf8.contains(UInt8(ascii: "@")) && !$0.hasPrefix("@") && !$0.hasPrefix("/") }
      .map { Array($0.utf8) }
  }
}
