// SPDX-License-Identifier: Apache-2.0
import Configuration
package import Mailboxes
package import Maildir
package import Posix
import Text

/// Why a message could not be delivered now.
package enum DeliveryError: ExplainedError, Equatable {
  case usage(UsageError)
  /// The file, the line if it is one line's fault, and what is wrong.
  case configuration(file: [UInt8], line: Int?, message: String)
  case unreadableConfiguration(SystemError)
  case startedAsRoot
  case belowMinimumUser(UInt32)
  case mailbox(MailboxError)
  /// What is wrong with the Maildir, and the directories below the base that lead to it.
  case maildir(MaildirError, [Path])
  case input(SystemError)
  case emptyInput
  /// The program that was writing the message to us is gone.
  case inputCut
}

extension DeliveryError {
  package var deferral: Disposition.Deferral {
    switch self {
    case .usage, .configuration, .unreadableConfiguration, .startedAsRoot, .belowMinimumUser: .badConfiguration
    case .mailbox(let error): error.isTemporary ? .systemProblem : .badConfiguration
    case .maildir(let error, _): Self.deferral(for: error)
    case .input, .emptyInput, .inputCut: .systemProblem
    }
  }

  private static func deferral(for error: MaildirError) -> Disposition.Deferral {
    switch error {
    case .baseMissing, .baseEmpty, .foreignSymlink, .symlinkInside, .notADirectory, .missing, .wrongOwner,
      .ledgerIsDirectory:
      .badConfiguration
    case .system(let error): deferral(for: error.number)
    case .replaced, .ledgerUnsteady, .appendedInPart, .countUnfinished, .possibleDuplicate: .systemProblem
    }
  }

  private static func deferral(for number: Int32) -> Disposition.Deferral {
    switch number {
    case Errno.ENOSPC, Errno.EDQUOT, Errno.EFBIG, Errno.EMLINK: .storageFull
    case Errno.EACCES, Errno.EPERM, Errno.EROFS, Errno.EXDEV: .badConfiguration
    default: .systemProblem
    }
  }

  /// What happened and what to do about it, for the log.
  package var sentence: [UInt8] {
    switch self {
    case .usage(let error): error.sentence
    case .configuration(let file, let line, let message):
      file + Array("\(line.map { ", line \($0)" } ?? ""): \(message)".utf8)
    case .unreadableConfiguration(let error):
      error.sentence + Array(Self.cure(forConfiguration: error.number).utf8)
    case .startedAsRoot: Array("started as root; give the entry in master.cf a mail user: user=vmail".utf8)
    case .belowMinimumUser(let user):
      Array("started as uid \(user), below virtual_minimum_uid; change user= in master.cf or that parameter".utf8)
    case .mailbox(let error): error.sentence
    case .maildir(let error, let path):
      path.flatMap { $0.bytes + [UInt8(ascii: "/")] } + Array(": ".utf8) + error.sentence
        + Array(Self.cure(for: error).utf8)
    case .input(let error) where error.number == Errno.ETIMEDOUT:
      Array("the message did not arrive within delivery_time_limit".utf8)
    case .input(let error): error.sentence
    case .emptyInput: Array("the message is empty; pipe(8) died before it wrote any of it".utf8)
    case .inputCut: Array("the program that was writing the message is gone; what came of it was dropped".utf8)
    }
  }

  private static func cure(forConfiguration number: Int32) -> String {
    switch number {
    case Errno.EACCES: " (as uid \(CurrentProcess.effectiveUser)); let the mail user read it"
    case Errno.EBUSY: "; it was changed again and again while it was read"
    default: "; it must be a file of at most 1 MB; see --config= in master.cf"
    }
  }

  private static func cure(for error: MaildirError) -> String {
    switch error {
    case .baseEmpty: "; to begin with an empty base, set mailbox_base_may_be_empty = yes"
    case .foreignSymlink: "; make root its owner if mail shall go there: chown -h root"
    case .symlinkInside: "; put a real directory in its place"
    case .wrongOwner: ", this entry of master.cf runs as uid \(CurrentProcess.effectiveUser)"
    case .ledgerIsDirectory: "; remove it, the next delivery makes the file"
    case .countUnfinished: "; raise recount_time_limit in ullage.cf if the mailbox is that large"
    default: ""
    }
  }
}
