// SPDX-License-Identifier: Apache-2.0

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
    tag = Self.escaped(name) + Array("[\(CurrentProcess.identifier)]: ".utf8)
    // The C library reads the time zone now and not between the commit and the exit.
    _ = Timestamp.now.syslogText
    socket = Path(path).flatMap { try? DatagramSocket(to: $0) }
  }

  /// - Parameter text: may hold anything; control characters and what is not UTF-8 are written as `\ooo`.
  package func write(_ severity: Severity, queueID: [UInt8], _ text: [UInt8]) {
    let facilityMail = 2
    var line = Array("<\(facilityMail << 3 | severity.rawValue)>\(Timestamp.now.syslogText) ".utf8) + tag
    if !queueID.isEmpty { line += Self.escaped(queueID) + Array(": ".utf8) }
    try? socket?.send(line + Self.escaped(text, limit: 2000))
  }

  /// A value for a log line: cut where it is long, harmless to whoever reads it.
  package static func escaped(_ bytes: some Collection<UInt8>, limit: Int = 250) -> [UInt8] {
    let cut = Array(bytes.prefix(limit))
    let isText = String(validating: cut, as: UTF8.self) != nil
    let escaped = cut.flatMap { byte -> [UInt8] in
      guard byte < 32 || byte == 127 || byte >= 128 && !isText else { return [byte] }
      return [UInt8(ascii: "\\"), 48 + (byte >> 6), 48 + (byte >> 3 & 7), 48 + (byte & 7)]
    }
    return bytes.count > limit ? escaped + Array("...".utf8) : escaped
  }
}
