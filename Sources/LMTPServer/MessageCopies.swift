// SPDX-License-Identifier: Apache-2.0
import Configuration
import Delivery
import LMTP
import Mailboxes
import Posix

/// A message on its way into the mailboxes of its recipients.
///
/// `@unchecked Sendable`: its calls come one after the other, in whatever threads; none comes after one that was given
/// up (`Progress`).
final class MessageCopies: @unchecked Sendable {
  private let state: LMTPService.State
  private let progress: Progress
  private var recipients: [(recipient: Recipient, found: FoundMailbox)]
  private let queueID: [UInt8]
  private var message: (any IncomingMessage)?
  private var hasBegun = false
  /// Bytes that the message may still have; negative if it has too many.
  private var sizeLeft: Int64

  /// Bytes of the headers that Postfix adds after it has measured a message (lmtp(8), `flags`).
  private static let addedHeaders: Int64 = 4096

  /// - Parameter queueID: empty if Postfix has not told it.
  init(_ state: LMTPService.State, for searches: [RecipientSearch], queueID: [UInt8], _ progress: Progress) {
    self.state = state
    self.progress = progress
    self.queueID = queueID
    recipients = searches.compactMap { search in search.found.map { (search.recipient, $0) } }
    let limit = state.settings.messageSizeLimit
    sizeLeft = limit == 0 || limit > .max - Self.addedHeaders ? .max : limit + Self.addedHeaders
  }

  /// Stores the next part of the message.
  func store(_ bytes: [UInt8], isLast: Bool, until deadline: Deadline) {
    if !hasBegun { begin(bytes) }
    sizeLeft -= Int64(bytes.count)
    // What has been stored goes with it; the rest is read and forgotten.
    if sizeLeft < 0 { message = nil }
    message?.store(bytes, isLast: isLast, until: deadline)
  }

  /// Delivers the message, of which all has arrived, and logs how that ended.
  func deliver(to index: Int, until deadline: Deadline) -> LMTPSession.Reply {
    let (recipient, found) = recipients[index]
    // The last one, as they are served in order: the files are closed in this thread.
    defer { if index == recipients.count - 1 { message = nil } }
    let result = Result { () throws(DeliveryError) in
      guard let message else { throw .largerThanSizeLimit(state.settings.messageSizeLimit) }
      return try message.deliver(to: index, until: deadline, mayPublish: { progress.mayConclude() })
    }
    // Otherwise the event loop has answered, and logged that. From here on it waits for what is logged here.
    guard progress.mayConclude() else { return .stored }
    return .verdict(LMTPReply(state.delivery.conclude(result, recipient, found)))
  }

  private func begin(_ start: [UInt8]) {
    hasBegun = true
    let headers = TopHeaders(start[...])
    let queueID = queueID.isEmpty ? headers.queueID : queueID
    recipients = recipients.map { recipient, found in
      (Recipient(recipient.address, queueID, original: headers.originalRecipient), found)
    }
    let targets = recipients.map { ($0.found.mailbox, header(for: $0.recipient)) }
    message =
      targets.count == 1
      ? SoleMessage(state.delivery.agent, to: targets[0].0, adding: targets[0].1)
      : SharedMessage(state.delivery.agent, to: targets)
  }

  private func header(for recipient: Recipient) -> DeliveredToHeader? {
    state.lmtp.writesDeliveredTo ? DeliveredToHeader(recipient.address) : nil
  }
}
