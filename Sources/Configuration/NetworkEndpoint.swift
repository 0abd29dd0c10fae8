// SPDX-License-Identifier: Apache-2.0
import Text

/// Where a service listens on TCP.
package struct NetworkEndpoint: Equatable, Sendable {
  package let host: String
  package let port: Int

  package init(host: String, port: Int) {
    self.host = host
    self.port = port
  }
}

extension ConfigurationFile {
  func endpoint(_ parameter: Parameter) throws(ConfigurationError) -> NetworkEndpoint? {
    let value = try value(of: parameter)
    return value.isEmpty ? nil : try endpoint(parameter, value)
  }

  func endpoint(
    _ parameter: Parameter, _ value: [UInt8]
  ) throws(ConfigurationError) -> NetworkEndpoint {
    let colon = value.lastIndex(of: UInt8(ascii: ":")) ?? value.startIndex
    var host = value[..<colon]
    if host.first == UInt8(ascii: "["), host.last == UInt8(ascii: "]") { host = host.dropFirst().dropLast() }
    let digits = value[colon...].dropFirst()
    guard !host.isEmpty, digits.allSatisfy({ $0.isDigit }), let port = Int(digits.text), (1...65535).contains(port)
    else { throw bad(parameter, value, "be host:port, such as 127.0.0.1:10031") }
    return NetworkEndpoint(host: host.text, port: port)
  }
}

/// A service on TCP, and who may connect to it.
package struct NetworkAccess: Equatable, Sendable {
  /// Nil if the service is not on TCP.
  package let endpoint: NetworkEndpoint?
  package let clients: NetworkList

  init(_ file: ConfigurationFile, listen: Parameter, clients parameter: Parameter) throws(ConfigurationError) {
    endpoint = try file.endpoint(listen)
    var clients = NetworkList()
    for item in splitList(try file.value(of: parameter)) where !clients.add(item) {
      throw file.bad(parameter, item, "be addresses and networks, such as 192.0.2.0/24")
    }
    self.clients = clients
    guard endpoint == nil || !clients.isEmpty else {
      throw ConfigurationError(
        line: file.line(of: listen), "\(listen.rawValue) needs \(parameter.rawValue): the hosts that may connect")
    }
  }
}
