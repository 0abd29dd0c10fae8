// SPDX-License-Identifier: Apache-2.0
import Text

/// Sends lines to the system's log, as one datagram each.
///
/// syslog(3) has its socket's path built in and may wait. Here a socket that is absent or full costs nothing and delays
/// nothing: the work counts, its log line does not.
package final class SystemLog: Sendable {
  /// How serious a line is (syslog(3)).
  package enum Severity: Int, Sendable {
    case error = 3
    case warning = 4
    case information = 6
  }

  /// What kind of program a line comes from (syslog(3)).
  package enum Facility: Int, Sendable {
    case mail = 2
  }

  private let facility: Facility
  private let socket: DatagramSocket?
  /// `ullage-deliver[123]: `
  private let tag: [UInt8]

  package init(_ facility: Facility, socket path: [UInt8], name: [UInt8]) {
    self.facility = facility
    tag = escaped(name) + Array("[\(CurrentProcess.identifier)]: ".utf8)
    // The C library reads the time zone now, and not between the commit and the exit.
    _ = Timestamp.now.syslogText
    socket = Path(path).flatMap { try? DatagramSocket(to: $0) }
  }

  /// - Parameter line: may hold anything; control characters and what is not UTF-8 become `\ooo`.
  package func write(_ severity: Severity, _ line: [UInt8]) {
    let priority = "<\(facility.rawValue << 3 | severity.rawValue)>"
    let datagram = Array("\(priority)\(Timestamp.now.syslogText) ".utf8) + tag + escaped(line, limit: 2300)
    do throws(SystemError) { try socket?.send(datagram) } catch {}
  }
}
