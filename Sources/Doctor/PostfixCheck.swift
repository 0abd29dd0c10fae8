// SPDX-License-Identifier: Apache-2.0
import Configuration
import Postfix

/// main.cf and master.cf, as far as deliveries go by them.
struct PostfixCheck {
  let directory: String
  let postfix: Result<PostfixDirectory, PostfixError>
  let entries: [MasterService]
  let settings: Settings?
  let configurationFile: String
  /// Of the database that deliveries ask, nil when they ask none or it is not known.
  let connections: ConnectionLimits?

  func run(_ report: inout CheckReport) {
    let postfix: PostfixDirectory
    do { postfix = try self.postfix.get() } catch {
      return report.add(
        .error, .postfixDirectory, error.text, at: directory, reason: "how Postfix calls us cannot be looked at",
        remedy: "ullage check --postfix=DIR")
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
    checkMailComes(postfix, &report)
    checkValues(postfix, &report)
  }

  private func checkMailComes(_ postfix: PostfixDirectory, _ report: inout CheckReport) {
    let names = entries.map(\.name)
    func value(_ name: String) -> String { (try? postfix.value(of: name)) ?? "" }
    let uses = ["virtual_transport", "mailbox_transport", "local_transport", "default_transport", "transport_maps"]
    if names.contains(where: { name in value("virtual_transport").split(separator: ":").first == name[...] }) {
      return report.good("virtual_transport is \(value("virtual_transport"))")
    }
    let isUsed = uses.contains { use in names.contains { value(use).contains($0) } }
    guard !isUsed else { return }
    report.add(
      .notice, .noMail, "virtual_transport is \(value("virtual_transport")), not \(names[0])",
      at: "\(directory)/main.cf",
      reason: "mail comes here only for domains whose transport_maps say so",
      remedy: "postconf\(postfix.option) -e virtual_transport=\(names[0]) && postfix\(postfix.option) reload")
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
      guard let theirs = try? postfix.value(of: name), theirs != ours else { continue }
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
}
