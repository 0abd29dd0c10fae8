// SPDX-License-Identifier: Apache-2.0
import Delivery
import Mailboxes
import Maildir
import Posix
import Quota

/// A message for several recipients. It is written and synced once, and linked into each mailbox; where that is not
/// possible, it is copied: if each copy has a header of its own, and between file systems.
///
/// Whether it fits is decided for each mailbox when all of it has arrived.
final class SharedMessage: IncomingMessage {
  private final class Stored {
    var file: MessageFile
    /// The device of its file system.
    let device: UInt64
    /// The directories below the base that lead to its Maildir.
    let components: [Path]
    var isSynchronized = false

    init(_ file: consuming MessageFile, on device: UInt64, in components: [Path]) {
      self.file = file
      self.device = device
      self.components = components
    }
  }

  private let agent: DeliveryAgent
  private let targets: [(mailbox: Mailbox, header: DeliveredToHeader?)]
  private var stored: Stored?
  /// The recipient whose mailbox is tried next for the file.
  private var nextTarget = 0
  private var failure: DeliveryError?

  init(_ agent: DeliveryAgent, to targets: [(mailbox: Mailbox, header: DeliveredToHeader?)]) {
    self.agent = agent
    self.targets = targets
  }

  func store(_ bytes: [UInt8], isLast: Bool, until deadline: Deadline) {
    guard failure == nil else { return }
    do throws(DeliveryError) {
      if stored == nil { stored = try makeFile(until: deadline) }
      while let current = stored {
        do throws(MaildirError) { return try current.file.write(bytes.span) } catch {
          // A mailbox on another file system need not wait until this one has room.
          guard let other = copy(of: current, until: deadline) else { throw .maildir(error, current.components) }
          stored = other
        }
      }
    } catch {
      failure = error
      stored = nil
    }
  }

  /// What is stored so far, in the mailbox of a later recipient on another file system; nil if there is none.
  private func copy(of old: Stored, until deadline: Deadline) -> Stored? {
    do {
      while let new = try makeFile(until: deadline) {
        guard new.device != old.device else { continue }
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        // What a failed write has left behind this is not part of the message.
        while new.file.size < old.file.size {
          var span = buffer.mutableSpan
          let count = try old.file.read(into: &span, at: new.file.size)
          guard count > 0 else { return nil }
          try new.file.write(buffer.span.extracting(0..<min(count, Int(old.file.size - new.file.size))))
        }
        return new
      }
    } catch {}
    return nil
  }

  /// In the mailbox of the next recipient whose Maildir can be opened; nil after the last one.
  private func makeFile(until deadline: Deadline) throws(DeliveryError) -> Stored? {
    var failure: DeliveryError?
    while nextTarget < targets.count {
      let mailbox = targets[nextTarget].mailbox
      nextTarget += 1
      do throws(MaildirError) {
        let open = try agent.open(mailbox, until: deadline)
        var file = try agent.makeFile(in: open)
        file.isShared = true
        return Stored(file, on: open.maildir.device, in: mailbox.components)
      } catch {
        failure = failure ?? .maildir(error, mailbox.components)
      }
    }
    if let failure { throw failure }
    return nil
  }

  func deliver(
    to recipient: Int, until deadline: Deadline, mayPublish: () -> Bool
  ) throws(DeliveryError) -> DeliveryAgent.Outcome {
    let (mailbox, header) = targets[recipient]
    if let failure { throw failure }
    // Nothing is copied from a message that is not there.
    guard stored != nil else { throw .inputCut }
    do throws(MaildirError) {
      if header == nil, let outcome = try link(into: mailbox, until: deadline, mayPublish) { return outcome }
    } catch { throw .maildir(error, mailbox.components) }
    var source = HeadedSource(StoredSource(self), adding: header)
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    return try agent.deliver(
      from: &source, through: &buffer, to: mailbox, until: deadline, mayPublish: mayPublish)
  }

  /// - Returns: nil if the message must be copied.
  private func link(
    into mailbox: Mailbox, until deadline: Deadline, _ mayPublish: () -> Bool
  ) throws(MaildirError) -> DeliveryAgent.Outcome? {
    guard let stored else { return nil }
    var open = try agent.open(mailbox, until: deadline)
    guard stored.device == open.maildir.device else { return nil }
    guard open.limit.admitsAlone(messageOf: stored.file.size) else {
      return DeliveryAgent.Outcome(.largerThanLimit, stored.file.size, nil)
    }
    do throws(MaildirError) {
      // A ledger that is too long, restored, or has another limit is written anew, as for any other message.
      _ = try open.promisedRoom()
      try synchronize(stored)
      return try agent.place(&stored.file, in: &open, mayPublish: mayPublish)
    } catch .system(let error) where error.call == .linkat && Self.needsCopy.contains(error.number) {
      return nil
    } catch {
      return try agent.outcome(of: open, after: error)
    }
  }

  /// Another file system after all, too many names, or the last name was removed, and with it the file.
  private static let needsCopy = [Errno.EXDEV, Errno.EMLINK, Errno.ENOENT, Errno.EPERM]

  /// Once: the kernel reports an error only once, so a second success would prove nothing.
  private func synchronize(_ stored: Stored) throws(MaildirError) {
    guard !stored.isSynchronized else { return }
    do { try stored.file.synchronize() } catch {
      failure = .maildir(error, stored.components)
      throw error
    }
    stored.isSynchronized = true
  }

  /// The stored message, for a copy.
  private struct StoredSource: MessageSource {
    private let message: SharedMessage
    private var offset: Int64 = 0

    init(_ message: SharedMessage) {
      self.message = message
    }

    mutating func read(
      into buffer: inout MutableSpan<UInt8>, until deadline: Deadline
    ) throws(DeliveryError) -> Int {
      do {
        let count = try message.stored?.file.read(into: &buffer, at: offset) ?? 0
        offset += Int64(count)
        return count
      } catch { throw .input(error) }
    }

    /// All of it has arrived.
    func confirmEnd() {}
  }
}
