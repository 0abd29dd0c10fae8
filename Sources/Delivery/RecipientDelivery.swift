// SPDX-License-Identifier: Apache-2.0
package import Configuration
import Mailboxes
package import Posix
import Quota
import Text

/// One recipient of a message, and what Postfix says of the message. All of it may be chosen by a sender.
package struct Recipient: Sendable {
  package let address: [UInt8]
  /// Before aliases; empty when it is unknown.
  package let originalAddress: [UInt8]
  package let queueID: [UInt8]
  /// Bytes of the queue file, not of the message: it is logged and decides nothing. Empty when it is unknown.
  package let queueSize: [UInt8]

  package init(address: [UInt8], originalAddress: [UInt8], queueID: [UInt8], queueSize: [UInt8]) {
    self.address = address
    self.originalAddress = originalAddress
    self.queueID = queueID
    self.queueSize = queueSize
  }
}

/// Delivers a message to one recipient: looks up the mailbox, delivers, and logs how it ended.
///
/// It can be called for one recipient after the other, each time with a source that begins with the first byte.
package struct RecipientDelivery {
  private let settings: Settings
  private let credentials: Credentials
  private let agent: DeliveryAgent
  private let log: DeliveryLog
  /// As much as a pipe holds.
  private var buffer = [UInt8](repeating: 0, count: 64 << 10)

  package init(_ settings: Settings, as credentials: Credentials, log: DeliveryLog) {
    self.settings = settings
    self.credentials = credentials
    self.log = log
    agent = DeliveryAgent(settings, as: credentials, hostName: CurrentProcess.hostName)
  }

  /// Delivers the message of `source`, and logs what happened.
  package mutating func deliver(
    _ source: inout some MessageSource & ~Copyable, to recipient: Recipient
  ) -> Verdict {
    do {
      return try run(&source, recipient)
    } catch {
      log.write(error.verdict, recipient, .deferred, warnings: [error.sentence])
      return error.verdict
    }
  }

  private mutating func run(
    _ source: inout some MessageSource & ~Copyable, _ recipient: Recipient
  ) throws(DeliveryError) -> Verdict {
    let deadline = Deadline(secondsFromNow: settings.deliveryTimeLimit)
    let lookup = MailboxLookup(settings)
    let found: Mailbox?
    do {
      found = try lookup.mailbox(of: recipient.address, for: credentials, until: deadline.share(seconds: 20))
    } catch { throw .mailbox(error) }
    guard let mailbox = found else {
      log.write(.noSuchMailbox, recipient, .refused, warnings: Self.warnings(lookup))
      return .noSuchMailbox
    }
    let outcome = try agent.deliver(from: &source, through: &buffer, to: mailbox, until: deadline)
    return conclude(outcome, mailbox, recipient, lookup)
  }

  private func conclude(
    _ outcome: DeliveryAgent.Outcome, _ mailbox: Mailbox, _ recipient: Recipient, _ lookup: MailboxLookup
  ) -> Verdict {
    var warnings = outcome.warnings
    let verdict: Verdict
    switch outcome.answer {
    case .delivered: verdict = .delivered
    case .overQuota, .largerThanLimit, .seemsFull:
      let isPermanent = outcome.answer == .largerThanLimit || outcome.answer == .overQuota && settings.overquotaBounces
      verdict = .overQuota(limitMessage(for: recipient, lookup, &warnings), isPermanent: isPermanent)
    }
    if case .setAside = mailbox.quota.source {
      warnings.append(
        Array("the limit is below message_size_limit, so virtual_mailbox_limit applies; see".utf8)
          + Array(" virtual_mailbox_limit_override".utf8))
    }
    if outcome.answer == .seemsFull {
      warnings.append(
        Array("maildirsize says it is full, but the mailbox could not be counted in time; see recount_time_limit".utf8))
    }
    log.write(
      verdict, recipient, DeliveryLog.Status(verdict, outcome.answer),
      fields: DeliveryLog.fields(outcome, mailbox.quota.limit), warnings: warnings + Self.warnings(lookup))
    return verdict
  }

  private static func warnings(_ lookup: MailboxLookup) -> [[UInt8]] {
    guard let failure = lookup.serviceFailure else { return [] }
    return [Array("the tables were queried without the lookup service: \(failure)".utf8)]
  }

  /// The configured text. If the lookup of a text of the recipient's own fails, the default text is used (as with VDA).
  private func limitMessage(
    for recipient: Recipient, _ lookup: MailboxLookup, _ warnings: inout [[UInt8]]
  ) -> [UInt8] {
    // The message has been read meanwhile: the lookup gets its own time limit.
    let deadline = Deadline(secondsFromNow: 10)
    do { return try lookup.limitMessage(for: recipient.address, until: deadline) ?? settings.limitMessage } catch {
      warnings.append(Array("virtual_maildir_limit_message applies: ".utf8) + error.sentence)
      return settings.limitMessage
    }
  }
}
