// SPDX-License-Identifier: Apache-2.0
import Posix
import Socketmap
import Text

#if !hasFeature(Embedded)
  import Synchronization
#endif

/// The connections to one socketmap server, for all of its maps.
final class SocketmapClient: Sendable {
  let name: [UInt8]
  private let server: SocketmapServer
  /// The idle connections: as many as threads have asked at once.
  private let kept = Mutex<[SocketmapConnection]>([])

  /// - Parameter name: `unix:/path` or `inet:host:port`; nil if it is neither.
  init?(_ name: [UInt8]) {
    guard let server = Self.server(name[...]) else { return nil }
    self.server = server
    self.name = name
  }

  private static func server(_ text: ArraySlice<UInt8>) -> SocketmapServer? {
    if text.starts(with: "unix:/".utf8) { return Path(text.dropFirst(5)).map { .unix($0) } }
    guard text.starts(with: "inet:".utf8) else { return nil }
    let address = text.dropFirst(5)
    guard let colon = address.lastIndex(of: UInt8(ascii: ":")), colon + 1 < address.endIndex else { return nil }
    let name = address[..<colon]
    let isBracketed = name.first == UInt8(ascii: "[") && name.last == UInt8(ascii: "]")
    guard let host = Path(isBracketed ? name.dropFirst().dropLast() : name), !host.bytes.isEmpty,
      let port = Path(address[(colon + 1)...])
    else { return nil }
    return .inet(host: host, port: port)
  }

  /// The replies to requests that are sent together.
  ///
  /// - Parameter reference: the table that an error names.
  func ask(
    _ requests: [[UInt8]], until deadline: Deadline, for reference: String
  ) throws(TableError) -> [SocketmapReply] {
    var connection = kept.withLock { $0.popLast() }
    do throws(SocketmapError) {
      // Try again on a new connection if the server hangs up: it may have been restarted since the last request.
      for _ in 0..<2 {
        let current = if let connection { connection } else { try SocketmapConnection(to: server, until: deadline) }
        if let replies = try current.exchange(requests, until: deadline) {
          kept.withLock { $0.append(current) }
          return replies
        }
        connection = nil
      }
    } catch {
      switch error {
      case .system(let error): throw failure(error, reference)
      case .garbled: throw TableError(.temporary, reference, "the server's answer is not valid socketmap protocol")
      }
    }
    throw TableError(.temporary, reference, "the server closed the connection without an answer")
  }

  private func failure(_ error: SystemError, _ reference: String) -> TableError {
    switch error.number {
    // connect(2) times out with EAGAIN on a Unix socket, and with EINPROGRESS on an Internet socket.
    case Errno.ETIMEDOUT, Errno.EAGAIN, Errno.EINPROGRESS:
      TableError(.temporary, reference, "the server did not answer in time")
    case Errno.EACCES:
      TableError(
        .configuration, reference,
        "\(error.shown) (as uid \(CurrentProcess.effectiveUser)); let that user, or its group, connect")
    default: TableError(.temporary, reference, "\(error.shown); is the server running?")
    }
  }
}
