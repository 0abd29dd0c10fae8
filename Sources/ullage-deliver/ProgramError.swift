// SPDX-License-Identifier: Apache-2.0
import Configuration
import Posix
import Text

/// Why no delivery could begin: a mistake in master.cf or ullage.cf. Every case defers the message.
enum ProgramError: ExplainedError {
  case usage(UsageError)
  /// The file, the line if a single one is at fault, and what is wrong.
  case configuration(file: [UInt8], line: Int?, message: String)
  case unreadableConfiguration(SystemError)
  case startedAsRoot
  case belowMinimumUser(UInt32)

  var sentence: [UInt8] {
    switch self {
    case .usage(let error): error.sentence
    case .configuration(let file, let line, let message):
      file + Array("\(line.map { ", line \($0)" } ?? ""): \(message)".utf8)
    case .unreadableConfiguration(let error): error.sentence + Array(Self.remedy(for: error.number).utf8)
    case .startedAsRoot: Array("started as root; set the mail user in master.cf, such as user=vmail".utf8)
    case .belowMinimumUser(let user):
      Array("started as uid \(user), below virtual_minimum_uid; change user= in master.cf or that parameter".utf8)
    }
  }

  private static func remedy(for number: Int32) -> String {
    switch number {
    case Errno.EACCES: " (as uid \(CurrentProcess.effectiveUser)); let the mail user read it"
    case Errno.EBUSY: "; it kept changing while it was read"
    default: "; it must be a file of at most 1 MB; see --config= in master.cf"
    }
  }
}
