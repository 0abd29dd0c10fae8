// SPDX-License-Identifier: Apache-2.0
package import Configuration
import Posix
import Socketmap
import Text

/// `socketmap:unix:/path:name` and `socketmap:inet:host:port:name`: a table served over a socket
/// (socketmap_table(5)), for instance by our lookup service.
final class SocketmapTable: LookupTable {
  let client: SocketmapClient
  /// The server's name and the map's.
  let name: [UInt8]
  private let reference: String
  private let map: [UInt8]

  /// Postfix looks up whole addresses only in these.
  var takesWholeAddressesOnly: Bool { true }

  /// - Parameter others: those of the same server share its connections.
  init(_ reference: TableReference, beside others: [SocketmapTable]) throws(TableError) {
    self.reference = reference.text
    let name = reference.name
    // A map's name has no colon; a path or an IPv6 address may have some.
    guard let colon = name.lastIndex(of: UInt8(ascii: ":")), colon + 1 < name.endIndex else {
      throw Self.syntaxError(reference)
    }
    let server = Array(name[..<colon])
    guard let client = others.first(where: { $0.client.name == server })?.client ?? SocketmapClient(server) else {
      throw Self.syntaxError(reference)
    }
    self.client = client
    self.name = name
    map = Array(name[(colon + 1)...])
  }

  private static func syntaxError(_ reference: TableReference) -> TableError {
    TableError(.configuration, reference.text, "expected socketmap:unix:/path:name or :inet:host:port:name")
  }

  func lookup(_ query: TableQuery, among tables: TableSet) throws(TableError) -> [UInt8]? {
    guard let request = request(for: query) else { return nil }
    let replies = try client.ask([request], until: query.deadline, for: reference)
    return try value(replies[0]).get()
  }

  /// Nil for a key that is too long for a server to read: it cannot be an address, and is not found, as in Postfix.
  func request(for query: TableQuery) -> [UInt8]? {
    let request = SocketmapRequest(map: map, key: query.key).payload
    return request.count <= SocketmapRequest.longest ? request : nil
  }

  func value(_ reply: SocketmapReply) -> Result<[UInt8]?, TableError> {
    switch reply {
    case .found(let value): .success(value)
    case .notFound: .success(nil)
    case .temporary(let reason):
      .failure(TableError(.temporary, reference, "the server has no answer: \(reason.text)", isAnswer: true))
    case .permanent(let reason):
      .failure(TableError(.configuration, reference, "the server refused: \(reason.text)", isAnswer: true))
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
