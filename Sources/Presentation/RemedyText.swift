// SPDX-License-Identifier: Apache-2.0
import Configuration
package import Findings

/// Turns a remedy into what an administrator reads, or pastes into a shell.
package struct RemedyText: Sendable {
  private let configurationFile: String

  /// - Parameter configurationFile: the file that was used: the commands of `ullage` name it if it is not the default.
  package init(configurationFile: String) {
    self.configurationFile = configurationFile
  }

  /// - Parameter placeholder: what stands for a mailbox, where one remedy is printed for many.
  package func text(_ remedy: Remedy, placeholder: String? = nil) -> String {
    switch remedy {
    case .recompute(let mailbox): recompute(mailbox, placeholder)
    case .recomputeAgain(let mailbox): "it was in use; try again: \(recompute(mailbox, placeholder))"
    case .recomputeAndAlign(let mailbox): "\(Remedy.align): \(recompute(mailbox, placeholder))"
    case .run(let commands): line(commands)
    case .set(let settings): set(settings)
    case .append(let lines, let file, let commands):
      ([Command.line(appending: lines, to: file)] + commands.map(\.line)).joined(separator: " && ")
    case .sql(let statement): statement
    case .advice(let sentence): sentence
    case .advise(let sentence, let commands): "\(sentence): \(line(commands))"
    }
  }

  private func recompute(_ mailbox: String, _ placeholder: String?) -> String {
    // An address may begin with a hyphen.
    let operand = mailbox.hasPrefix("-") && placeholder == nil ? ["--", mailbox] : [placeholder ?? mailbox]
    return line([Command(words: ["ullage", "recompute"] + operand)])
  }

  private func line(_ commands: [Command]) -> String { Command.line(commands.map(configured)) }

  /// The command with the configuration file that it needs.
  private func configured(_ command: Command) -> Command {
    guard configurationFile != Ullage.configurationFile, command.words.first == "ullage",
      !command.words.contains(where: { $0.hasPrefix("--config=") || $0 == "migrate" })
    else { return command }
    var words = command.words
    words.insert("--config=\(configurationFile)", at: min(2, words.count))
    return Command(words: words)
  }

  /// The last line with a name applies.
  private func set(_ settings: [Remedy.Setting]) -> String {
    Command.line(appending: settings.map { "\($0.name) = \($0.value)" }, to: configurationFile)
  }
}
