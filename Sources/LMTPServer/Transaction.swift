// SPDX-License-Identifier: Apache-2.0
import Configuration
import Delivery
import LMTP
import Mailboxes
import Posix
import Text

/// One message on its way to its recipients.
final class Transaction {
  let progress = Progress()
  private let state: LMTPService.State
  /// Each address once.
  private var recipients: [(recipient: Recipient, found: FoundMailbox)] = []
  /// For each RCPT that was accepted, which of `recipients` it names: one that comes twice gets one copy and two
  /// replies (RFC 2033 §4.2).
  private var accepted: [Int] = []
  private var verdicts: [Int: Verdict] = [:]
  private var message: (any IncomingMessage)?
  private var sizeLeft: Int64

  /// Bytes of the headers that Postfix adds after it has measured a message (lmtp(8), `flags`).
  private static let addedHeaders: Int64 = 4096

  init(_ state: LMTPService.State) {
    self.state = state
    let limit = state.settings.messageSizeLimit
    sizeLeft = limit == 0 ? .max : limit.addingReportingOverflow(Self.addedHeaders).partialValue
  }

  func mailbox(of recipient: Int) -> [UInt8] {
    recipients[accepted[recipient]].found.mailbox.components.flatMap { $0.bytes + [UInt8(ascii: "/")] }
  }

  /// Whether an address has been accepted before.
  func acceptAgain(_ address: [UInt8]) -> Bool {
    let key = foldCase(address)
    guard let index = recipients.firstIndex(where: { foldCase($0.recipient.address) == key }) else { return false }
    accepted.append(index)
    return true
  }

  /// - Returns: why the address is not accepted.
  func accept(_ address: [UInt8], _ message: LMTPSession.Message, until deadline: Deadline) -> Verdict? {
    let recipient = Recipient(address, message.queueID)
    switch state.delivery.find(recipient, until: deadline) {
    case .none(let verdict): return verdict
    case .mailbox(let found):
      accepted.append(recipients.count)
      recipients.append((recipient, found))
      return nil
    }
  }

  func store(_ bytes: [UInt8], _ message: LMTPSession.Message, until deadline: Deadline) -> LMTPSession.Reply {
    take(bytes, message, isLast: false, until: deadline)
    return .stored
  }

  /// The verdict if the recipient has had one.
  func verdict(for recipient: Int) -> Verdict? { verdicts[accepted[recipient]] }

  func deliver(
    to number: Int, _ bytes: [UInt8], _ envelope: LMTPSession.Message, until deadline: Deadline
  ) -> Verdict {
    if number == 0 { take(bytes, envelope, isLast: true, until: deadline) }
    let index = accepted[number]
    let (recipient, found) = recipients[index]
    let result = Result { () throws(DeliveryError) in
      guard let message else { throw .largerThanSizeLimit(state.settings.messageSizeLimit) }
      return try message.deliver(to: index, until: deadline, mayPublish: { progress.mayPublish() })
    }
    guard !progress.isGivenUp else { return DeliveryError.stuck.verdict }
    let verdict = state.delivery.conclude(result, recipient, found)
    verdicts[index] = verdict
    if number + 1 == accepted.count { message = nil }
    return verdict
  }

  /// Logs that a thread is stuck.
  func fail(_ recipient: Recipient) -> Verdict { state.delivery.fail(.stuck, recipient) }

  func fail(_ recipient: Int) -> Verdict { fail(recipients[accepted[recipient]].recipient) }

  private func take(
    _ bytes: [UInt8], _ envelope: LMTPSession.Message, isLast: Bool, until deadline: Deadline
  ) {
    if verdicts.isEmpty, message == nil, !isTooLarge { begin(bytes, envelope) }
    sizeLeft -= Int64(bytes.count)
    guard sizeLeft >= 0 else {
      // What has been stored goes with it; the rest is read and forgotten.
      message = nil
      return
    }
    message?.store(bytes, isLast: isLast, until: deadline)
  }

  private var isTooLarge: Bool { sizeLeft < 0 }

  private func begin(_ start: [UInt8], _ envelope: LMTPSession.Message) {
    let headers = TopHeaders(start[...])
    let queueID = envelope.queueID.isEmpty ? headers.queueID : envelope.queueID
    recipients = recipients.map {
      (Recipient($0.recipient.address, queueID, original: headers.originalRecipient), $0.found)
    }
    let targets = recipients.map { ($0.found.mailbox, header(for: $0.recipient)) }
    message =
      targets.count == 1
      ? SoleMessage(state, to: targets[0].0, adding: targets[0].1) : SharedMessage(state, to: targets)
  }

  private func header(for recipient: Recipient) -> DeliveredToHeader? {
    state.lmtp.writesDeliveredTo ? DeliveredToHeader(recipient.address) : nil
  }
}
