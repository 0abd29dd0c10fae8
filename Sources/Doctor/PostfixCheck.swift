// SPDX-License-Identifier: Apache-2.0
import Configuration
import Migration
import Postfix
import Text

/// main.cf and master.cf, as far as deliveries depend on them.
struct PostfixCheck {
  let directory: String
  let postfix: Result<PostfixDirectory, PostfixError>
  let entries: [MasterService]
  /// The entries that read another ullage.cf.
  let others: [MasterService]
  let settings: Settings?
  let configurationFile: String
  /// Connections to the database that deliveries query, nil if they query none or the number is unknown.
  let connections: Int64?

  func run(_ report: inout CheckReport) {
    let postfix: PostfixDirectory
    do { postfix = try self.postfix.get() } catch {
      if error.isDenied {
        return report.skip("Postfix's entry", because: error.shown, remedy: "run it as root")
      }
      return report.add(
        .error, .postfixDirectory, error.shown, at: directory, reason: "how Postfix calls Ullage is unknown",
        remedy: error.isInFile ? "correct that line" : "ullage check --postfix=DIR")
    }
    guard !entries.isEmpty else {
      return report.add(
        .error, .noEntry, "no entry runs ullage-deliver", at: "\(directory)/master.cf", reason: "no mail arrives here",
        remedy: "ullage migrate --from \(directory) --dry-run prints the command; see ullage-deliver(8)")
    }
    for entry in entries {
      let count = report.diagnoses.count
      EntryCheck(
        postfix: postfix, entry: entry, settings: settings, configurationFile: configurationFile,
        connections: connections
      ).run(&report)
      if !report.hasTrouble(since: count) { report.good("the entry \(entry.name) in \(directory)/master.cf is right") }
    }
    for other in others {
      let file = EntryCheck.configurationFile(of: other)
      report.add(
        .notice, .otherEntry, "the entry \(other.name) reads \(file)",
        at: "\(postfix.path)/master.cf, line \(other.line)",
        reason: "it was not checked", remedy: postfix.checkCommand(file))
    }
    checkMailComes(postfix, &report)
    checkValues(postfix, &report)
  }

  private func checkMailComes(_ postfix: PostfixDirectory, _ report: inout CheckReport) {
    let names = entries.map(\.name)
    let transport = (try? postfix.value(of: "virtual_transport")) ?? ""
    guard let own = names.first(where: { transport.split(separator: ":").first == $0[...] }) else {
      return report.add(
        .notice, .noMail, "virtual_transport is \(transport), not \(names[0])", at: "\(postfix.path)/main.cf",
        reason: "mail arrives here only for domains that transport_maps sends here",
        remedy: "postconf\(postfix.option) -e virtual_transport=\(names[0]) && postfix\(postfix.option) reload")
    }
    let count = report.diagnoses.count
    let survey = TransportSurvey(postfix, Survey(postfix.path))
    for name in postfix.virtualTransports {
      for route in (try? survey.routes(to: name, instead: own)) ?? [] { check(route, own, &report) }
    }
    if !report.hasTrouble(since: count) { report.good("virtual_transport is \(transport)") }
  }

  /// An entry in transport_maps for a domain overrides virtual_transport.
  private func check(_ route: TransportSurvey.Route, _ own: String, _ report: inout CheckReport) {
    guard let count = route.count else {
      return report.skip(
        "whether \(route.table) sends domains to virtual", because: route.failure,
        remedy: route.statement?.there ?? "")
    }
    guard count > 0 else { return }
    report.add(
      .warning, .noMail, "\(count == 1 ? "a domain uses" : "\(count) domains use") virtual(8) (\(route.example))",
      at: "\(route.table) in transport_maps", reason: "it overrides virtual_transport, so there is no quota",
      remedy: route.statement?.there ?? route.command?.there ?? "write \(own): instead of virtual:")
  }

  /// Parameters that smtpd and the queue manager read from main.cf, and a delivery from ullage.cf.
  private func checkValues(_ postfix: PostfixDirectory, _ report: inout CheckReport) {
    guard let settings else { return }
    let shared: [(String, String)] = [
      ("virtual_mailbox_base", settings.mailboxBase.text),
      ("message_size_limit", "\(settings.messageSizeLimit)"),
      ("recipient_delimiter", settings.recipientDelimiter.text),
    ]
    for (name, ours) in shared {
      guard let theirs = try? postfix.value(of: name) else { continue }
      // virtual(8)'s entry may override it with -o; ullage.cf may have been generated from that.
      let all =
        [theirs] + postfix.master.services(running: "virtual").compactMap { try? postfix.value(of: name, for: $0) }
      if all.contains(where: { isSame(name, $0, ours) }) { continue }
      // Some sites no longer have virtual(8), nor a base in main.cf.
      guard name != "virtual_mailbox_base" || !theirs.isEmpty else { continue }
      let reason =
        name == "virtual_mailbox_base"
        ? "the way back to virtual(8) leads to other Maildirs"
        : name == "recipient_delimiter"
          ? "Postfix and deliveries take different parts of an address for its extension"
          : "limits below it apply only with virtual_mailbox_limit_override = yes, so both must be the same"
      report.add(
        .warning, .otherValue, "\(name) is \"\(theirs)\" for Postfix and \"\(ours)\" here", at: "\(directory)/main.cf",
        reason: reason, remedy: "set \(name) = \(theirs) in \(configurationFile)")
    }
  }

  private func isSame(_ name: String, _ theirs: String, _ ours: String) -> Bool {
    name == "virtual_mailbox_base"
      ? PostfixDirectory.absolute(theirs) == PostfixDirectory.absolute(ours) : theirs == ours
  }
}
