// SPDX-License-Identifier: Apache-2.0
import Posix
import Sweep

extension MailboxReport.State {
  /// Why the work on a mailbox failed, a sentence for people; nil when it did not.
  var problem: String? {
    switch self {
    case .examined: nil
    case .absent: "there is no Maildir"
    case .broken(let text): text
    case .foreign(0): "it belongs to root: no work is done with root's rights; make the mail user its owner"
    case .foreign(let user) where CurrentProcess.effectiveUser == 0:
      "it belongs to \(User.name(of: user)) (uid \(user)), which is below virtual_minimum_uid"
    case .foreign(let user):
      "it belongs to \(User.name(of: user)) (uid \(user)); run ullage as that user or as root"
    case .failed(let text): text
    }
  }
}
