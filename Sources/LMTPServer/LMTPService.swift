// SPDX-License-Identifier: Apache-2.0
package import Configuration
import Database
package import Delivery
package import Mailboxes
package import Posix
import Synchronization
import Tables
import Text

/// Delivers what Postfix's lmtp(8) hands over: the deliveries of `ullage-deliver`, without a process for each.
package final class LMTPService: Sendable {
  /// Everything that ullage.cf says. A message is delivered by what it said when the message began.
  final class State: Sendable {
    let settings: Settings
    let lmtp: LMTPSettings
    let delivery: RecipientDelivery

    init(_ settings: Settings, _ lmtp: LMTPSettings, _ delivery: RecipientDelivery) {
      self.settings = settings
      self.lmtp = lmtp
      self.delivery = delivery
    }
  }

  private let state: Mutex<State>
  private let credentials: Credentials
  private let log: DeliveryLog

  /// - Parameter credentials: those of this process, which must own every Maildir.
  /// - Throws: if a table that this process queries itself is unusable as configured.
  package init(
    _ settings: Settings, _ lmtp: LMTPSettings, as credentials: Credentials = .current, log: DeliveryLog
  ) throws(SettingsError) {
    self.credentials = credentials
    self.log = log
    state = Mutex(try Self.state(settings, lmtp, credentials, log))
  }

  /// Switches to other settings, from the next message on.
  ///
  /// - Throws: as the initializer does; then nothing changes.
  package func reload(_ settings: Settings, _ lmtp: LMTPSettings) throws(SettingsError) {
    let new = try Self.state(settings, lmtp, credentials, log)
    state.withLock { $0 = new }
  }

  private static func state(
    _ settings: Settings, _ lmtp: LMTPSettings, _ credentials: Credentials, _ log: DeliveryLog
  ) throws(SettingsError) -> State {
    let tables = TableSet(pool: ConnectionPool(limit: LMTPSettings.threads, spreadsHosts: true), isForService: true)
    if settings.lookupService.socket == nil { try tables.open(for: settings) }
    return State(settings, lmtp, RecipientDelivery(settings, as: credentials, log: log, tables))
  }

  var current: State { state.withLock { $0 } }

  /// Seconds for a recipient: for the lookup, for each part of the message that is stored, and for the delivery.
  /// Postfix waits 180 until a part is taken (`lmtp_data_xfer_timeout`), and longer for replies.
  package var timeLimit: Int64 { min(current.settings.deliveryTimeLimit, 170) }

  /// How many deliveries to one mailbox are worked on at once.
  package var mailboxConcurrency: Int { current.lmtp.mailboxConcurrency }
}
