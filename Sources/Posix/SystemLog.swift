// SPDX-License-Identifier: Apache-2.0
import Text

/// Sends our lines to the system's log, facility mail, as one datagram each.
///
/// syslog(3) has its socket's path built in and may wait. Here a socket that is absent or full costs nothing and delays
/// nothing: the delivery counts, its log line does not.
package struct SystemLog: ~Copyable {
  package enum Severity: Int, Sendable {
    case error = 3
    case warning = 4
    case information = 6
  }

  private let socket: DatagramSocket?
  /// `ullage-deliver[123]: `
  private let tag: [UInt8]

  package init(socket path: [UInt8], name: [UInt8]) {
    tag = escaped(name) + Array("[\(CurrentProcess.identifier)]: ".utf8)
    // The C library reads the time zone now and not between the commit and the exit.
    _ = Timestamp.now.syslogText
    socket = Path(path).flatMap { try? DatagramSocket(to: $0) }
  }

  /// - Parameter text: may hold anything; control characters and what is not UTF-8 are written as `\ooo`.
  package func write(_ severity: Severity, queueID: [UInt8], _ text: [UInt8]) {
    let facilityMail = 2
    var line = Array("<\(facilityMail << 3 | severity.rawValue)>\(Timestamp.now.syslogText) ".utf8) + tag
    if !queueID.isEmpty { line += escaped(queueID) + Array(": ".utf8) }
    try? socket?.send(line + escaped(text, limit: 2000))
  }
}
