// SPDX-License-Identifier: Apache-2.0
import Text

/// The parameters of the policy service, `ullaged policy`. Deliveries do not read them.
package struct PolicySettings: Sendable {
  package let aliases: AliasSettings
  /// Nil if it is set nowhere but in a unit of systemd.
  package let socket: [UInt8]?
  package let network: NetworkAccess
  /// Whether one full target is enough for a refusal.
  package let refusesForAny: Bool
  /// Seconds; zero means that nothing is counted.
  package let recountTime: Int64
  /// Percent.
  package let sizeSlack: Int64
  /// In lower case.
  package let uncountedDomains: [[UInt8]]
  package let exemptClients: ClientList
  /// In lower case: addresses, domains, and an empty text for the null sender.
  package let exemptSenders: [[UInt8]]
  package let usageMaps: [TableReference]
  package let usageIsLive: Bool

  /// - Throws: `ConfigurationError` for the first value of the wrong type or out of bounds.
  package init(_ file: ConfigurationFile) throws(ConfigurationError) {
    for parameter in AliasSettings.required where file.line(of: parameter) == nil {
      throw ConfigurationError(
        "\(parameter.rawValue) must be set, perhaps to nothing: copy the line that this prints:"
          + " postconf -x \(parameter.rawValue)"
      )
    }
    aliases = try AliasSettings(file)
    let socket = try file.path(.policy_socket)
    self.socket = socket.isEmpty ? nil : socket
    network = try NetworkAccess(file, listen: .policy_listen, clients: .policy_clients)
    refusesForAny = try file.choice(.policy_rule) == "any"
    recountTime = try file.seconds(.policy_recount_time)
    sizeSlack = try file.integer(.policy_size_slack)
    uncountedDomains = splitList(try file.value(of: .policy_uncounted_domains)).map(foldCase)
    exemptClients = try ClientList(file)
    exemptSenders = splitList(try file.value(of: .policy_exempt_senders)).map { item in
      let sender = foldCase(item)
      if sender.elementsEqual("<>".utf8) { return [] }
      return sender.first == UInt8(ascii: "@") ? Array(sender.dropFirst()) : sender
    }
    usageMaps = try file.tables(.policy_usage_maps)
    usageIsLive = try file.yesNo(.policy_usage_is_live)
  }

  package var hasExemptions: Bool { !exemptSenders.isEmpty || !exemptClients.isEmpty }

  /// Whether mail from `sender` is never refused; empty for the null sender.
  package func exempts(sender: [UInt8]) -> Bool {
    guard !exemptSenders.isEmpty else { return false }
    let sender = foldCase(sender)
    let domain = sender.lastIndex(of: UInt8(ascii: "@")).map { Array(sender[($0 + 1)...]) }
    return exemptSenders.contains { $0 == sender || $0 == domain }
  }

  /// Whether a target in `domain` is left out; upper and lower case are the same.
  package func leavesOut(domain: [UInt8]) -> Bool { uncountedDomains.contains(foldCase(domain)) }
}

/// Clients by address, network, host name, or the domain of a host name (`.example.org`).
package struct ClientList: Sendable {
  private var networks = NetworkList()
  private var names: [[UInt8]] = []

  var isEmpty: Bool { networks.isEmpty && names.isEmpty }

  init(_ file: ConfigurationFile) throws(ConfigurationError) {
    for item in splitList(try file.value(of: .policy_exempt_clients)) where !networks.add(item) {
      guard item.allSatisfy({ $0.isNameCharacter || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }),
        item.contains(where: { $0.isASCIILetter })
      else { throw file.bad(.policy_exempt_clients, item, "be addresses, networks and host names") }
      names.append(foldCase(item))
    }
  }

  /// - Parameters:
  ///   - address: as text.
  ///   - name: the verified name of the client's host, `unknown` if there is none.
  package func contains(address: [UInt8], name: [UInt8]) -> Bool {
    if networks.contains(address) { return true }
    let name = foldCase(name)
    return names.contains { item in
      item.first == UInt8(ascii: ".")
        ? name.count > item.count && name.suffix(item.count).elementsEqual(item) : item == name
    }
  }
}
