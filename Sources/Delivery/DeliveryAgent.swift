// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Mailboxes
package import Maildir
package import Posix
package import Quota
import Text

/// Delivers one message into one Maildir.
///
/// Any failure before the commit means "try again"; nothing after it changes the answer. The states S0 to
/// S5 are those of ARCHITECTURE.md.
///
/// Answers and their causes: *delivered* means a durable message in `new/`; *over quota* needs a total
/// counted less than 15 minutes ago; *larger than the limit* needs no count; *seems full* means that the
/// mailbox could not be counted in time. Every error means "try again".
package final class DeliveryAgent: Sendable {
  private let settings: Settings
  private let credentials: Credentials
  private let names: UniqueName
  private let canNameUnnamedFiles = File.canNameUnnamedFiles

  /// - Parameters:
  ///   - credentials: those of this process, which must own every Maildir.
  ///   - hostName: the host part of message file names.
  package init(_ settings: Settings, as credentials: Credentials, hostName: [UInt8]) {
    self.settings = settings
    self.credentials = credentials
    names = UniqueName(host: hostName)
  }

  /// How the delivery ended, and what the log says about it.
  package struct Outcome {
    /// What became of the message.
    package enum Answer: Equatable, Sendable {
      case delivered, overQuota
      /// Even an empty mailbox could not hold the message.
      case largerThanLimit
      /// The mailbox seems full, but that could not be verified in time.
      case seemsFull
    }
    package let answer: Answer
    /// The number of bytes read of the message; nil if unknown.
    package let size: Int64?
    /// The usage, including this message if it was delivered; nil if unknown.
    package let usage: QuotaUsage?
    /// Problems for the administrator that did not stop the delivery.
    package private(set) var warnings: [[UInt8]] = []

    package init(_ answer: Answer, _ size: Int64?, _ usage: QuotaUsage?) {
      self.answer = answer
      self.size = size
      self.usage = usage
    }

    package func adding(_ warnings: [[UInt8]]) -> Outcome {
      var outcome = self
      outcome.warnings += warnings
      return outcome
    }
  }

  /// The buffer to begin with: most messages are small, and each page that is touched costs a page fault.
  static var smallBuffer: [UInt8] { [UInt8](repeating: 0, count: 8 << 10) }
  /// Bytes: the capacity of a pipe.
  private static let largestRead = 64 << 10

  /// - Parameters:
  ///   - buffer: the buffer for the message; never empty. It grows once a read fills it.
  ///   - mayPublish: as for `place`.
  package func deliver(
    from source: inout some MessageSource & ~Copyable, through buffer: inout [UInt8], to mailbox: Mailbox,
    until deadline: Deadline, mayPublish: () -> Bool = { true }
  ) throws(DeliveryError) -> Outcome {
    let result: Result<Outcome, DeliveryError>
    do { result = try run(from: &source, through: &buffer, to: mailbox, until: deadline, mayPublish) } catch {
      throw .maildir(error, mailbox.components)
    }
    return try result.get()
  }

  /// - Returns: a failure of the source. What fails in the Maildir is thrown.
  private func run(
    from source: inout some MessageSource & ~Copyable, through buffer: inout [UInt8], to mailbox: Mailbox,
    until deadline: Deadline, _ mayPublish: () -> Bool
  ) throws(MaildirError) -> Result<Outcome, DeliveryError> {
    // S0: nothing exists yet.
    var open = try open(mailbox, until: deadline)
    do throws(MaildirError) {
      // S1: the bytes are in an unnamed file, or in tmp/.
      var message: MessageFile
      switch try receive(from: &source, through: &buffer, into: &open) {
      case .whole(let file): message = file
      case .refused(let outcome): return .success(outcome.adding(open.warnings))
      case .failed(let error): return .failure(error)
      }

      // S2: the bytes are durable, and the message is complete.
      try message.synchronize()
      do { try source.confirmEnd() } catch { return .failure(error) }

      // S3 to S5: the message is in new/.
      return .success(try place(&message, in: &open, mayPublish: mayPublish))
    } catch {
      return .success(try outcome(of: open, after: error))
    }
  }

  /// Opens the Maildir of a mailbox, which is made if it is missing.
  package func open(_ mailbox: Mailbox, until deadline: Deadline) throws(MaildirError) -> OpenMailbox {
    guard let base = Path(settings.mailboxBase) else { throw .baseMissing }
    return OpenMailbox(
      try Maildir.open(
        base: base, components: mailbox.components, owner: credentials.user,
        absent: settings.baseMayBeEmpty ? .made : .madeUnlessBaseIsEmpty),
      limit: mailbox.quota.limit, rule: settings.countingRule, names: names,
      countTimeLimit: settings.recountTimeLimit, until: deadline)
  }

  /// Begins to store a message that arrives for one mailbox.
  package func receive(for open: inout OpenMailbox) throws(MaildirError) -> Reception {
    Reception(room: try open.promisedRoom() ?? 0, bounces: settings.overquotaBounces)
  }

  /// Begins a message in the Maildir of a mailbox.
  package func makeFile(in open: borrowing OpenMailbox) throws(MaildirError) -> MessageFile {
    try MessageFile.create(in: open.maildir, names: names, unnamed: canNameUnnamedFiles)
  }

  /// Puts a durable message into `new/` of a mailbox, if the mailbox has room for it: the states S3 to S5.
  ///
  /// - Parameter mayPublish: asked when the message fits, whether it may still be delivered.
  package func place(
    _ message: inout MessageFile, in open: inout OpenMailbox, mayPublish: () -> Bool
  ) throws(MaildirError) -> Outcome {
    // S3: the message is in the ledger. From the entry on, the deadline is not checked.
    let usage: QuotaUsage?
    switch try open.admit(messageOf: message.size) {
    case .fits(let beside): usage = beside
    case .overQuota(let usage): return Outcome(.overQuota, message.size, usage).adding(open.warnings)
    }
    guard mayPublish() else { throw .system(SystemError(.deadline, [], Errno.ETIMEDOUT)) }
    try open.enter(messageOf: message.size)

    // S4: the message is in new/.
    let name: Path
    do { name = try message.publish(in: open.maildir) } catch {
      // An entry that stays makes the total too high, and before a refusal the messages are counted.
      try? open.retract(messageOf: message.size)
      throw error
    }
    open.settle(messageOf: message.size)

    // S5, the commit: the message stays in new/ even if the machine crashes.
    return try commit(message.size, name, beside: usage, in: &open)
  }

  /// What became of the message in case of an error.
  ///
  /// - Throws: `error`, unless it tells that the mailbox seems to be full.
  package func outcome(
    of open: borrowing OpenMailbox, after error: MaildirError
  ) throws(MaildirError) -> Outcome {
    // The ledger is valid, and it says that the mailbox is full.
    guard error == .countUnfinished, open.fault == nil, !settings.countingRule.inboxOnly else { throw error }
    return Outcome(.seemsFull, nil, nil).adding(open.warnings)
  }

  private enum Received: ~Copyable {
    case whole(MessageFile)
    case refused(Outcome)
    /// The source has failed.
    case failed(DeliveryError)
  }

  private func receive(
    from source: inout some MessageSource & ~Copyable, through buffer: inout [UInt8], into open: inout OpenMailbox
  ) throws(MaildirError) -> Received {
    var reception = try receive(for: &open)
    while true {
      let count: Int
      do { count = try read(&buffer, from: &source, until: open.deadline) } catch { return .failed(error) }
      if count == 0 { break }
      if let refusal = try reception.take(buffer.span.extracting(0..<count), for: &open, by: self) {
        return .refused(refusal)
      }
      if count == buffer.count, count < Self.largestRead { buffer = [UInt8](repeating: 0, count: Self.largestRead) }
    }
    if let refusal = reception.refusal { return .refused(refusal) }
    return .whole(try reception.takeFile(for: open, by: self))
  }

  private func read(
    _ buffer: inout [UInt8], from source: inout some MessageSource & ~Copyable, until deadline: Deadline
  ) throws(DeliveryError) -> Int {
    var span = buffer.mutableSpan
    return try source.read(into: &span, until: deadline)
  }

  private func commit(
    _ size: Int64, _ name: Path, beside usage: QuotaUsage?, in open: inout OpenMailbox
  ) throws(MaildirError) -> Outcome {
    let isDurable: Bool
    do { isDurable = try open.maildir.synchronizeNew() } catch {
      // The sync is not repeated: the kernel reports an error only once, so a second success would prove nothing.
      throw open.takeBack(name, messageOf: size, because: error)
    }
    var total = usage
    total? += QuotaUsage(bytes: size, messages: 1)
    let outcome = Outcome(.delivered, size, total).adding(open.warnings)
    return isDurable ? outcome : outcome.adding([Array("the Maildir's file system cannot sync directories".utf8)])
  }
}

extension OpenMailbox {
  /// Problems for the administrator that did not stop the delivery.
  package var warnings: [[UInt8]] {
    var warnings = unreadable.map { Array("not counted, no permission to read it: ".utf8) + $0.bytes }
    warnings += linked.map { Array("not counted, a folder that is a symlink: ".utf8) + $0.bytes }
    if let rewriteError { warnings.append(Array("maildirsize was not rewritten: ".utf8) + rewriteError.sentence) }
    if let fault = firstFault, fault != .missing {
      let remedy = wasCounted ? "the messages were counted" : "without a limit it is not needed; remove it"
      warnings.append(Array("maildirsize was unusable (\(fault.rawValue)); \(remedy)".utf8))
    }
    return warnings
  }
}
