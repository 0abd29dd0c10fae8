// SPDX-License-Identifier: Apache-2.0
import Text

/// Sends lines to the system log, one datagram each.
///
/// syslog(3) has a built-in socket path and may block. Here an absent or full socket causes no delay: the
/// line is lost, because the work matters more than its log line.
package final class SystemLog: Sendable {
  /// How serious a line is (syslog(3)).
  package enum Severity: Int, Sendable {
    case error = 3
    case warning = 4
    case information = 6
  }

  /// The facility of all lines, `LOG_MAIL` (syslog(3)).
  private static let facility = 2

  private let socket: DatagramSocket?
  /// `ullage-deliver[123]: `
  private let tag: [UInt8]

  package init(socket path: [UInt8], name: [UInt8]) {
    tag = escaped(name) + Array("[\(CurrentProcess.identifier)]: ".utf8)
    // Makes the C library read the time zone now, not between the commit and the exit.
    _ = Timestamp.now.syslogText
    var socket: DatagramSocket?
    // Mail is delivered even if nothing can be logged.
    if let path = Path(path) { do { socket = try DatagramSocket(to: path) } catch {} }
    self.socket = socket
  }

  /// - Parameter line: any bytes; control characters and invalid UTF-8 are written as `\ooo`.
  package func write(_ severity: Severity, _ line: [UInt8]) {
    let priority = "<\(Self.facility << 3 | severity.rawValue)>"
    let datagram = Array("\(priority)\(Timestamp.now.syslogText) ".utf8) + tag + escaped(line, limit: 2300)
    do throws(SystemError) { try socket?.send(datagram) } catch {}
  }
}
