// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Posix
import TestSupport
import Testing
import Text

@testable import Site

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// main.cf and master.cf as text in and values out; `PostconfTests` compares them with postconf(1).
struct MainFileTests {
  private func entries(_ text: String) throws -> [String: MainFile.Entry] { try MainFile(parsing: bytes(text)).entries }

  @Test("Comments and blank lines are skipped, continuation lines joined, and the last of two lines applies")
  func lines() throws {
    let entries = try entries("# c\n\na = 1\n  2\n# between\n\t3\nb=\nc = x # y\na.b = 4\nb = 5\n")
    #expect(entries["a"] == .init(value: bytes("1  2\t3"), line: 3))
    #expect(entries["b"] == .init(value: bytes("5"), line: 10))
    #expect(entries["c"]?.value == bytes("x # y"))
    #expect(entries["a.b"]?.value == bytes("4"))
  }

  @Test("A line without = is an error that gives its number", arguments: ["a = 1\n\nnonsense\n", "\n\nx y\n"])
  func badLine(text: String) throws {
    let error = #expect(throws: ConfigurationError.self) { try MainFile(parsing: bytes(text)) }
    #expect(error?.line == 3 && error?.message.hasPrefix("expected name = value, found \"") == true)
  }
}

struct MasterFileTests {
  private func services(_ text: String) throws -> [MasterService] { try MasterFile(parsing: bytes(text)).services }

  @Test("An entry's fields, its -o settings, and what pipe(8) is told")
  func fields() throws {
    let services = try services(
      """
      # service type  private unpriv  chroot  wakeup  maxproc command + args
      smtp      inet  n       -       y       -       -       smtpd
        -o smtpd_tls_security_level=none -osoft_bounce=no
        -o { mynetworks = 127.0.0.1 10.0.0.0/8 }
      ullage    unix  -       n       n       -       20      pipe -o soft_bounce=yes
        flags=DORXhu user=vmail:vmail null_sender= argv=/usr/libexec/ullage-deliver --sender=${sender} { a b }
        user=not-an-attribute

      """)
    try #require(services.count == 2)
    let (smtp, ullage) = (services[0], services[1])
    #expect(smtp.name == "smtp" && smtp.type == "inet" && smtp.command == "smtpd" && smtp.line == 2)
    #expect(smtp.isUnprivileged && smtp.isChrooted == true && smtp.processLimit == nil)
    #expect(
      smtp.overrides == ["smtpd_tls_security_level": "none", "soft_bounce": "no", "mynetworks": "127.0.0.1 10.0.0.0/8"])
    #expect(smtp.attributes.isEmpty && smtp.program.isEmpty)
    #expect(!ullage.isUnprivileged && ullage.isChrooted == false && ullage.processLimit == 20)
    #expect(ullage.overrides == ["soft_bounce": "yes"])
    #expect(ullage.attributes == ["flags": "DORXhu", "user": "vmail:vmail", "null_sender": ""])
    #expect(
      ullage.program == ["/usr/libexec/ullage-deliver", "--sender=${sender}", "a b", "user=not-an-attribute"])
  }

  @Test("A field that is - leaves the matter open")
  func open() throws {
    let service = try #require(try services("a unix - - - - - virtual\n").first)
    #expect(service.isChrooted == nil && service.processLimit == nil && service.isUnprivileged)
  }

  @Test("An attribute is set where it stands, or before argv=")
  func setting() throws {
    let service = try #require(
      try services("a unix - n n - - pipe user=x argv=/p --user=y { b c }\n").first)
    #expect(
      service.commandLine(setting: [("user", "vmail")], running: ["/p", "--user=y", "b c"])
        == "pipe user=vmail argv=/p --user=y { b c }")
    #expect(
      service.commandLine(setting: [("flags", "O"), ("null_sender", "")], running: ["/q", "-z"])
        == "pipe user=x flags=O null_sender= argv=/q -z")
  }

  @Test(
    "An option is set where it stands, and the others stay",
    arguments: [
      ("-o t=1", "-o t=9s"), ("-ot=1", "-o t=9s"), ("-o { t = 1 2 }", "-o t=9s"),
      ("-v -o u=1 -o t=1", "-v -o u=1 -o t=9s"),
      ("-o u=1", "-o u=1"), ("", ""),
    ])
  func option(given: String, written: String) throws {
    let service = try #require(try services("a unix - n n - - pipe \(given) user=x argv=/p\n").first)
    let line = service.commandLine(setting: [], options: ["t": "9s"], running: ["/p"])
    #expect(line == "pipe \(written) user=x argv=/p".replacing("  ", with: " "))
  }

  @Test("Of several services with a name, the last one that takes mail is the transport")
  func transport() throws {
    let file = try MasterFile(
      parsing: bytes("a inet - n n - - smtpd\na unix - n n - - virtual\na unix - n n - - pipe user=x argv=/p\n"))
    #expect(file.transport("a")?.command == "pipe" && file.transport("b") == nil)
    #expect(file.services(running: "virtual").map(\.line) == [2])
  }

  @Test(
    "What is no entry is an error with its line",
    arguments: [("a unix - n n - -\n", "expected eight fields"), ("a unix - n n - - p { x\n", "never closed")])
  func bad(text: String, message: String) {
    let error = #expect(throws: ConfigurationError.self) { try MasterFile(parsing: bytes(text)) }
    #expect(error?.line == 1 && error?.message.contains(message) == true)
  }
}

struct PostfixTimeTests {
  @Test(
    "A time of Postfix in seconds",
    arguments: [
      ("0", 0), ("90", 90), ("5s", 5), ("2m", 120), ("1H", 3600), ("2d", 172_800), ("1w", 604_800), ("", nil),
      ("s", nil),
      ("-1", nil), ("1.5h", nil), ("5x", nil), ("99999999999999999999", nil), ("9999999999999", nil),
    ] as [(String, Int64?)])
  func seconds(text: String, seconds: Int64?) {
    #expect(postfixSeconds(text) == seconds)
  }
}

struct PostfixDirectoryTests {
  private let sandbox: Sandbox

  init() throws { sandbox = try Sandbox() }

  private func directory(_ main: String, master: String = PostfixFiles.virtual) throws -> PostfixDirectory {
    try PostfixDirectory(try PostfixFiles(sandbox, main: main, master: master).path)
  }

  @Test("A value is expanded; -o overrides main.cf, which overrides the defaults")
  func value() throws {
    let postfix = try directory(
      "base = /var\nvirtual_mailbox_base = $base/vmail\nvirtual_mailbox_limit = 5\n",
      master: "a unix - n n - - virtual -o base=/srv -o virtual_mailbox_limit=7\n")
    let service = try #require(postfix.master.services.first)
    #expect(try postfix.value(of: "virtual_mailbox_base") == "/var/vmail")
    #expect(try postfix.value(of: "virtual_mailbox_base", for: service) == "/srv/vmail")
    #expect(try postfix.value(of: "virtual_mailbox_limit", for: service) == "7")
    #expect(try postfix.value(of: "command_time_limit") == "1000s")
    #expect(try postfix.value(of: "config_directory") == postfix.path)
    #expect(try postfix.value(of: "unheard_of") == nil)
  }

  @Test("A value that Postfix cannot use either is an error that says where it is")
  func badValue() throws {
    let postfix = try directory("a = $b\nb = $a\nc = ${x\n", master: "s unix - n n - - virtual -o d=${y\n")
    let circle = #expect(throws: ConfigurationError.self) { try postfix.value(of: "a") }
    #expect(circle?.message.contains("refers to itself") == true)
    #expect(#expect(throws: ConfigurationError.self) { try postfix.value(of: "c") }?.line == 3)
    let service = try #require(postfix.master.services.first)
    let own = #expect(throws: ConfigurationError.self) { try postfix.value(of: "d", for: service) }
    #expect(own?.message.hasPrefix("-o d in master.cf, line 1: ") == true)
  }

  @Test("A directory without main.cf, and a file with a mistake, are errors that name the file")
  func unusable() throws {
    let missing = #expect(throws: PostfixError.self) { try PostfixDirectory(sandbox("none")) }
    #expect(missing?.shown.contains("\(sandbox("none"))/main.cf") == true)
    let files = try PostfixFiles(sandbox, main: "nonsense\n")
    let bad = #expect(throws: PostfixError.self) { try PostfixDirectory(files.path) }
    #expect(bad?.shown.contains("main.cf") == true && bad?.shown.contains("nonsense") == true)
  }

  @Test("Commands name the directory if it is not /etc/postfix")
  func commands() throws {
    let postfix = try directory("")
    #expect(postfix.postconf("-e", "a=b").line == "postconf -c \(postfix.path) -e a=b")
    #expect(postfix.reload.line == "postfix -c \(postfix.path) reload")
    #expect(postfix.check("/x.cf").line == "ullage check --config=/x.cf --postfix=\(postfix.path)")
    #expect(
      postfix.check(Ullage.configurationFile, isOther: true).line
        == "ullage check --config=\(Ullage.configurationFile) --postfix=\(postfix.path)")
    #expect(postfix.check(Ullage.configurationFile).line == "ullage check --postfix=\(postfix.path)")
  }

  @Test(
    "A path is made absolute, without slashes at its end",
    arguments: [("/etc/postfix/", "/etc/postfix"), ("/etc/postfix/.", "/etc/postfix"), ("/", "/"), ("//", "/")])
  func absolute(path: String, absolute: String) {
    #expect(PostfixDirectory.absolute(path) == absolute)
  }
}

/// The domains that `transport_maps` send to a transport.
struct TransportRoutesTests {
  private let sandbox: Sandbox

  init() throws { sandbox = try Sandbox() }

  private func routes(_ maps: String, to transport: String = "virtual") throws -> [TransportRoute] {
    let files = try PostfixFiles(sandbox, main: "transport_maps = \(maps)\n")
    return try TransportRoutes(try PostfixDirectory(files.path), Survey(files.path))
      .routes(to: transport, instead: Transport("ullage"))
  }

  @Test("Entries with and without a next hop count; other transports do not")
  func texthash() throws {
    let table = "a.org virtual:\nb.org virtual:[x]\nc.org virtual\nd.org smtp:virtual\ne.org virtual2:\n"
    try sandbox.write("transport", table, mode: 0o644)
    try Command.check(["touch", "-d", "1 hour ago", sandbox("transport")])
    let found = try routes("texthash:\(sandbox("transport"))")
    let domains = try #require(found.first).domains
    #expect(try domains.get().count == 3)
    #expect(try domains.get().example == "a.org")
    let change = try #require(found.first?.change)
    #expect(change.commandsThere.map { $0.words.first } == ["sed"] && change.statementThere == nil)
  }

  @Test("A dot in the name of a transport matches a dot only")
  func dots() throws {
    try sandbox.write("transport", "a.org my.virtual:\nb.org myxvirtual:\n", mode: 0o644)
    try Command.check(["touch", "-d", "1 hour ago", sandbox("transport")])
    let change = try #require(try routes("texthash:\(sandbox("transport"))", to: "my.virtual").first?.change)
    for command in change.commandsThere { try Command.check(command.words) }
    #expect(sandbox.text("transport") == "a.org ullage:\nb.org myxvirtual:\n")
    for command in change.commandsBack { try Command.check(command.words) }
    #expect(sandbox.text("transport") == "a.org my.virtual:\nb.org myxvirtual:\n")
  }

  @Test("An inline table is read, and must be changed by hand")
  func inline() throws {
    let found = try routes("inline:{ a.org=virtual:, { b.org = virtual:[x y] } }")
    #expect(try found.first?.domains.get().count == 2)
    #expect(found.first?.change == nil)
  }

  @Test("A table that answers one domain at a time is unknown, and so is a file that is missing")
  func unknown() throws {
    for table in ["ldap:/x", "texthash:/nonexistent"] {
      let found = try #require(try routes(table).first)
      guard case .failure(let failure) = found.domains else {
        Issue.record("\(table) has an answer")
        continue
      }
      #expect(!failure.text.isEmpty && found.change == nil)
    }
  }

  @Test("A name that could change an SQL statement is looked for nowhere")
  func hostile() throws {
    #expect(try routes("pgsql:/x", to: "a'b").isEmpty)
  }
}
