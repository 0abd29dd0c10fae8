// SPDX-License-Identifier: Apache-2.0
package import Posix
import Text

/// Why a Maildir could not be used. Every case defers the message.
package enum MaildirError: ExplainedError, Equatable, Sendable {
  case system(SystemError)
  /// The base directory is missing, or empty like an unmounted volume.
  case baseMissing, baseEmpty
  /// A symlink below the base is not owned by root; its path.
  case foreignSymlink([UInt8])
  /// `cur`, `new` or `tmp` of the Maildir is a symlink.
  case symlinkInside([UInt8])
  case notADirectory([UInt8])
  /// A directory is missing and may not be created.
  case missing([UInt8])
  /// The Maildir lacks `new` or `cur`, and it may not be created.
  case missingPart([UInt8])
  /// There is the directory, but neither `new` nor `cur` in it: a program has made it before the first delivery.
  case unmade
  /// The Maildir belongs to the user with this id.
  case wrongOwner(UInt32)
  /// The path leads to a different Maildir than when the delivery began.
  case replaced
  /// `maildirsize` is a directory.
  case ledgerIsDirectory
  /// Another program kept replacing `maildirsize`.
  case ledgerUnsteady
  case appendedInPart
  /// The messages could not be counted in time.
  case countUnfinished
  /// The message was published, but could be neither made durable nor removed.
  indirect case possibleDuplicate(because: MaildirError)

  package var sentence: [UInt8] {
    switch self {
    case .system(let error): error.sentence
    case .baseMissing: Array("virtual_mailbox_base does not exist".utf8)
    case .baseEmpty: Array("virtual_mailbox_base is empty: is its volume mounted?".utf8)
    case .foreignSymlink(let name): Array("symlink not owned by root in the path: ".utf8) + name
    case .symlinkInside(let name): Array("symlink inside the Maildir: ".utf8) + name
    case .notADirectory(let name): Array("not a directory: ".utf8) + name
    case .missing(let name): Array("there is no ".utf8) + name
    case .missingPart(let name): Array("there is no ".utf8) + name + Array(" in it".utf8)
    case .unmade: Array("there is neither new nor cur in it".utf8)
    case .wrongOwner(let owner): Array("the Maildir belongs to uid \(owner)".utf8)
    case .replaced: Array("the Maildir was replaced during the delivery".utf8)
    case .ledgerIsDirectory: Array("maildirsize is a directory".utf8)
    case .ledgerUnsteady: Array("another program kept replacing maildirsize".utf8)
    case .appendedInPart: Array("write maildirsize: only a part was written".utf8)
    case .countUnfinished: Array("the messages could not be counted in time".utf8)
    case .possibleDuplicate(let error):
      Array("possible duplicate, the message may remain in new/: ".utf8) + error.sentence
    }
  }
}
