// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Mailboxes
package import Posix
import Quota
package import Tables
import Text

/// One recipient of a message, and what Postfix says about the message. A sender may have chosen any of it.
package struct Recipient: Sendable {
  package let address: [UInt8]
  /// The extension in `address` by Postfix's own split, empty without one; nil if unknown.
  package let addressExtension: [UInt8]?
  /// The address before aliases; empty if unknown.
  package let originalAddress: [UInt8]
  package let queueID: [UInt8]
  /// Bytes of the queue file, not of the message: it is logged and decides nothing. Empty if unknown.
  package let queueSize: [UInt8]

  package init(
    address: [UInt8], addressExtension: [UInt8]?, originalAddress: [UInt8], queueID: [UInt8], queueSize: [UInt8]
  ) {
    self.address = address
    self.addressExtension = addressExtension
    self.originalAddress = originalAddress
    self.queueID = queueID
    self.queueSize = queueSize
  }
}

/// A mailbox, and what found it.
package struct FoundMailbox {
  package let mailbox: Mailbox
  let lookup: MailboxLookup
}

/// The delivery of messages to one recipient at a time: looks up the mailbox, delivers, and logs the result.
package final class RecipientDelivery: Sendable {
  package let agent: DeliveryAgent
  private let settings: Settings
  private let credentials: Credentials
  private let log: DeliveryLog
  private let tables: TableSet

  /// - Parameter tables: those that are open already.
  package init(
    _ settings: Settings, as credentials: Credentials, log: DeliveryLog, _ tables: TableSet = TableSet()
  ) {
    self.settings = settings
    self.credentials = credentials
    self.log = log
    self.tables = tables
    agent = DeliveryAgent(settings, as: credentials, hostName: CurrentProcess.hostName)
  }

  /// Delivers the message from `source`, which begins at the first byte, and logs the result.
  package func deliver(
    _ source: inout some MessageSource & ~Copyable, to recipient: Recipient
  ) -> Verdict {
    let deadline = Deadline(secondsFromNow: settings.deliveryTimeLimit)
    switch find(recipient, until: deadline) {
    case .none(let verdict): return verdict
    case .mailbox(let found):
      var buffer = DeliveryAgent.smallBuffer
      let result = Result { () throws(DeliveryError) in
        try agent.deliver(from: &source, through: &buffer, to: found.mailbox, until: deadline)
      }
      return conclude(result, recipient, found)
    }
  }

  /// What a lookup has found.
  package enum Found {
    case mailbox(FoundMailbox)
    /// There is no mailbox, or it is not known which.
    case none(Verdict)
  }

  /// Looks up the mailbox of a recipient.
  ///
  /// - Parameter isAwaited: asked before a verdict is logged. If it is false, another one was given meanwhile, and this
  ///   one is not logged.
  package func find(
    _ recipient: Recipient, until deadline: Deadline, isAwaited: () -> Bool = { true }
  ) -> Found {
    do {
      let lookup = MailboxLookup(settings, tables)
      if let mailbox = try mailbox(of: recipient, lookup, until: deadline) {
        return .mailbox(FoundMailbox(mailbox: mailbox, lookup: lookup))
      }
      if isAwaited() { log.write(.noSuchMailbox, recipient, .refused, warnings: Self.warnings(lookup)) }
      return .none(.noSuchMailbox)
    } catch {
      return .none(isAwaited() ? fail(error, recipient) : error.verdict)
    }
  }

  /// Logs how a delivery has ended.
  package func conclude(
    _ result: Result<DeliveryAgent.Outcome, DeliveryError>, _ recipient: Recipient, _ found: FoundMailbox
  ) -> Verdict {
    switch result {
    case .success(let outcome): conclude(outcome, recipient, found)
    case .failure(let error): fail(error, recipient)
    }
  }

  /// Logs an error, and gives the verdict that it leads to.
  package func fail(_ error: DeliveryError, _ recipient: Recipient) -> Verdict {
    log.write(error.verdict, recipient, .deferred, warnings: [error.sentence])
    return error.verdict
  }

  /// - Returns: nil if there is none.
  private func mailbox(
    of recipient: Recipient, _ lookup: MailboxLookup, until deadline: Deadline
  ) throws(DeliveryError) -> Mailbox? {
    let found: Mailbox?
    do {
      found = try lookup.mailbox(
        of: AddressQuery(recipient.address, until: deadline.slice(seconds: 20)), for: credentials)
    } catch { throw .mailbox(error) }
    if let found { return found }
    if let error = UnsplitExtension(of: recipient.address, passed: recipient.addressExtension, settings) {
      throw .unsplitExtension(error)
    }
    if try isUnsplitByService(recipient, lookup, until: deadline) { throw .unsplitExtension(.unknownToService) }
    return nil
  }

  /// The service splits addresses by the ullage.cf that it has read, which may be an older one.
  private func isUnsplitByService(
    _ recipient: Recipient, _ lookup: MailboxLookup, until deadline: Deadline
  ) throws(DeliveryError) -> Bool {
    guard settings.lookupService.socket != nil,
      let plain = UnsplitExtension.plainAddress(of: recipient.address, settings)
    else { return false }
    do {
      return try lookup.mailbox(of: AddressQuery(plain, until: deadline.slice(seconds: 20)), for: nil) != nil
    } catch { throw .mailbox(error) }
  }

  private func conclude(
    _ outcome: DeliveryAgent.Outcome, _ recipient: Recipient, _ found: FoundMailbox
  ) -> Verdict {
    var warnings = outcome.warnings
    let verdict: Verdict
    switch outcome.answer {
    case .delivered: verdict = .delivered
    case .overQuota, .largerThanLimit, .seemsFull:
      let isPermanent = outcome.answer == .largerThanLimit || outcome.answer == .overQuota && settings.overquotaBounces
      // Waiting does not help here, so the text must not ask for it.
      let text =
        outcome.answer == .largerThanLimit
        ? settings.oversizeMessage : limitMessage(for: recipient, found.lookup, &warnings)
      verdict = .overQuota(text, isPermanent: isPermanent)
    }
    if case .setAside = found.mailbox.quota.source {
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
      fields: DeliveryLog.fields(outcome, found.mailbox.quota.limit), warnings: warnings + Self.warnings(found.lookup))
    return verdict
  }

  private static func warnings(_ lookup: MailboxLookup) -> [[UInt8]] {
    guard let failure = lookup.serviceFailure else { return [] }
    return [Array("the tables were queried without the lookup service: \(failure)".utf8)]
  }

  /// The recipient's own text or the default one. The default is also used if the lookup fails (as in VDA).
  private func limitMessage(
    for recipient: Recipient, _ lookup: MailboxLookup, _ warnings: inout [[UInt8]]
  ) -> [UInt8] {
    // Reading the message may have used up the deadline, so the lookup gets its own time limit.
    let query = AddressQuery(recipient.address, until: Deadline(secondsFromNow: 10))
    do { return try lookup.limitMessage(for: query) ?? settings.limitMessage } catch {
      warnings.append(Array("virtual_maildir_limit_message applies: ".utf8) + error.sentence)
      return settings.limitMessage
    }
  }
}
