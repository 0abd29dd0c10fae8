// SPDX-License-Identifier: Apache-2.0
import Audit
import Mailboxes
import Maildir
import Posix
import Site
import Sweep
import Tables
import Text

/// Why a command failed, and the exit status for it.
struct CommandError: ExplainedError {
  let status: Int32
  let sentence: [UInt8]

  init(_ status: Int32, _ sentence: [UInt8]) {
    self.status = status
    self.sentence = sentence
  }

  /// - Parameter text: what happened, why, what to do.
  init(_ status: Int32, _ text: String) {
    self.init(status, Array(text.utf8))
  }

  /// Most likely the domain is misspelt.
  static func noMailboxes(in domain: String) -> CommandError {
    CommandError(ExitStatus.noUser, "--domain \(domain): mailbox_list_query lists no mailbox of it")
  }

  /// The status for an error of a library.
  init(_ error: any Error) {
    guard let error = error as? any ExplainedError else {
      self.init(ExitStatus.inputOutput, "\(error)")
      return
    }
    self.init(Self.status(of: error), error.sentence)
  }

  private static func status(of error: any ExplainedError) -> Int32 {
    switch error {
    case let error as CommandError: error.status
    case let error as TableError: error.kind == .configuration ? ExitStatus.configuration : ExitStatus.tryAgain
    case is SettingsError, is PostfixError: ExitStatus.configuration
    case let error as SweepError:
      switch error {
      case .lookup(_, let error): error.isTemporary ? ExitStatus.tryAgain : ExitStatus.configuration
      case .badDirectory: ExitStatus.usage
      }
    case let error as AuditStateError: error.isMistake ? ExitStatus.configuration : ExitStatus.tryAgain
    case is MaildirError: ExitStatus.tryAgain
    case let error as SystemError: error.call == .write ? ExitStatus.inputOutput : ExitStatus.tryAgain
    default: ExitStatus.inputOutput
    }
  }
}
