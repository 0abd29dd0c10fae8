// SPDX-License-Identifier: Apache-2.0
import Configuration
import Migration
import Postfix
import Text

/// main.cf and master.cf, as far as deliveries go by them.
struct PostfixCheck {
  let directory: String
  let postfix: Result<PostfixDirectory, PostfixError>
  let entries: [MasterService]
  /// Those that read another ullage.cf.
  let others: [MasterService]
  let settings: Settings?
  let configurationFile: String
  /// Of the database that deliveries ask, nil when they ask none or it is not known.
  let connections: Int64?

  func run(_ report: inout CheckReport) {
    let postfix: PostfixDirectory
    do { postfix = try self.postfix.get() } catch {
      if error.isDenied {
        return report.skip("Postfix's entry", because: error.shown, remedy: "run it as root")
      }
      return report.add(
        .error, .postfixDirectory, error.shown, at: directory, reason: "how Postfix calls us cannot be looked at",
        remedy: error.isInFile ? "correct that line" : "ullage check --postfix=DIR")
    }
    guard !entries.isEmpty else {
      return report.add(
        .error, .noEntry, "no entry runs ullage-deliver", at: "\(directory)/master.cf", reason: "no mail comes here",
        remedy: "ullage migrate --from \(directory) --dry-run prints the command; ullage-deliver(8)")
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
        reason: "it was not looked at", remedy: postfix.checkCommand(file))
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
        reason: "mail comes here only for domains that transport_maps send here",
        remedy: "postconf\(postfix.option) -e virtual_transport=\(names[0]) && postfix\(postfix.option) reload")
    }
    let count = report.diagnoses.count
    let survey = TransportSurvey(postfix, Survey(postfix.path))
    for name in postfix.virtualTransports {
      for route in (try? survey.routes(to: name, instead: own)) ?? [] { check(route, own, &report) }
    }
    if !report.hasTrouble(since: count) { report.good("virtual_transport is \(transport)") }
  }

  /// What transport_maps have for a domain outranks virtual_transport.
  private func check(_ route: TransportSurvey.Route, _ own: String, _ report: inout CheckReport) {
    guard let count = route.count else {
      return report.skip(
        "whether \(route.table) sends domains to virtual", because: route.failure,
        remedy: route.statement?.there ?? "")
    }
    guard count > 0 else { return }
    report.add(
      .warning, .noMail, "\(count == 1 ? "a domain goes" : "\(count) domains go") to virtual(8) (\(route.example))",
      at: "\(route.table) in transport_maps", reason: "it outranks virtual_transport, and they have no quota",
      remedy: route.statement?.there ?? route.command?.there ?? "write \(own): in the place of virtual:")
  }

  /// Parameters that smtpd and the queue manager read in main.cf and a delivery in ullage.cf.
  private func checkValues(_ postfix: PostfixDirectory, _ report: inout CheckReport) {
    guard let settings else { return }
    let shared: [(String, String)] = [
      ("virtual_mailbox_base", settings.mailboxBase.text),
      ("message_size_limit", "\(settings.messageSizeLimit)"),
      ("recipient_delimiter", settings.recipientDelimiter.text),
    ]
    for (name, ours) in shared {
      guard let theirs = try? postfix.value(of: name) else { continue }
      // virtual(8)'s own entry may have set another, from which this file was made.
      let all =
        [theirs] + postfix.master.services(running: "virtual").compactMap { try? postfix.value(of: name, for: $0) }
      if all.contains(where: { isSame(name, $0, ours) }) { continue }
      // Some have no virtual(8) any more, and no base in main.cf.
      guard name != "virtual_mailbox_base" || !theirs.isEmpty else { continue }
      let reason =
        name == "virtual_mailbox_base"
        ? "the way back to virtual(8) leads to other Maildirs"
        : name == "recipient_delimiter"
          ? "Postfix and deliveries take different parts of an address for its extension"
          : "limits below it hold only with virtual_mailbox_limit_override = yes, so both must have the same"
      report.add(
        .warning, .otherValue, "\(name) is \"\(theirs)\" for Postfix and \"\(ours)\" here", at: "\(directory)/main.cf",
        reason: reason, remedy: "write \(name) = \(theirs) into \(configurationFile)")
    }
  }

  private func isSame(_ name: String, _ theirs: String, _ ours: String) -> Bool {
    name == "virtual_mailbox_base"
      ? PostfixDirectory.absolute(theirs) == PostfixDirectory.absolute(ours) : theirs == ours
  }
}
