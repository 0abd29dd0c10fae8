// SPDX-License-Identifier: Apache-2.0
import Configuration
import Testing
import Text

/// The parameters of the policy service.
struct PolicySettingsTests {
  private static func settings(_ lines: String) throws(ConfigurationError) -> PolicySettings {
    let required = "virtual_alias_maps =\nmydestination =\nmyorigin =\n"
    let rest = required.split(separator: "\n").filter { !lines.contains($0.prefix { $0 != " " }) }
    return try PolicySettings(ConfigurationFile(parsing: Array((lines + "\n" + rest.joined(separator: "\n")).utf8)))
  }

  @Test("What says where mail goes must be set: without aliases, mail that goes elsewhere would be refused")
  func required() {
    for missing in ["virtual_alias_maps", "mydestination", "myorigin"] {
      let lines = ["virtual_alias_maps", "mydestination", "myorigin"].filter { $0 != missing }.map { "\($0) =\n" }
      let error = #expect(throws: ConfigurationError.self) {
        try PolicySettings(ConfigurationFile(parsing: Array(lines.joined().utf8)))
      }
      #expect(error?.message.hasPrefix("\(missing) must be set, perhaps to nothing") == true)
    }
  }

  @Test(
    "An error says which line, which value and what it must be",
    arguments: [
      ("policy_clients = host.example", "policy_clients must be addresses and networks, such as 192.0.2.0/24, not"),
      ("policy_listen = 127.0.0.1:10031", "policy_listen needs policy_clients: the hosts that may connect"),
      ("policy_listen = 10031", "policy_listen must be host:port, such as 127.0.0.1:10031, not \"10031\""),
      ("policy_rule = some", "policy_rule must be one of all, any, not \"some\""),
      ("policy_recount_time = 1h", "policy_recount_time must be a time from 0 to 4 seconds"),
      ("policy_exempt_clients = 1.2.3", "policy_exempt_clients must be addresses, networks and host names, not"),
      ("myorigin = /etc/mailname", "myorigin must be a domain name (of a file, the name that is in it), not"),
      ("virtual_alias_maps = /etc/aliases", "virtual_alias_maps must be tables"),
      ("policy_socket = policy", "policy_socket must begin with /"),
    ])
  func errors(line: String, message: String) throws {
    let error = #expect(throws: ConfigurationError.self) { try Self.settings(line) }
    #expect(error?.line == 1 && error?.message.hasPrefix(message) == true, "\(error?.message ?? "")")
  }

  @Test("A mistake in them does not concern deliveries")
  func harmless() throws {
    let base = "virtual_mailbox_base = /m\nvirtual_mailbox_maps = static:x/\n"
    for line in ["virtual_alias_maps = /etc/aliases", "policy_rule = some", "myorigin = /etc/mailname"] {
      _ = try Settings(ConfigurationFile(parsing: Array((base + line).utf8)))
    }
  }

  @Test("$mydomain is not defined by being a parameter: an empty path is never what was meant")
  func noDefault() throws {
    let text = "virtual_mailbox_base = /m/$mydomain\nvirtual_mailbox_maps = static:x/\n"
    #expect(throws: ConfigurationError.self) { try Settings(ConfigurationFile(parsing: Array(text.utf8))) }
    _ = try Settings(ConfigurationFile(parsing: Array((text + "mydomain = example.org\n").utf8)))
  }

  @Test("The domains of the mailboxes are by default the keys of virtual_mailbox_maps, as in Postfix")
  func domains() throws {
    #expect(try Self.settings("virtual_mailbox_maps = static:x/").aliases.mailboxDomains.text == "static:x/")
    #expect(try Self.settings("virtual_mailbox_domains = a b").aliases.mailboxDomains.text == "a b")
  }

  @Test("Clients are exempt by address, network, host name and domain")
  func exemptClients() throws {
    let clients = try Self.settings("policy_exempt_clients = 192.0.2.0/24, mail.example.net, .example.org")
      .exemptClients
    func contains(_ address: String, _ name: String) -> Bool {
      clients.contains(address: Array(address.utf8), name: Array(name.utf8))
    }
    #expect(contains("192.0.2.7", "unknown") && contains("203.0.113.1", "Mail.example.net"))
    #expect(contains("203.0.113.1", "a.example.org"))
    #expect(!contains("203.0.113.1", "example.org") && !contains("203.0.113.1", "x.mail.example.net"))
    #expect(!contains("203.0.113.1", ".example.org") && !contains("203.0.113.1", "unknown"))
  }

  @Test("Senders are exempt by address and domain; <> is the null sender")
  func exemptSenders() throws {
    let settings = try Self.settings("policy_exempt_senders = <>, Boss@example.net, example.org, @example.com")
    for sender in ["", "boss@EXAMPLE.net", "a@example.org", "b@example.com"] {
      #expect(settings.exempts(sender: Array(sender.utf8)), "\(sender)")
    }
    #expect(!settings.exempts(sender: Array("a@example.net".utf8)))
    #expect(try !Self.settings("").exempts(sender: []))
  }

  @Test("Each service has its own place for its counters")
  func metrics() throws {
    func places(_ value: String) throws(ConfigurationError) -> MetricsPlaces {
      try MetricsPlaces(ConfigurationFile(parsing: Array("metrics_socket = \(value)".utf8)))
    }
    let both = try places("lookup=/run/ullage/lookup-metrics, policy=[::1]:9120")
    #expect(both.place(of: "lookup") == .socket(Array("/run/ullage/lookup-metrics".utf8)))
    #expect(both.place(of: "policy") == .endpoint(.init(host: "::1", port: 9120)))
    #expect(try places("").place(of: "policy") == nil)
    for value in ["/run/x", "other=/run/x", "policy=run", "policy=host:0", "policy=:1"] {
      #expect(throws: ConfigurationError.self) { try places(value) }
    }
  }
}
