// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Mailboxes
import Maildir
package import Posix
package import Quota
import Text

/// A message on its way in. Where it comes from decides how its end is known: behind pipe(8) by who wrote it.
package protocol MessageSource: ~Copyable {
  /// Reads at most `buffer.count` bytes; 0 is the end.
  mutating func read(into buffer: inout MutableSpan<UInt8>, until deadline: Deadline) throws(DeliveryError) -> Int

  /// Throws `inputCut` when the end that was read may not be the message's own.
  func confirmEnd() throws(DeliveryError)
}

/// Delivers one message into one Maildir.
///
/// Everything before the commit may fail and means "try again"; nothing after it changes the answer. The states S0 to
/// S5 are those of ARCHITECTURE.md.
package struct DeliveryAgent {
  private let settings: Settings
  private let names: UniqueName
  /// /proc/self/fd, open; nil where it is not to be had.
  private let descriptors: Int32?

  package init(_ settings: Settings, hostName: [UInt8], descriptors: Int32?) {
    self.settings = settings
    self.descriptors = descriptors
    names = UniqueName(host: hostName)
  }

  /// How the delivery ended, and what the log tells of it.
  package struct Outcome {
    package enum Answer: Equatable, Sendable {
      case delivered, overQuota
      /// Even the empty mailbox could not hold the message.
      case largerThanLimit
      /// The mailbox seems full, but that could not be verified in time.
      case seemsFull
    }
    package let answer: Answer
    /// Bytes of the message as far as it was read; nil when it was not.
    package let size: Int64?
    /// With this message if it was delivered; nil when nobody knows.
    package let usage: QuotaUsage?
    /// What the administrator should look at though it did not stop the delivery.
    package private(set) var warnings: [[UInt8]] = []

    init(_ answer: Answer, _ size: Int64?, _ usage: QuotaUsage?) {
      self.answer = answer
      self.size = size
      self.usage = usage
    }

    func adding(_ warnings: [[UInt8]]) -> Outcome {
      var outcome = self
      outcome.warnings += warnings
      return outcome
    }
  }

  /// - Parameter buffer: where the message passes through; never empty.
  package func deliver(
    from source: inout some MessageSource & ~Copyable, through buffer: inout [UInt8], to mailbox: Mailbox,
    until deadline: Deadline
  ) throws(DeliveryError) -> Outcome {
    do {
      return try run(from: &source, through: &buffer, to: mailbox, until: deadline)
    } catch let error as DeliveryError {
      throw error
    } catch let error as MaildirError {
      throw .maildir(error, mailbox.components)
    } catch {
      // Death by a signal defers the message.
      preconditionFailure("an error that no module throws: \(error)")
    }
  }

  private func run(
    from source: inout some MessageSource & ~Copyable, through buffer: inout [UInt8], to mailbox: Mailbox,
    until deadline: Deadline
  ) throws -> Outcome {
    // S0: nothing is there yet.
    guard let base = Path(settings.mailboxBase) else { throw MaildirError.baseMissing }
    var maildir = try Maildir.open(
      base: base, components: mailbox.components, owner: CurrentProcess.effectiveUser,
      absent: settings.baseMayBeEmpty ? .made : .madeUnlessBaseIsEmpty)
    var account = MailboxAccount(
      limit: mailbox.quota.limit, rule: settings.countingRule, names: names, countTimeLimit: settings.recountTimeLimit)
    do {
      // S1: the bytes are in a file without a name.
      let message: MessageFile
      switch try receive(from: &source, through: &buffer, into: &maildir, account: &account, until: deadline) {
      case .whole(let file): message = file
      case .refused(let outcome): return outcome.adding(account.warnings)
      }

      // S2: the bytes are durable, and they are the whole message.
      try message.synchronize()
      try source.confirmEnd()

      // S3: the message is in the ledger. From the entry on nobody looks at the clock.
      let usage: QuotaUsage?
      switch try account.admit(messageOf: message.size, in: &maildir, until: deadline) {
      case .fits(let beside): usage = beside
      case .overQuota(let usage): return Outcome(.overQuota, message.size, usage).adding(account.warnings)
      }
      try account.enter(messageOf: message.size)

      // S4: the message is in new/.
      let name: Path
      do { name = try message.publish(in: maildir) } catch {
        try? account.retract(messageOf: message.size)
        throw error
      }
      account.settle(messageOf: message.size, in: &maildir)

      // S5, the commit: the message is in new/ whatever happens to the machine.
      return try commit(message.size, name, beside: usage, in: &maildir, &account)
    } catch MaildirError.countUnfinished where account.fault == nil && !settings.countingRule.inboxOnly {
      // The ledger is sound, and by it the mailbox is full.
      return Outcome(.seemsFull, nil, nil).adding(account.warnings)
    }
  }

  private enum Reception: ~Copyable {
    case whole(MessageFile)
    case refused(Outcome)
  }

  /// Stores the message. A mailbox that is full, or whose room is passed, stores nothing (more), but only after a
  /// count at that moment; then the input is read on, because a message larger than the whole limit is refused for
  /// good.
  private func receive(
    from source: inout some MessageSource & ~Copyable, through buffer: inout [UInt8], into maildir: inout Maildir,
    account: inout MailboxAccount, until deadline: Deadline
  ) throws -> Reception {
    var room = try account.promisedRoom(in: &maildir, until: deadline) ?? 0
    var size: Int64 = 0
    var file: MessageFile?
    var usageWhenFull: QuotaUsage?
    while case let count = try read(&buffer, from: &source, until: deadline), count > 0 {
      size += Int64(count)
      guard account.limit.admitsAlone(messageOf: size) else { return .refused(Outcome(.largerThanLimit, size, nil)) }
      if usageWhenFull == nil && size > room {
        switch try account.admit(messageOf: size, in: &maildir, until: deadline) {
        case .fits(let usage):
          account.unlock(&maildir)
          room = usage.map { account.limit.room(beside: $0) } ?? .max
        case .overQuota(let usage):
          if settings.overquotaBounces { return .refused(Outcome(.overQuota, size, usage)) }
          usageWhenFull = usage
          file = nil
        }
      }
      guard usageWhenFull == nil else { continue }
      if file == nil { file = try MessageFile.create(in: maildir, names: names, descriptors: descriptors) }
      try file?.write(buffer.span.extracting(0..<count))
    }
    if let usageWhenFull { return .refused(Outcome(.overQuota, size, usageWhenFull)) }
    guard let whole = file.take() else { throw DeliveryError.emptyInput }
    return .whole(whole)
  }

  private func read(
    _ buffer: inout [UInt8], from source: inout some MessageSource & ~Copyable, until deadline: Deadline
  ) throws -> Int {
    var span = buffer.mutableSpan
    return try source.read(into: &span, until: deadline)
  }

  private func commit(
    _ size: Int64, _ name: Path, beside usage: QuotaUsage?, in maildir: inout Maildir, _ account: inout MailboxAccount
  ) throws -> Outcome {
    let isDurable: Bool
    do { isDurable = try maildir.synchronizeNew() } catch {
      // The sync is not repeated: the kernel reports an error once, and a second success would prove nothing.
      throw account.takeBack(name, messageOf: size, from: &maildir, because: error)
    }
    var total = usage
    total? += QuotaUsage(bytes: size, messages: 1)
    let outcome = Outcome(.delivered, size, total).adding(account.warnings)
    return isDurable ? outcome : outcome.adding([Array("the file system of the Maildir cannot sync directories".utf8)])
  }
}

extension MailboxAccount {
  /// What the administrator should look at though it did not stop the delivery.
  fileprivate var warnings: [[UInt8]] {
    var warnings = unreadable.map { Array("not counted, no permission to read it: ".utf8) + $0.bytes }
    if let rewriteError { warnings.append(Array("maildirsize was not rewritten: ".utf8) + rewriteError.sentence) }
    if let fault = firstFault, fault != .missing {
      let remedy = wasCounted ? "the messages were counted" : "without a limit nothing depends on it; remove it"
      warnings.append(Array("maildirsize was of no use (\(fault.rawValue)); \(remedy)".utf8))
    }
    return warnings
  }
}
