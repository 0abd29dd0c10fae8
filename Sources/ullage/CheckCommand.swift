// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Check
import Configuration
import Findings
import Posix
import Presentation
import Site
import Text

/// `ullage check`
struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Look for mistakes in everything that a delivery needs.",
    usage: """
      ullage check [OPTIONS]
      ullage check --defaults
      """,
    discussion: """
      Checks ullage.cf, the tables and their databases, Postfix's entry, the first mailboxes of the list, the IMAP \
      server's configuration, locks and clocks, and says how to correct each mistake. Nothing is changed. Run \
      it as root: it acts as the mail user where that matters.

      EXAMPLES:
        ullage check
        ullage check --postfix /etc/postfix-in --format json

      EXIT STATUS: 0 nothing but notices, 1 warnings, 2 errors, 64 usage error, 75 try again.
      """)

  @Option(help: ArgumentHelp("The directory with main.cf and master.cf.", valueName: "dir"))
  var postfix = PostfixDirectory.usual

  @Option(help: ArgumentHelp("Dovecot's configuration; /etc/dovecot/dovecot.conf if there is one.", valueName: "file"))
  var dovecot: String?

  @Option(
    help: ArgumentHelp("The directory with Courier's file imapd; /etc/courier if there is one.", valueName: "dir"))
  var courier: String?

  @Option(help: ArgumentHelp("The mail user; by default that of the entry in master.cf.", valueName: "name"))
  var user: String?

  @Option(help: ArgumentHelp("How many mailboxes of the list are checked.", valueName: "number"))
  var mailboxes = 100

  @Option(help: ArgumentHelp("A kind of finding to leave out; may be given several times.", valueName: "kind"))
  var ignore: [CheckKind] = []

  @Flag(help: "List all parameters of ullage.cf with their defaults, and do nothing else.")
  var defaults = false

  @Option(help: "table, json, jsonl or csv.")
  var format = OutputFormat.table

  @OptionGroup var configurationOption: ConfigurationOption

  func validate() throws {
    guard (0...100_000).contains(mailboxes) else { throw ValidationError("--mailboxes must be from 0 to 100000") }
    if let user, User(ofEntry: user) == nil { throw ValidationError("--user: \(User.unknown(user))") }
  }

  func run() throws {
    try perform {
      if defaults {
        try writeDefaults()
        return ExitStatus.done
      }
      var options = CheckRun.Options(
        configurationFile: PostfixDirectory.absolute(configurationOption.file),
        postfixDirectory: PostfixDirectory.absolute(postfix))
      options.dovecotFile = dovecot
      options.courierDirectory = courier
      options.user = user
      options.mailboxCount = mailboxes
      let findings = try CheckRun.findings(options).filter { finding in !ignore.contains { $0.kind == finding.kind } }
      if Interruption.received != 0 { return ExitStatus.signal(Interruption.received) }
      let remedies = RemedyText(configurationFile: options.configurationFile)
      try CheckPrinter(remedies, to: .standard(), style: .standardOutput).write(findings, as: format)
      if findings.contains(where: { $0.severity == .error }) { return 2 }
      return findings.contains { $0.severity == .warning } ? 1 : ExitStatus.done
    }
  }

  private func writeDefaults() throws {
    let output = Output.standard()
    let all =
      Parameter.allCases.map { ($0.rawValue, $0.definition.defaultText) }
      + ToolParameter.allCases.map { ($0.rawValue, $0.definition.defaultText) }
    for (name, text) in all { try output.write(Array("\(name) = \(text)".utf8).trimmingEnd.text + "\n") }
    try output.flush()
  }
}

/// A kind of finding that a check can leave out.
struct CheckKind: ExpressibleByArgument {
  let kind: FindingKind

  init?(argument: String) {
    guard let kind = FindingKind(rawValue: argument), FindingKind.ofCheck.contains(kind) else { return nil }
    self.kind = kind
  }

  static var allValueStrings: [String] { FindingKind.ofCheck.map(\.rawValue) }
}
