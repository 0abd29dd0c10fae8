// SPDX-License-Identifier: Apache-2.0
package import Mailboxes
import Text

/// Why a selection of mailboxes cannot be processed.
package enum SweepError: ExplainedError {
  /// The lookup of an address failed for a reason that is not this address's own.
  case lookup(address: String, MailboxError)
  /// A directory that cannot be a Maildir, and why.
  case badDirectory(String, String)

  package var sentence: [UInt8] {
    switch self {
    case .lookup(let address, let error): Array("\(address): ".utf8) + error.sentence
    case .badDirectory(let name, let reason): Array("--maildir \(name): \(reason)".utf8)
    }
  }
}
