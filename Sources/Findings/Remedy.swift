// SPDX-License-Identifier: Apache-2.0
import Text

/// What to do about a finding, as a value: `RemedyText` turns it into what an administrator reads or pastes.
package enum Remedy: Sendable, Equatable, Codable {
  /// Recompute this mailbox, an address.
  case recompute(mailbox: String)
  /// The same once more: it was in use.
  case recomputeAgain(mailbox: String)
  /// The same, and make the IMAP server read the limit from the same database if the finding comes back.
  case recomputeAndAlign(mailbox: String)
  /// Commands, one after the other as long as each succeeds.
  case run([Command])
  /// Settings of ullage.cf.
  case set([Setting])
  /// Lines for the end of another program's configuration file, and the commands that make it read them.
  case append([String], file: String, [Command])
  /// A statement for the database.
  case sql(String)
  /// What only a person can do: a sentence without a capital at its start or a full stop at its end.
  case advice(String)
  /// A sentence, and the commands that go with it.
  case advise(String, [Command])

  /// A line of ullage.cf.
  package struct Setting: Sendable, Equatable, Codable {
    package let name: String
    package let value: String

    package init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  /// What comes before the command of `recomputeAndAlign`.
  package static let align =
    "recompute it, and if the limit comes back, make the IMAP server read it from the same database"

  package static func run(_ commands: Command...) -> Remedy { .run(commands) }
  package static func set(_ name: String, _ value: String) -> Remedy { .set([Setting(name, value)]) }

  /// Writes the addresses of PostfixAdmin's mailboxes in lower case.
  package static let lowerCase = sql("UPDATE mailbox SET username = lower(username) WHERE username <> lower(username);")
}

/// A command for a shell, as words that are not quoted yet.
package struct Command: Sendable, Equatable, Codable {
  package let words: [String]

  package init(_ words: String...) { self.words = words }
  package init(words: [String]) { self.words = words }

  /// For a shell: each word quoted where it needs it.
  package var line: String { words.map { shellWord($0) }.joined(separator: " ") }

  /// One line for a shell that stops at the first failure.
  package static func line(_ commands: [Command]) -> String { commands.map(\.line).joined(separator: " && ") }

  /// chown(1)
  ///
  /// - Parameter owner: `user` or `user:group`.
  package static func chown(_ owner: String, _ path: String) -> Command { Command("chown", owner, path) }

  /// chmod(1)
  package static func chmod(_ mode: String, _ path: String) -> Command { Command("chmod", mode, path) }

  /// Lets `user` read the files, and pass through the directories (setfacl(1)); none where there is nothing to do.
  package static func grant(_ user: String, files: [String], directories: [String] = []) -> [Command] {
    directories.map { Command("setfacl", "-m", "u:\(user):x", $0) }
      + (files.isEmpty ? [] : [Command(words: ["setfacl", "-m", "u:\(user):r"] + files)])
  }

  /// Starts units now and at each boot (systemctl(1)).
  package static func enable(_ units: String...) -> Command {
    Command(words: ["systemctl", "enable", "--now"] + units)
  }

  /// A line for a shell that appends lines to a file.
  ///
  /// The file's last line may have no end, so an empty one comes first.
  package static func line(appending lines: [String], to file: String) -> String {
    "printf '%s\\n' '' \(lines.map { shellWord($0) }.joined(separator: " ")) >> \(shellWord(file))"
  }
}
