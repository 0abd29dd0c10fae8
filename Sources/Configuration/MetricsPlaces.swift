// SPDX-License-Identifier: Apache-2.0
import Text

/// Where the services show their counters: `metrics_socket`.
package struct MetricsPlaces: Sendable {
  /// A Unix socket, or a port.
  package enum Place: Equatable, Sendable {
    case socket([UInt8])
    case endpoint(NetworkEndpoint)
  }

  private let places: [String: Place]

  /// Parses items such as `policy=/run/ullage/policy-metrics` and `lookup=127.0.0.1:9120`.
  package init(_ file: ConfigurationFile) throws(ConfigurationError) {
    var places: [String: Place] = [:]
    for item in splitList(try file.value(of: .metrics_socket)) {
      guard let (service, text) = splitAssignment(item), ["lookup", "policy", "lmtp"].contains(service.text) else {
        throw file.bad(.metrics_socket, item, "name a service and a place, such as policy=/run/ullage/policy-metrics")
      }
      if text.first == UInt8(ascii: "/") {
        places[service.text] = .socket(text)
      } else {
        places[service.text] = .endpoint(try file.endpoint(.metrics_socket, text))
      }
    }
    self.places = places
  }

  /// Nil if the service shows its counters nowhere.
  package func place(of service: String) -> Place? { places[service] }
}
