// SPDX-License-Identifier: Apache-2.0
import Delivery
package import LMTP
package import Posix
import Text

/// What becomes of the messages of one connection.
///
/// `@unchecked Sendable`: its requests come one at a time. `immediateReply` and `lateReply` are called on the event
/// loop, `reply` in any thread, each after the one before has returned. The exception is a request that was answered
/// late: its thread works on with a `Transaction` that nobody else touches from then on, but for its `Progress`.
package final class LMTPConnection: @unchecked Sendable {
  private let service: LMTPService
  private var transaction: Transaction

  package init(_ service: LMTPService) {
    self.service = service
    transaction = Transaction(service.current)
  }

  /// The mailbox that a request is for, if only so many are to be worked on at once.
  package func mailbox(of request: LMTPSession.Request) -> [UInt8]? {
    guard case .deliver(let recipient, _, _) = request else { return nil }
    return transaction.mailbox(of: recipient)
  }

  /// The reply if it is known without waiting.
  package func immediateReply(to request: LMTPSession.Request) -> LMTPSession.Reply? {
    if case .recipient(_, _, isFirst: true) = request { transaction = Transaction(service.current) }
    if transaction.progress.isGivenUp { return lateReply(to: request) }
    switch request {
    case .recipient(let address, _, _): return transaction.acceptAgain(address) ? .accepted : nil
    case .store: return nil
    case .deliver(let recipient, _, _):
      transaction.progress.begin()
      return transaction.verdict(for: recipient).map { .verdict(LMTPReply($0)) }
    }
  }

  /// The reply, found by `deadline` as far as the file system answers.
  package func reply(to request: LMTPSession.Request, until deadline: Deadline) -> LMTPSession.Reply {
    switch request {
    case .recipient(let address, let message, _):
      transaction.accept(address, message, until: deadline).map { .verdict(LMTPReply($0)) } ?? .accepted
    case .store(let bytes, let message):
      transaction.store(bytes, message, until: deadline)
    case .deliver(let recipient, let bytes, let message):
      .verdict(LMTPReply(transaction.deliver(to: recipient, bytes, message, until: deadline)))
    }
  }

  /// The client gets no more replies, so it will send again what has not been delivered: nothing more is.
  package func clientIsGone() { _ = transaction.progress.giveUp() }

  /// The reply in place of a thread that is stuck; nil if the message may be in its mailbox already.
  package func lateReply(to request: LMTPSession.Request) -> LMTPSession.Reply? {
    guard transaction.progress.giveUp() else { return nil }
    switch request {
    case .store: return .stored
    case .recipient(let address, let message, _):
      return .verdict(LMTPReply(transaction.fail(Recipient(address, message.queueID))))
    case .deliver(let recipient, _, _): return .verdict(LMTPReply(transaction.fail(recipient)))
    }
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
