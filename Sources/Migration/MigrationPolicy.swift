// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Posix
import Site
import Text

/// What the policy service needs from main.cf, and how Postfix is made to ask it.
extension Migration {
  /// The lines for ullage.cf, with every `$name` replaced; empty if they would not be valid.
  func policyLines() throws(ConfigurationError) -> [(name: String, value: [UInt8])] {
    var lines: [(name: String, value: [UInt8])] = []
    let copied = CopiedParameters(of: postfix, survey)
    for parameter in AliasSettings.copied {
      guard let value = try copied.value(of: parameter) else { continue }
      let isDefault = try copied.isDefault(value, of: parameter)
      guard AliasSettings.required.contains(parameter) || !isDefault else { continue }
      lines.append((parameter.rawValue, Array(value.replacing(UInt8(ascii: "$"), with: "$$").utf8)))
    }
    let text = lines.flatMap { Array("\($0.name) = ".utf8) + $0.value + [UInt8(ascii: "\n")] }
    do { _ = try PolicySettings(ConfigurationFile(parsing: text)) } catch { return [] }
    return lines
  }

  /// How to switch refusals at RCPT on, for a trial and for good, and off again.
  mutating func addPolicySteps() throws(ConfigurationError) {
    let name = "smtpd_recipient_restrictions"
    let list = try postfix.value(of: name) ?? ""
    guard !PolicyRestriction.items(list).contains(where: { $0.contains("ullage-policy") }) else {
      return difference(name, "asks the policy service already")
    }
    func set(isDryRun: Bool) -> Command {
      postfix.postconf("-e", "\(name)=\(PolicyRestriction.inserted(into: list, isDryRun: isDryRun))")
    }
    let others = otherSmtpd(list)
    let grants = commandsToReadPolicyTables.map(\.line)
    if !grants.isEmpty {
      plan.policySteps.append(
        .init(
          "For the policy service below, let \(plan.user) read the tables of aliases and domains, too"
            + " (unless the lookup service reads them).", grants))
    }
    plan.policySteps += [
      .init(
        "To refuse mail for full mailboxes while the sender is connected, instead of bouncing it (ullaged(8)):"
          + " at first only log what would be refused.",
        commands(toStart: "policy", at: PolicyRestriction.endpoint) + others.map(\.line)
          + [set(isDryRun: true).line, postfix.reload.line]),
      .init("For good, when the log looks right.", [set(isDryRun: false).line, postfix.reload.line]),
      .init(
        "Off again.",
        [
          (postfix.main.entries[name].map { postfix.postconf("-e", "\(name)=\($0.value.text)") }
            ?? postfix.postconf("-X", name)).line, postfix.reload.line,
        ]),
    ]
  }

  /// The commands that let the policy service, which runs as the mail user, read what deliveries do not: without its
  /// tables it refuses nothing.
  private var commandsToReadPolicyTables: [Command] {
    guard let user = User(ofEntry: plan.user) else { return [] }
    let policy: PolicySettings
    do { policy = try PolicySettings(ConfigurationFile(parsing: plan.configuration)) } catch { return [] }
    return TableFiles.commands(toLet: user, read: TableFiles.files(of: policy)).filter { command in
      !plan.steps.contains { $0.commands.contains(command.line) }
    }
  }

  /// Other smtpd(8) services keep the list that they have: a mail program gives up the whole message if one recipient
  /// is refused, and mail that comes back from a filter has been accepted already.
  private func otherSmtpd(_ list: String) -> [Command] {
    let name = "smtpd_recipient_restrictions"
    return postfix.master.services(running: "smtpd").compactMap { service in
      guard service.type == "inet", !["smtp", "25"].contains(service.name.split(separator: ":").last ?? ""),
        service.overrides[name] == nil
      else { return nil }
      // Without blanks, which Postfix before 3.0 cannot have there.
      let value = PolicyRestriction.items(list).joined(separator: ",")
      return postfix.postconf("-P", "\(service.name)/inet/\(name)=\(value)")
    }
  }
}
