// SPDX-License-Identifier: Apache-2.0
package import Maildir
import Quota

/// A message that is stored while it arrives, for one mailbox: the state S1.
///
/// Nothing (more) is stored once the message exceeds the room and `admit` confirms that. What follows is still counted,
/// because a message larger than the whole limit is refused for good.
package struct Reception: ~Copyable {
  private var room: Int64
  private let bounces: Bool
  private var size: Int64 = 0
  private var file: MessageFile?
  private var usageWhenFull: QuotaUsage?
  private var isTooLarge = false

  /// - Parameters:
  ///   - room: bytes, by the ledger; zero if that is unknown.
  ///   - bounces: whether a message over quota is refused for good.
  init(room: Int64, bounces: Bool) {
    self.room = room
    self.bounces = bounces
  }

  /// Takes the next part of the message.
  ///
  /// - Returns: a refusal that holds whatever follows.
  package mutating func take(
    _ bytes: Span<UInt8>, for open: inout OpenMailbox, by agent: DeliveryAgent
  ) throws(MaildirError) -> DeliveryAgent.Outcome? {
    size += Int64(bytes.count)
    guard open.limit.admitsAlone(messageOf: size) else {
      isTooLarge = true
      file = nil
      return refusal
    }
    if usageWhenFull == nil && size > room {
      switch try open.admit(messageOf: size) {
      case .fits(let usage):
        open.unlock()
        room = usage.map { open.limit.room(beside: $0) } ?? .max
      case .overQuota(let usage):
        usageWhenFull = usage
        file = nil
        if bounces { return refusal }
      }
    }
    guard usageWhenFull == nil else { return nil }
    if file == nil { file = try agent.makeFile(in: open) }
    try file?.write(bytes)
    return nil
  }

  /// The refusal by what has arrived, nil if the message fits so far.
  package var refusal: DeliveryAgent.Outcome? {
    if isTooLarge { return DeliveryAgent.Outcome(.largerThanLimit, size, nil) }
    return usageWhenFull.map { DeliveryAgent.Outcome(.overQuota, size, $0) }
  }

  /// The stored message, if it was not refused. One of which nothing has arrived is empty.
  package mutating func takeFile(
    for open: borrowing OpenMailbox, by agent: DeliveryAgent
  ) throws(MaildirError) -> MessageFile {
    if let file = file.take() { return file }
    return try agent.makeFile(in: open)
  }
}
