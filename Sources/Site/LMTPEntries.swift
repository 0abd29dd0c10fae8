// SPDX-License-Identifier: Apache-2.0
package import Configuration
import Text

/// An entry of master.cf that runs lmtp(8) for the LMTP service.
package struct LMTPEntry: Sendable, Equatable {
  package let service: MasterService
  /// Where Postfix sends mail by it, as far as that is the service; empty if no mail goes there now.
  package let nexthops: [String]

  package var isUsed: Bool { !nexthops.isEmpty }

  /// For `virtual_transport`.
  package var transport: Transport { Transport(service.name, to: nexthops.first ?? MasterEntry.lmtpNexthop) }
}

/// Finds the entries of master.cf that lead to the LMTP service: by where main.cf and the transport tables send mail
/// through them, or, while nothing does, by their name.
package struct LMTPEntries: Sendable {
  private let postfix: PostfixDirectory
  private let survey: Survey
  private let socket: [UInt8]?
  private let endpoint: NetworkEndpoint?

  /// - Parameter settings: nil if they are invalid; then the service is known by the name of its socket.
  package init(_ postfix: PostfixDirectory, _ survey: Survey, _ settings: LMTPSettings?) {
    self.postfix = postfix
    self.survey = survey
    socket = settings?.socket
    endpoint = settings?.network.endpoint
  }

  package func find() throws(ConfigurationError) -> [LMTPEntry] {
    let services = postfix.master.services(running: "lmtp").filter { $0.type == "unix" }
    guard !services.isEmpty else { return [] }
    let destinations = try TransportRoutes(postfix, survey).destinations()
    return services.compactMap { service in
      let isOurs = service.name.hasPrefix(Self.prefix)
      let nexthops = destinations.filter {
        $0.name == service.name && (Self.isOursByName($0) || leadsHere($0.nexthop))
      }.map(\.nexthop)
      return nexthops.isEmpty && !isOurs ? nil : LMTPEntry(service: service, nexthops: nexthops)
    }
  }

  /// What the name of an entry begins with that is known before mail goes there, and wherever it leads.
  package static let prefix = "ullage"

  /// Whether mail by a transport goes to the service, as far as its name tells.
  package static func isOursByName(_ transport: Transport) -> Bool {
    transport.name.hasPrefix(prefix) && ["unix:", "inet:"].contains { transport.nexthop.hasPrefix($0) }
  }

  private func leadsHere(_ nexthop: String) -> Bool {
    guard nexthop.hasPrefix("unix:") else { return leadsToEndpoint(nexthop) }
    if nexthop.hasSuffix("/ullage-lmtp") { return true }
    return socket.map { $0.elementsEqual((survey.socket(of: nexthop) ?? "").utf8) } ?? false
  }

  /// The port decides where either host is a name, and where the service listens on all addresses.
  private func leadsToEndpoint(_ nexthop: String) -> Bool {
    guard let endpoint, nexthop.hasSuffix(":\(endpoint.port)") else { return false }
    let host = nexthop.dropFirst(nexthop.hasPrefix("inet:") ? 5 : 0).dropLast(":\(endpoint.port)".count)
      .filter { !"[]".contains($0) }
    let areAddresses = [host, endpoint.host].allSatisfy { host in
      host.contains(":") || host.allSatisfy { $0.isNumber || $0 == "." }
    }
    return !areAddresses || host == endpoint.host || ["0.0.0.0", "::"].contains(endpoint.host)
  }
}
