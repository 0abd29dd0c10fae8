// SPDX-License-Identifier: Apache-2.0
import Delivery
package import LMTP
package import Posix

/// What becomes of the messages of one connection. Used on the event loop only, but for the work that it hands out.
///
/// A thread may hang with that work for as long as a file system likes, and is answered for meanwhile. So each piece of
/// work knows what it belongs to, and its result counts only when the event loop has taken it (`take`).
package final class LMTPConnection {
  private let service: LMTPService
  private var transaction: Transaction
  private var isGone = false

  package init(_ service: LMTPService) {
    self.service = service
    transaction = Transaction(service.current)
  }

  /// The mailbox that a request is for, if only so many are to be worked on at once.
  package func mailbox(of request: LMTPSession.Request) -> [UInt8]? {
    switch request {
    case .recipient: nil
    case .store: transaction.soleMailbox
    case .deliver(let number, _, _): transaction.mailbox(of: number)
    }
  }

  /// The reply if it is known without waiting.
  package func immediateReply(to request: LMTPSession.Request) -> LMTPSession.Reply? {
    if case .recipient(_, _, isFirst: true) = request { transaction = Transaction(service.current) }
    // What has been delivered stays so, whatever became of others after it.
    if case .deliver(let number, _, _) = request, let reply = transaction.reply(for: number) { return reply }
    if transaction.progress.isGivenUp { return lateReply(to: request) }
    if case .recipient(let address, _, _) = request, transaction.acceptAgain(address) { return .accepted }
    transaction.progress.begin()
    return nil
  }

  /// What finds the reply, by the deadline as far as the file system answers. It may be called in any thread, and late.
  package func work(on request: LMTPSession.Request) -> @Sendable (Deadline) -> LMTPSession.Reply {
    let progress = transaction.progress
    let work = newWork(on: request)
    // Whatever this gives then is not taken.
    return { progress.isGivenUp ? .stored : work($0) }
  }

  private func newWork(on request: LMTPSession.Request) -> @Sendable (Deadline) -> LMTPSession.Reply {
    switch request {
    case .recipient(let address, let message, _):
      let search = transaction.search(for: address, message)
      let limit = transaction.searchDeadline
      return { search.run(until: min($0, limit)) }
    case .store(let bytes, let message):
      let copies = transaction.copies(of: message)
      return { deadline in
        copies.store(bytes, isLast: false, until: deadline)
        return .stored
      }
    case .deliver(let number, let bytes, let message):
      let copies = transaction.copies(of: message)
      let recipient = transaction.index(of: number)
      return { deadline in
        if number == 0 { copies.store(bytes, isLast: true, until: deadline) }
        return copies.deliver(to: recipient, until: deadline)
      }
    }
  }

  /// Takes the reply that a thread has found, unless the request was answered in its place.
  package func take(_ reply: LMTPSession.Reply, to request: LMTPSession.Request) {
    switch request {
    case .recipient: if reply == .accepted { transaction.accept() }
    case .store: break
    case .deliver(let number, _, _): transaction.take(reply, for: number)
    }
  }

  /// The client gets no more replies, so it will send again what has not been delivered: nothing more is.
  package func clientIsGone() {
    isGone = true
    _ = transaction.progress.giveUp()
  }

  /// What a thread still has to do when nothing more is delivered of a message; nil if that is nothing.
  package func leftover() -> (@Sendable () -> Void)? {
    isGone || transaction.progress.isGivenUp ? transaction.abandon() : nil
  }

  /// The reply in place of a thread that has not found it; nil if the message may be in its mailbox already.
  package func lateReply(to request: LMTPSession.Request) -> LMTPSession.Reply? {
    guard transaction.progress.giveUp() else { return nil }
    return switch request {
    case .store: .stored
    case .recipient(let address, let message, _): transaction.fail(Recipient(address, message.queueID))
    case .deliver(let number, _, let message): transaction.fail(number, message)
    }
  }
}
