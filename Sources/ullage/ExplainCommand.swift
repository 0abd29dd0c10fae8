// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Configuration
import Mailboxes
import Policy
import PolicyServer
import Posix
import Presentation
import Text

/// `ullage explain`
struct ExplainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain",
    abstract: "Show what ullaged policy decides about a recipient, and why.",
    usage: """
      ullage explain ADDRESS [--size SIZE] [--user NAME] [--format table|json] [--config FILE]
      """,
    discussion: """
      Shows each alias on the way, with the table that has it, the mailboxes that a message would go to, how full they \
      are, and the answer. Messages are counted where the service would count them; nothing is written.

      EXAMPLES:
        ullage explain you@example.org
        ullage explain all@example.org --size 5M

      EXIT STATUS: 0 not refused, 1 refused, 64 usage error, 78 something must be corrected first.
      """)

  @Argument(help: "The recipient, as a mail client would name it.")
  var address: String

  @Option(
    help: ArgumentHelp("The size that the client announces: bytes, or a number with K, M or G.", valueName: "size"))
  var size: Size?

  @Option(help: ArgumentHelp("The user that the service runs as; vmail if you are root.", valueName: "name"))
  var user: String?

  @Option(help: "table or json.")
  var format = Format.table

  @OptionGroup var configurationOption: ConfigurationOption

  enum Format: String, CaseIterable, ExpressibleByArgument {
    case table, json
  }

  /// A number of bytes.
  struct Size: ExpressibleByArgument {
    let bytes: Int64
    init?(argument: String) {
      guard let bytes = ByteSize.parse(argument) else { return nil }
      self.bytes = bytes
    }
  }

  func run() throws {
    try perform {
      let file = SettingsFile(configurationOption.file)
      let (settings, policy) = (try file.settings.get(), try file.policy.get())
      let judge = RecipientJudge(settings, policy, as: try credentials(), prefersTables: true, records: false)
      let deadline = Deadline(secondsFromNow: PolicyService.timeLimit)
      let judgement = judge.explain(Array(address.utf8), size: size?.bytes ?? 0, until: deadline)
      let answer = judge.answer(judgement.decision, [judgement], until: Deadline(secondsFromNow: 1))
      let explanation = Explanation(
        judgement, answer, size: size?.bytes ?? 0, hasExemptions: policy.hasExemptions)
      let printer = JudgementPrinter(to: .standard(), style: .standardOutput, now: .now)
      switch format {
      case .table: try printer.write(explanation)
      case .json: try printer.writeJSON(explanation)
      }
      return answer == .pass ? ExitStatus.done : 1
    }
  }

  /// Whose mailboxes the service can judge. Root acts as that user.
  private func credentials() throws -> Credentials {
    let isRoot = CurrentProcess.effectiveUser == 0
    guard isRoot || user != nil else { return .current }
    let name = user ?? "vmail"
    guard let user = User(ofEntry: name) else {
      throw CommandError(ExitStatus.usage, "\(User.unknown(name)); name the user of the mailboxes with --user")
    }
    guard isRoot || user.id == CurrentProcess.effectiveUser else {
      throw CommandError(ExitStatus.usage, "only root can look as another user")
    }
    guard user.id != 0, user.credentials.canAct else {
      throw CommandError(ExitStatus.usage, "root cannot act as \(name) here; run it as that user")
    }
    return user.credentials
  }
}
