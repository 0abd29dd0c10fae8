// SPDX-License-Identifier: Apache-2.0
import Posix
import Socketmap

/// Where a socketmap server listens.
enum SocketmapServer: Sendable {
  case unix(Path)
  case inet(host: Path, port: Path)
}

enum SocketmapError: Error {
  case system(SystemError)
  /// The bytes received are not exactly one reply of the protocol.
  case garbled
}

/// A connection to a socketmap server, for one request at a time.
final class SocketmapConnection: Sendable {
  private let socket: StreamSocket

  init(to server: SocketmapServer, until deadline: Deadline) throws(SocketmapError) {
    do {
      socket =
        switch server {
        case .unix(let path): try StreamSocket(unix: path, until: deadline)
        case .inet(let host, let port): try StreamSocket(host: host, port: port, until: deadline)
        }
    } catch { throw .system(error) }
  }

  /// Sends the requests together and waits for their replies; nil if the server hangs up instead.
  func exchange(_ requests: [[UInt8]], until deadline: Deadline) throws(SocketmapError) -> [SocketmapReply]? {
    var replies: [SocketmapReply] = []
    var received: [UInt8] = []
    do throws(SystemError) {
      try socket.send(requests.flatMap { Netstring.frame($0) }, until: deadline)
    } catch { return try Self.nilIfHungUp(error) }
    while true {
      switch Netstring.parse(received[...], limit: SocketmapReply.longest) {
      case .complete(let payload, let length):
        guard let reply = SocketmapReply(payload) else { throw .garbled }
        received.removeFirst(length)
        replies.append(reply)
        guard replies.count == requests.count else { continue }
        guard received.isEmpty else { throw .garbled }
        return replies
      case .invalid: throw .garbled
      case .incomplete: break
      }
      let bytes: [UInt8]
      do { bytes = try socket.receive(upTo: 4096, until: deadline) } catch { return try Self.nilIfHungUp(error) }
      guard !bytes.isEmpty else { return nil }
      received += bytes
    }
  }

  private static func nilIfHungUp(_ error: SystemError) throws(SocketmapError) -> [SocketmapReply]? {
    guard error.number == Errno.EPIPE || error.number == Errno.ECONNRESET else { throw .system(error) }
    return nil
  }
}
