// SPDX-License-Identifier: Apache-2.0
import Delivery
import LMTP
import Mailboxes
import Posix

/// The search for a recipient's mailbox.
///
/// `@unchecked Sendable`: one thread runs it, and what that finds is read after the event loop has taken its reply.
final class RecipientSearch: @unchecked Sendable {
  let recipient: Recipient
  private let delivery: RecipientDelivery
  private let progress: Progress
  private(set) var found: FoundMailbox?
  /// The directories below the base that lead to the Maildir; nil until it is found.
  private(set) var mailbox: [UInt8]?

  init(_ recipient: Recipient, _ delivery: RecipientDelivery, _ progress: Progress) {
    self.recipient = recipient
    self.delivery = delivery
    self.progress = progress
  }

  func run(until deadline: Deadline) -> LMTPSession.Reply {
    switch delivery.find(recipient, until: deadline, isAwaited: { progress.mayConclude() }) {
    case .none(let verdict): return .verdict(LMTPReply(verdict))
    case .mailbox(let found):
      self.found = found
      mailbox = found.mailbox.components.flatMap { $0.bytes + [UInt8(ascii: "/")] }
      return .accepted
    }
  }
}
