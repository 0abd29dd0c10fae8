// SPDX-License-Identifier: Apache-2.0
package import Configuration
import Posix
import Socketmap
import Text

#if !hasFeature(Embedded)
  import Synchronization
#endif

/// `socketmap:unix:/path:name` and `socketmap:inet:host:port:name`: a table served over a socket
/// (socketmap_table(5)), for instance by our lookup service.
final class SocketmapTable: LookupTable {
  private let reference: String
  private let server: SocketmapServer
  private let map: [UInt8]
  /// The idle connections: as many as threads have asked at once.
  private let kept = Mutex<[SocketmapConnection]>([])

  /// Postfix looks up whole addresses only in these.
  var takesWholeAddressesOnly: Bool { true }

  init(_ reference: TableReference) throws(TableError) {
    self.reference = reference.text
    // A map's name has no colon; a path or an IPv6 address may have some.
    guard let colon = reference.name.lastIndex(of: UInt8(ascii: ":")), colon + 1 < reference.name.endIndex,
      let server = Self.server(reference.name[..<colon])
    else {
      throw TableError(.configuration, reference.text, "expected socketmap:unix:/path:name or :inet:host:port:name")
    }
    self.server = server
    map = Array(reference.name[(colon + 1)...])
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

  func lookup(_ query: TableQuery, among tables: TableSet) throws(TableError) -> [UInt8]? {
    let request = SocketmapRequest(map: map, key: query.key).payload
    // A key too long for a server to read cannot be an address. It is not found, as in Postfix.
    guard request.count <= SocketmapRequest.longest else { return nil }
    switch try ask(request, until: query.deadline) {
    case .found(let value): return value
    case .notFound: return nil
    case .temporary(let reason):
      throw TableError(.temporary, reference, "the server has no answer: \(reason.text)", isAnswer: true)
    case .permanent(let reason):
      throw TableError(.configuration, reference, "the server refused: \(reason.text)", isAnswer: true)
    }
  }

  private func ask(_ request: [UInt8], until deadline: Deadline) throws(TableError) -> SocketmapReply {
    let open = kept.withLock { $0.popLast() }
    // Try again on a new connection if the server hangs up: it may have been restarted since the last request.
    for kept in [open, nil] {
      do throws(SocketmapError) {
        let connection = if let kept { kept } else { try SocketmapConnection(to: server, until: deadline) }
        guard let reply = try connection.exchange(request, until: deadline) else { continue }
        self.kept.withLock { $0.append(connection) }
        return reply
      } catch {
        switch error {
        case .system(let error): throw failure(error)
        case .garbled:
          throw TableError(.temporary, reference, "the server's answer is not valid socketmap protocol")
        }
      }
    }
    throw TableError(.temporary, reference, "the server closed the connection without an answer")
  }

  private func failure(_ error: SystemError) -> TableError {
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

extension TableReference {
  /// The map of the lookup service that makes it forget what it knows of an address, which is the key.
  package static let forgetMap = "forget"

  package init(forgettingIn socket: [UInt8]) {
    self.init(type: "socketmap", name: Array("unix:".utf8) + socket + Array(":\(Self.forgetMap)".utf8))
  }

  /// What follows the name of a map of the lookup service if the key is only a part of an address.
  package static let partialMark = "/partial"

  /// What follows it if the answer must not come from the service's memory.
  package static let freshMark = "/fresh"

  /// The map that the lookup service at `socket` serves for `parameter`.
  package init(
    lookupService socket: [UInt8], _ parameter: Parameter, isPartial: Bool = false, isFresh: Bool = false
  ) {
    let map = parameter.rawValue + (isPartial ? Self.partialMark : "") + (isFresh ? Self.freshMark : "")
    self.init(type: "socketmap", name: Array("unix:".utf8) + socket + Array(":\(map)".utf8))
  }
}
