// SPDX-License-Identifier: Apache-2.0
package import Mailboxes
package import Maildir
package import Posix
import Text

/// Why a message could not be delivered now. Every case defers it.
package enum DeliveryError: ExplainedError, Equatable {
  case mailbox(MailboxError)
  /// No table has the address, perhaps only because recipient_delimiter is wrong.
  case unsplitExtension(UnsplitExtension)
  /// What is wrong with the Maildir, and the directories below the base that lead to it.
  case maildir(MaildirError, [Path])
  case input(SystemError)
  case emptyInput
  /// The program that was writing the message to us has exited.
  case inputCut
  /// The message is larger than `message_size_limit`, in bytes, and it came from a client that Postfix's limit did not
  /// keep from sending it.
  case largerThanSizeLimit(Int64)
  /// No thread has delivered it in time, and none will.
  case notInTime

  package var verdict: Verdict { .trouble(code) }

  private var code: Verdict.StatusCode {
    switch self {
    case .mailbox(let error): error.isTemporary ? .systemProblem : .badConfiguration
    case .maildir(let error, _): Self.code(for: error)
    case .unsplitExtension, .largerThanSizeLimit: .badConfiguration
    case .input, .emptyInput, .inputCut, .notInTime: .systemProblem
    }
  }

  private static func code(for error: MaildirError) -> Verdict.StatusCode {
    switch error {
    case .baseMissing, .baseEmpty, .foreignSymlink, .symlinkInside, .notADirectory, .missing, .missingPart, .unmade,
      .wrongOwner,
      .ledgerIsDirectory:
      .badConfiguration
    case .system(let error): code(for: error.number)
    case .replaced, .ledgerUnsteady, .appendedInPart, .countUnfinished, .possibleDuplicate: .systemProblem
    }
  }

  private static func code(for number: Int32) -> Verdict.StatusCode {
    switch number {
    case Errno.ENOSPC, Errno.EDQUOT, Errno.EFBIG, Errno.EMLINK: .storageFull
    case Errno.EACCES, Errno.EPERM, Errno.EROFS, Errno.EXDEV: .badConfiguration
    default: .systemProblem
    }
  }

  package var sentence: [UInt8] {
    switch self {
    case .mailbox(let error): error.sentence
    case .unsplitExtension(let error): error.sentence
    case .maildir(let error, let path):
      path.flatMap { $0.bytes + [UInt8(ascii: "/")] } + Array(": ".utf8) + error.sentence
        + Array(Self.remedy(for: error).utf8)
    case .input(let error) where error.number == Errno.ETIMEDOUT:
      Array("the message did not arrive within delivery_time_limit".utf8)
    case .input(let error): error.sentence
    case .emptyInput: Array("the message is empty; pipe(8) ended before it wrote any of it".utf8)
    case .largerThanSizeLimit(let limit):
      Array(
        """
        the message is larger than message_size_limit, \(limit) bytes; set it as main.cf does \
        (postconf message_size_limit)
        """.utf8)
    case .notInTime:
      Array(
        """
        not delivered within delivery_time_limit: the file system does not answer, or the deliveries before it take \
        too long
        """.utf8)
    case .inputCut: Array("the program writing the message is gone; the part that arrived was discarded".utf8)
    }
  }

  private static func remedy(for error: MaildirError) -> String {
    switch error {
    case .baseEmpty: "; to start with an empty base, set mailbox_base_may_be_empty = yes"
    case .foreignSymlink(let path):
      "; if mail should go there, make root its owner: chown -h root \(shellWord(path.text))"
    case .symlinkInside: "; replace it with a real directory"
    case .wrongOwner: "; this entry of master.cf runs as uid \(CurrentProcess.effectiveUser)"
    case .ledgerIsDirectory: "; remove it, and the next delivery creates the file"
    case .countUnfinished: "; raise recount_time_limit in ullage.cf if the mailbox is that large"
    default: ""
    }
  }
}
