// SPDX-License-Identifier: Apache-2.0

/// The parameters of the LMTP service, `ullaged lmtp`. `ullage-deliver` does not read them.
package struct LMTPSettings: Sendable {
  /// Nil if it is set nowhere but in a unit of systemd.
  package let socket: [UInt8]?
  package let network: NetworkAccess
  /// How many deliveries to one mailbox are worked on at once.
  package let mailboxConcurrency: Int
  /// Whether each copy gets a header `Delivered-To:`.
  package let writesDeliveredTo: Bool

  /// Threads for files and lookups: they wait for disks, not for the processor. Each may hold a connection to a
  /// database.
  package static let threads = 32

  /// - Throws: `ConfigurationError` for the first value of the wrong type or out of bounds.
  package init(_ file: ConfigurationFile) throws(ConfigurationError) {
    let socket = try file.path(.lmtp_socket)
    self.socket = socket.isEmpty ? nil : socket
    network = try NetworkAccess(file, listen: .lmtp_listen, clients: .lmtp_clients)
    mailboxConcurrency = Int(try file.integer(.lmtp_mailbox_concurrency))
    writesDeliveredTo = try file.yesNo(.lmtp_delivered_to)
  }
}
