// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Posix
package import Postgres
import Text

/// The connection settings of a table file. Tables with equal settings share connections.
package struct ConnectionSettings: Hashable, Sendable {
  /// libpq's keywords for each host, in the order in which the hosts are tried.
  package let hosts: [[Keyword]]

  /// A keyword of libpq and its value.
  package struct Keyword: Hashable, Sendable {
    package let name: String
    package let value: [UInt8]
  }

  /// - Parameter hosts: `unix:/dir`, `/dir`, `inet:host:port`, `host:port` or `postgresql://…`, separated by
  ///   blanks or commas; empty for TCP to localhost.
  package init(
    hosts: [UInt8], user: [UInt8], password: [UInt8], database: [UInt8], encoding: [UInt8]
  ) throws(ConfigurationError) {
    var items = splitList(hosts)
    if items.isEmpty { items = [Array("localhost".utf8)] }
    var all: [[Keyword]] = []
    for host in items {
      let common = [
        Keyword(name: "client_encoding", value: encoding),
        Keyword(name: "fallback_application_name", value: Array("ullage".utf8)),
      ]
      if host.contains(text: "://") {
        all.append([Keyword(name: "dbname", value: host)] + common)
        continue
      }
      guard !database.isEmpty else { throw ConfigurationError("dbname is missing") }
      // dbname may be a whole connection string; the keywords after it override its parts.
      let account = [Keyword(name: "user", value: user), Keyword(name: "password", value: password)]
      all.append(
        [Keyword(name: "dbname", value: database)] + Self.address(host) + account.filter { !$0.value.isEmpty } + common)
    }
    self.hosts = all
  }

  /// Seconds that one host has to accept a connection, and to answer a query.
  package static let answerTimeout: Int64 = 5

  /// A connection to the first of the hosts that answers.
  ///
  /// - Parameter writes: only a host that is no standby will do.
  package func connect(until deadline: Deadline, writes: Bool = false) throws(PostgresError) -> PostgresConnection {
    var failure = PostgresError.timedOut
    for host in hosts {
      let share = deadline.slice(seconds: Self.answerTimeout)
      do {
        let connection = try PostgresConnection(host.map { ($0.name, $0.value) }, until: share)
        guard writes, try connection.isStandby(until: share) else { return connection }
        failure = .notConnected("only a standby answers, and it cannot be written to")
      } catch { failure = error }
    }
    throw failure
  }

  /// The port follows the last colon; an IPv6 address is in brackets.
  private static func address(_ host: [UInt8]) -> [Keyword] {
    let text = host.text
    if text.hasPrefix("unix:") { return [Keyword(name: "host", value: Array(host.dropFirst(5)))] }
    if text.hasPrefix("/") { return [Keyword(name: "host", value: host)] }
    let address = text.hasPrefix("inet:") ? Array(host.dropFirst(5)) : host
    guard let colon = address.lastIndex(of: UInt8(ascii: ":")), !address[colon...].contains(UInt8(ascii: "]")) else {
      return [Keyword(name: "host", value: unbracketed(address))]
    }
    return [
      Keyword(name: "host", value: unbracketed(Array(address[..<colon]))),
      Keyword(name: "port", value: Array(address[(colon + 1)...])),
    ]
  }

  private static func unbracketed(_ host: [UInt8]) -> [UInt8] {
    host.first == UInt8(ascii: "[") && host.last == UInt8(ascii: "]") ? Array(host.dropFirst().dropLast()) : host
  }
}
