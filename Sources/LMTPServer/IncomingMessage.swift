// SPDX-License-Identifier: Apache-2.0
import Delivery
import Posix

/// A message that is stored while it arrives, and then delivered to each of its recipients.
protocol IncomingMessage: AnyObject {
  /// Takes the next part. What goes wrong is thrown by `deliver`; the parts after that are not stored.
  func store(_ bytes: [UInt8], isLast: Bool, until deadline: Deadline)

  /// Delivers the message, of which all has arrived, to the recipient of this number.
  ///
  /// - Parameter mayPublish: see `DeliveryAgent.place`.
  func deliver(
    to recipient: Int, until deadline: Deadline, mayPublish: () -> Bool
  ) throws(DeliveryError) -> DeliveryAgent.Outcome
}
