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
