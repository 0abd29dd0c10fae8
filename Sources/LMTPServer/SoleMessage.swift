// SPDX-License-Identifier: Apache-2.0
import Delivery
import Mailboxes
import Maildir
import Posix

/// A message for one recipient: the delivery of `DeliveryAgent.deliver`, but the parts come by themselves.
final class SoleMessage: IncomingMessage {
  /// The mailbox, and what is stored there so far.
  private final class Arrival {
    var open: OpenMailbox
    var reception: Reception

    init(_ open: consuming OpenMailbox, _ reception: consuming Reception) {
      self.open = open
      self.reception = reception
    }
  }

  private let agent: DeliveryAgent
  private let mailbox: Mailbox
  /// Until the header has been inserted.
  private var insertion: DeliveredToHeader.Insertion?
  private var arrival: Arrival?
  /// What is certain before the message has arrived.
  private var result: Result<DeliveryAgent.Outcome, DeliveryError>?

  init(_ agent: DeliveryAgent, to mailbox: Mailbox, adding header: DeliveredToHeader?) {
    self.agent = agent
    self.mailbox = mailbox
    insertion = header.map { DeliveredToHeader.Insertion($0) }
  }

  func store(_ bytes: [UInt8], isLast: Bool, until deadline: Deadline) {
    guard result == nil else { return }
    var bytes = bytes
    if insertion != nil {
      guard let start = insertion?.take(bytes, isLast: isLast) else { return }
      (bytes, insertion) = (start, nil)
    }
    result = attempt(deadline) { arrival throws(MaildirError) in
      try arrival.reception.take(bytes.span, for: &arrival.open, by: self.agent)?.adding(arrival.open.warnings)
    }
  }

  func deliver(
    to recipient: Int, until deadline: Deadline, mayPublish: () -> Bool
  ) throws(DeliveryError) -> DeliveryAgent.Outcome {
    if result == nil {
      result = attempt(deadline) { arrival throws(MaildirError) in
        if let refusal = arrival.reception.refusal { return refusal.adding(arrival.open.warnings) }
        var message = try arrival.reception.takeFile(for: arrival.open, by: agent)
        try message.synchronize()
        return try agent.place(&message, in: &arrival.open, mayPublish: mayPublish)
      }
    }
    guard let result else { preconditionFailure("a delivery that has not ended") }
    return try result.get()
  }

  /// - Returns: nil if `step` has not come to a result.
  private func attempt(
    _ deadline: Deadline, _ step: (Arrival) throws(MaildirError) -> DeliveryAgent.Outcome?
  ) -> Result<DeliveryAgent.Outcome, DeliveryError>? {
    do throws(MaildirError) {
      let arrival = try arrival(deadline)
      arrival.open.deadline = deadline
      do throws(MaildirError) {
        guard let outcome = try step(arrival) else { return nil }
        self.arrival = nil
        return .success(outcome)
      } catch {
        self.arrival = nil
        return .success(try agent.outcome(of: arrival.open, after: error))
      }
    } catch {
      return .failure(.maildir(error, mailbox.components))
    }
  }

  private func arrival(_ deadline: Deadline) throws(MaildirError) -> Arrival {
    if let arrival { return arrival }
    var open = try agent.open(mailbox, until: deadline)
    let reception = try agent.receive(for: &open)
    let arrival = Arrival(open, reception)
    self.arrival = arrival
    return arrival
  }
}
