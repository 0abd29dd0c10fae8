// SPDX-License-Identifier: Apache-2.0
import Delivery
import LMTP
import Posix
import Text

/// One message and its recipients. Used on the event loop only.
final class Transaction {
  let progress = Progress()
  /// For the lookups of all recipients together: Postfix sends them at once, and waits for the first reply as long as
  /// it would for one.
  let searchDeadline = Deadline(secondsFromNow: 60)
  private let state: LMTPService.State
  /// Each address once.
  private var recipients: [RecipientSearch] = []
  /// Where `recipients` has an address, in lower case.
  private var places: [[UInt8]: Int] = [:]
  /// For each RCPT that was accepted, which of `recipients` it names: one that comes twice gets one copy and two
  /// replies (RFC 2033 §4.2).
  private var accepted: [Int] = []
  private var replies: [Int: LMTPSession.Reply] = [:]
  /// The search whose result is awaited.
  private var search: RecipientSearch?
  /// What threads work on, as soon as the message arrives and until every recipient has its reply.
  private var copies: MessageCopies?

  init(_ state: LMTPService.State) {
    self.state = state
  }

  func index(of number: Int) -> Int { accepted[number] }

  func mailbox(of number: Int) -> [UInt8]? { recipients[accepted[number]].mailbox }

  /// Nil if there are several.
  var soleMailbox: [UInt8]? { recipients.count == 1 ? recipients[0].mailbox : nil }

  /// Whether an address has been accepted before.
  func acceptAgain(_ address: [UInt8]) -> Bool {
    guard let index = places[foldCase(address)] else { return false }
    accepted.append(index)
    return true
  }

  func search(for address: [UInt8], _ message: LMTPSession.Message) -> RecipientSearch {
    let search = RecipientSearch(Recipient(address, message.queueID), state.delivery, progress)
    self.search = search
    return search
  }

  /// Accepts the recipient that was searched for.
  func accept() {
    guard let search else { return }
    places[foldCase(search.recipient.address)] = recipients.count
    accepted.append(recipients.count)
    recipients.append(search)
  }

  func copies(of message: LMTPSession.Message) -> MessageCopies {
    if let copies { return copies }
    let new = MessageCopies(state, for: recipients, queueID: message.queueID, progress)
    copies = new
    return new
  }

  /// What lets go of a message that is not delivered any more, nil without one. A thread calls it: to close the files
  /// may take as long as a file system likes.
  func abandon() -> (@Sendable () -> Void)? {
    guard copies != nil else { return nil }
    let rest = Rest(copies)
    copies = nil
    return { rest.copies = nil }
  }

  /// `@unchecked Sendable`: the event loop makes it, and one thread empties it.
  private final class Rest: @unchecked Sendable {
    var copies: MessageCopies?

    init(_ copies: MessageCopies?) { self.copies = copies }
  }

  /// The reply if the recipient has had one.
  func reply(for number: Int) -> LMTPSession.Reply? { replies[accepted[number]] }

  func take(_ reply: LMTPSession.Reply, for number: Int) {
    replies[accepted[number]] = reply
    if replies.count == recipients.count { copies = nil }
  }

  /// Logs that a recipient could not be served in time.
  func fail(_ recipient: Recipient) -> LMTPSession.Reply {
    .verdict(LMTPReply(state.delivery.fail(.notInTime, recipient)))
  }

  func fail(_ number: Int, _ message: LMTPSession.Message) -> LMTPSession.Reply {
    fail(Recipient(recipients[accepted[number]].recipient.address, message.queueID))
  }
}

extension Recipient {
  /// - Parameter original: the address before aliases, as far as the message tells.
  init(_ address: [UInt8], _ queueID: [UInt8], original: [UInt8] = []) {
    self.init(address: address, addressExtension: nil, originalAddress: original, queueID: queueID, queueSize: [])
  }
}

extension LMTPReply {
  init(_ verdict: Verdict) {
    switch verdict {
    case .delivered: self.init(250, verdict.code.rawValue, Array("Delivered".utf8))
    case .refused(let code, let text): self.init(code == .noSuchMailbox ? 550 : 552, code.rawValue, text)
    case .deferred(let code, let text): self.init(code == .overQuota ? 452 : 451, code.rawValue, text)
    }
  }
}
