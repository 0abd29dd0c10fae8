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

  /// Sends the request and waits for the reply; nil if the server hangs up instead.
  func exchange(_ request: [UInt8], until deadline: Deadline) throws(SocketmapError) -> SocketmapReply? {
    var received: [UInt8] = []
    do {
      try socket.send(Netstring.frame(request), until: deadline)
      while true {
        let bytes = try socket.receive(upTo: 4096, until: deadline)
        guard !bytes.isEmpty else { return nil }
        received += bytes
        guard case .incomplete = Netstring.parse(received, limit: SocketmapReply.longest) else { break }
      }
    } catch {
      guard error.number == Errno.EPIPE || error.number == Errno.ECONNRESET else { throw .system(error) }
      return nil
    }
    guard case .complete(let payload, received.count) = Netstring.parse(received, limit: SocketmapReply.longest),
      let reply = SocketmapReply(payload)
    else { throw .garbled }
    return reply
  }
}
