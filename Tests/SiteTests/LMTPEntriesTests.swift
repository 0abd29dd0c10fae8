// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import TestSupport
import Testing

@testable import Site

/// main.cf and master.cf in, the entries that lead to the LMTP service out.
struct LMTPEntriesTests {
  private let sandbox: Sandbox

  init() throws { sandbox = try Sandbox() }

  private static let master = """
    lmtp unix - - y - - lmtp
    ullage_lmtp unix - - n - - lmtp flags=ORX
    dovecot unix - - n - - lmtp
    ullage unix - n n - 20 pipe user=vmail argv=/usr/libexec/ullage/ullage-deliver

    """

  /// `entry>nexthop` for each destination, and `entry` for one without.
  private func entries(_ main: String, master: String = master, settings: String = "") throws -> [String] {
    let files = try PostfixFiles(
      sandbox, main: "queue_directory = /q\n" + main.replacing("DIR", with: sandbox.path), master: master)
    let lmtp = try LMTPSettings(ConfigurationFile(parsing: Array(settings.utf8)))
    return try LMTPEntries(try PostfixDirectory(files.path), Survey(files.path), lmtp).find()
      .map { ([$0.service.name] + $0.nexthops).joined(separator: ">") }
  }

  @Test(
    "An entry is known by where mail goes through it, and the one of the manual by its name before any does",
    arguments: [
      ("", "", ["ullage_lmtp"]),
      ("virtual_transport = ullage_lmtp", "", ["ullage_lmtp"]),
      ("virtual_transport = ullage_lmtp:unix:private/ullage-lmtp", "", ["ullage_lmtp>unix:private/ullage-lmtp"]),
      ("virtual_transport = ullage_lmtp:unix:/run/mine", "", ["ullage_lmtp>unix:/run/mine"]),
      ("virtual_transport = dovecot:unix:private/dovecot-lmtp", "", ["ullage_lmtp"]),
      (
        "virtual_transport = lmtp:unix:private/ullage-lmtp", "",
        ["lmtp>unix:private/ullage-lmtp", "ullage_lmtp"]
      ),
      ("virtual_transport = lmtp:unix:run/x", "lmtp_socket = /q/run/x\n", ["lmtp>unix:run/x", "ullage_lmtp"]),
      ("virtual_transport = lmtp:unix:run/y", "lmtp_socket = /q/run/x\n", ["ullage_lmtp"]),
      (
        "relay_transport = lmtp:inet:[192.0.2.1]:2400", "lmtp_listen = 192.0.2.1:2400\nlmtp_clients = 192.0.2.2\n",
        ["lmtp>inet:[192.0.2.1]:2400", "ullage_lmtp"]
      ),
      // Another host's service, on the same port.
      (
        "relay_transport = lmtp:inet:192.0.2.3:2400", "lmtp_listen = 192.0.2.1:2400\nlmtp_clients = 192.0.2.2\n",
        ["ullage_lmtp"]
      ),
      (
        "relay_transport = lmtp:inet:192.0.2.3:2400", "lmtp_listen = 0.0.0.0:2400\nlmtp_clients = 192.0.2.2\n",
        ["lmtp>inet:192.0.2.3:2400", "ullage_lmtp"]
      ),
      (
        "relay_transport = lmtp:[192.0.2.1]:2400", "lmtp_listen = 192.0.2.1:2400\nlmtp_clients = 192.0.2.2\n",
        ["lmtp>[192.0.2.1]:2400", "ullage_lmtp"]
      ),
      (
        "relay_transport = lmtp:inet:store.d:2400", "lmtp_listen = 192.0.2.1:2400\nlmtp_clients = 192.0.2.2\n",
        ["lmtp>inet:store.d:2400", "ullage_lmtp"]
      ),
      (
        "transport_maps = inline:{ a.org=dovecot:unix:private/ullage-lmtp, b.org=ullage_lmtp: }", "",
        ["ullage_lmtp", "dovecot>unix:private/ullage-lmtp"]
      ),
      ("transport_maps = texthash:DIR/table", "", ["ullage_lmtp>unix:a>unix:b"]),
    ])
  func found(main: String, settings: String, expected: [String]) throws {
    try sandbox.write("table", "a.org ullage_lmtp:unix:a\nb.org ullage_lmtp:unix:b\nc.org ullage_lmtp:unix:a\n")
    try Command.check(["touch", "-d", "1 hour ago", sandbox("table")])
    #expect(try entries(main + "\n", settings: settings) == expected)
  }

  @Test("Without an entry that runs lmtp(8) no table is asked")
  func none() throws {
    #expect(try entries("virtual_transport = ullage\n", master: PostfixFiles.virtual) == [])
  }

  @Test(
    "A transport is a name and perhaps a nexthop (transport(5))",
    arguments: [
      ("a", "a", "", "a", "a:"), ("a:", "a", "", "a", "a:"), ("a:unix:b", "a", "unix:b", "a:unix:b", "a:unix:b"),
      (":[10.0.0.1]", "", "[10.0.0.1]", ":[10.0.0.1]", ":[10.0.0.1]"), ("", "", "", "", ":"),
    ])
  func transport(text: String, name: String, nexthop: String, shown: String, field: String) {
    let transport = Transport(text)
    #expect(transport.name == name && transport.nexthop == nexthop)
    #expect(transport.text == shown && transport.field == field)
  }

  @Test("Domains go to a socket and back, with or without a nexthop before, and others stay")
  func tables() throws {
    let text = "a.org virtual:\nb.org virtual\nc.org  virtual:[x]\nd.org virtual2:\n# virtual:\ne.org smtp:virtual\n"
    try sandbox.write("transport", text, mode: 0o644)
    try Command.check(["touch", "-d", "1 hour ago", sandbox("transport")])
    let files = try PostfixFiles(sandbox, main: "transport_maps = texthash:\(sandbox("transport"))\n")
    let route = try TransportRoutes(try PostfixDirectory(files.path), Survey(files.path))
      .routes(to: "virtual", instead: Transport("ullage_lmtp", to: "unix:private/ullage-lmtp")).first
    let change = try #require(route?.change)
    for command in change.commandsThere { try Command.check(command.words) }
    let new = "ullage_lmtp:unix:private/ullage-lmtp"
    #expect(
      sandbox.text("transport")
        == "a.org \(new)\nb.org \(new)\nc.org  \(new)\nd.org virtual2:\n# virtual:\ne.org smtp:virtual\n")
    for command in change.commandsBack { try Command.check(command.words) }
    #expect(
      sandbox.text("transport")
        == "a.org virtual:\nb.org virtual:\nc.org  virtual:\nd.org virtual2:\n# virtual:\ne.org smtp:virtual\n")
  }

  @Test("PostfixAdmin's domains go to a socket and back by its name")
  func statements() throws {
    let files = try PostfixFiles(sandbox, main: "transport_maps = pgsql:/nonexistent\n")
    let change = try TransportRoutes(try PostfixDirectory(files.path), Survey(files.path))
      .routes(to: "ullage", instead: Transport("ullage_lmtp:unix:private/ullage-lmtp")).first?.change
    #expect(
      change?.statementThere
        == "UPDATE domain SET transport = 'ullage_lmtp:unix:private/ullage-lmtp' WHERE transport IN ('ullage',"
        + " 'ullage:');")
    #expect(
      change?.statementBack
        == "UPDATE domain SET transport = 'ullage:' WHERE transport = 'ullage_lmtp:unix:private/ullage-lmtp';")
  }
}
