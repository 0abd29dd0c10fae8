// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Mailboxes
import Maildir
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
package struct DeliveryAgent: Sendable {
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

  /// The buffer to begin with: most messages are small, and each page that is touched costs a page fault.
  static var smallBuffer: [UInt8] { [UInt8](repeating: 0, count: 8 << 10) }
  /// Bytes: the capacity of a pipe.
  private static let largestRead = 64 << 10

  /// - Parameter buffer: the buffer for the message; never empty. It grows once a read fills it.
  package func deliver(
    from source: inout some MessageSource & ~Copyable, through buffer: inout [UInt8], to mailbox: Mailbox,
    until deadline: Deadline
  ) throws(DeliveryError) -> Outcome {
    let result: Result<Outcome, DeliveryError>
    do { result = try run(from: &source, through: &buffer, to: mailbox, until: deadline) } catch {
      throw .maildir(error, mailbox.components)
    }
    return try result.get()
  }

  /// - Returns: a failure of the source. What fails in the Maildir is thrown.
  private func run(
    from source: inout some MessageSource & ~Copyable, through buffer: inout [UInt8], to mailbox: Mailbox,
    until deadline: Deadline
  ) throws(MaildirError) -> Result<Outcome, DeliveryError> {
    // S0: nothing exists yet.
    guard let base = Path(settings.mailboxBase) else { throw .baseMissing }
    var open = OpenMailbox(
      try Maildir.open(
        base: base, components: mailbox.components, owner: credentials.user,
        absent: settings.baseMayBeEmpty ? .made : .madeUnlessBaseIsEmpty),
      limit: mailbox.quota.limit, rule: settings.countingRule, names: names,
      countTimeLimit: settings.recountTimeLimit, until: deadline)
    do throws(MaildirError) {
      // S1: the bytes are in an unnamed file, or in tmp/.
      let message: MessageFile
      switch try receive(from: &source, through: &buffer, into: &open) {
      case .whole(let file): message = file
      case .refused(let outcome): return .success(outcome.adding(open.warnings))
      case .failed(let error): return .failure(error)
      }

      // S2: the bytes are durable, and the message is complete.
      try message.synchronize()
      do { try source.confirmEnd() } catch { return .failure(error) }

      // S3: the message is in the ledger. From the entry on, the deadline is not checked.
      let usage: QuotaUsage?
      switch try open.admit(messageOf: message.size) {
      case .fits(let beside): usage = beside
      case .overQuota(let usage): return .success(Outcome(.overQuota, message.size, usage).adding(open.warnings))
      }
      try open.enter(messageOf: message.size)

      // S4: the message is in new/.
      let name: Path
      do { name = try message.publish() } catch {
        // An entry that stays makes the total too high, and before a refusal the messages are counted.
        try? open.retract(messageOf: message.size)
        throw error
      }
      open.settle(messageOf: message.size)

      // S5, the commit: the message stays in new/ even if the machine crashes.
      return .success(try commit(message.size, name, beside: usage, in: &open))
    } catch .countUnfinished where open.fault == nil && !settings.countingRule.inboxOnly {
      // The ledger is valid, and it says that the mailbox is full.
      return .success(Outcome(.seemsFull, nil, nil).adding(open.warnings))
    }
  }

  private enum Reception: ~Copyable {
    case whole(MessageFile)
    case refused(Outcome)
    /// The source has failed.
    case failed(DeliveryError)
  }

  /// Stores the message. Nothing (more) is stored once it exceeds the room and `admit` confirms that. The
  /// input is still read on, because a message larger than the whole limit is refused for good.
  private func receive(
    from source: inout some MessageSource & ~Copyable, through buffer: inout [UInt8], into open: inout OpenMailbox
  ) throws(MaildirError) -> Reception {
    var room = try open.promisedRoom() ?? 0
    var size: Int64 = 0
    var file: MessageFile?
    var usageWhenFull: QuotaUsage?
    while true {
      let count: Int
      do { count = try read(&buffer, from: &source, until: open.deadline) } catch { return .failed(error) }
      if count == 0 { break }
      size += Int64(count)
      guard open.limit.admitsAlone(messageOf: size) else { return .refused(Outcome(.largerThanLimit, size, nil)) }
      if usageWhenFull == nil && size > room {
        switch try open.admit(messageOf: size) {
        case .fits(let usage):
          open.unlock()
          room = usage.map { open.limit.room(beside: $0) } ?? .max
        case .overQuota(let usage):
          if settings.overquotaBounces { return .refused(Outcome(.overQuota, size, usage)) }
          usageWhenFull = usage
          file = nil
        }
      }
      if usageWhenFull == nil {
        if file == nil {
          file = try MessageFile.create(in: open.maildir, names: names, unnamed: canNameUnnamedFiles)
        }
        try file?.write(buffer.span.extracting(0..<count))
      }
      if count == buffer.count, count < Self.largestRead { buffer = [UInt8](repeating: 0, count: Self.largestRead) }
    }
    if let usageWhenFull { return .refused(Outcome(.overQuota, size, usageWhenFull)) }
    guard let whole = file.take() else { return .failed(.emptyInput) }
    return .whole(whole)
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
  fileprivate var warnings: [[UInt8]] {
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
