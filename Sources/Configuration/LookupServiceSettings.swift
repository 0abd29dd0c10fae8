// SPDX-License-Identifier: Apache-2.0

/// The parameters of the lookup service, `ullaged lookup`, and of its clients.
package struct LookupServiceSettings: Sendable {
  /// Where the service is queried, nil if the tables are read directly.
  package let socket: [UInt8]?
  /// Whether the tables are read directly while the service does not answer.
  package let fallsBack: Bool
  /// The largest number of database connections.
  package let connections: Int
  /// Seconds; zero means that no answer is cached.
  package let cacheTime: Int64
  /// Seconds; zero means that no stale answer is given.
  package let staleTime: Int64

  init(_ file: ConfigurationFile) throws(ConfigurationError) {
    let socket = try file.path(.lookup_socket)
    self.socket = socket.isEmpty ? nil : socket
    fallsBack = try file.yesNo(.lookup_fallback)
    connections = Int(try file.integer(.lookup_connections))
    cacheTime = try file.seconds(.lookup_cache_time)
    staleTime = try file.seconds(.lookup_stale_time)
  }
}
