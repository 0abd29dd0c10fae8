// SPDX-License-Identifier: Apache-2.0
import Configuration
import Testing
import Text

/// The arguments that pipe(8) passes: bytes that a sender may have chosen.
struct DeliveryRequestTests {
  private static func parse(_ arguments: [[UInt8]]) -> (DeliveryRequest, UsageError?) {
    var request = DeliveryRequest()
    do { try request.parse(arguments) } catch { return (request, error) }
    return (request, nil)
  }

  private static func parse(_ arguments: String...) -> (DeliveryRequest, UsageError?) {
    parse(arguments.map { Array($0.utf8) })
  }

  @Test("The arguments that the manual gives, in any order")
  func all() {
    let (request, error) = Self.parse(
      "--size=1234", "--queue-id=4Abc", "--original-recipient=Info@example.org", "--recipient=you@example.org",
      "--sender=me@example.net", "--config=/etc/other.cf")
    #expect(error == nil)
    #expect(request.sender.text == "me@example.net" && request.recipient.text == "you@example.org")
    #expect(request.originalRecipient.text == "Info@example.org" && request.queueID.text == "4Abc")
    #expect(request.size.text == "1234" && request.configurationFile.text == "/etc/other.cf")
  }

  @Test("A bounce has no sender, but its option is there; what is optional may be missing")
  func bounce() {
    let (request, error) = Self.parse("--sender=", "--recipient=you@example.org")
    #expect(error == nil && request.sender == [] && request.queueID == [] && request.size == [])
    #expect(request.configurationFile.text == Ullage.configurationFile)
  }

  @Test(
    "A value is taken as it is: blanks, equals signs, dashes, quotes, bytes that are no text",
    arguments: [
      Array("a b@c".utf8), Array("--recipient=x@y".utf8), Array("-rf@example.org".utf8), Array("a=b@c".utf8),
      Array("\"a\nb\"@c".utf8), [0xFF, 0xFE, 64, 97], Array("$(id)@c".utf8),
    ])
  func values(value: [UInt8]) {
    let (request, error) = Self.parse([Array("--sender=".utf8) + value, Array("--recipient=".utf8) + value])
    #expect(error == nil && request.sender == value && request.recipient == value)
  }

  @Test(
    "What pipe(8) should not have been told is an error that says so",
    arguments: [
      (["--sender=a"], UsageError.missing("--recipient")), (["--recipient=a"], .missing("--sender")),
      ([], .missing("--sender")), (["--sender=a", "--recipient="], .missing("--recipient")),
      (["--sender=a", "--recipient=b", "--recipient=c"], .severalRecipients),
      (["--sender=a", "--sender=b", "--recipient=c"], .twice("--sender")),
      (["--sender=a", "--recipient=b", "--nonsense=1"], .unknownOption(Array("--nonsense".utf8))),
      (["--sender=a", "--recipient=b", "c"], .unknownOption(Array("c".utf8))),
      (["--sender", "a", "--recipient=b"], .unknownOption(Array("--sender".utf8))),
      (["--sender=a", "--recipient=b", "--recipientx=c"], .unknownOption(Array("--recipientx".utf8))),
      (["--sender=a", "--recipient=b", ""], .unknownOption([])),
    ])
  func errors(arguments: [String], expected: UsageError) {
    #expect(Self.parse(arguments.map { Array($0.utf8) }).1 == expected)
  }

  @Test("Of several errors the first counts, and whatever could be parsed is kept for the log")
  func kept() {
    let (request, error) = Self.parse(
      "--nonsense", "--queue-id=4Abc", "--queue-id=5Def", "--sender=a", "--recipient=b", "--recipient=c")
    #expect(error == .unknownOption(Array("--nonsense".utf8)))
    #expect(request.queueID.text == "4Abc" && request.sender.text == "a" && request.recipient.text == "b")
  }

  @Test(
    "Each error is a sentence that names the option and the place to look",
    arguments: [
      (UsageError.missing("--sender"), "--sender= is missing; check argv= in master.cf"),
      (.twice("--size"), "--size was given twice; check argv= in master.cf"),
      (.unknownOption([0x1B, 0x41]), "unknown option \\033A; options are --name=value"),
      (
        .severalRecipients,
        "several recipients at once; run: postconf -e ullage_destination_recipient_limit=1 (with your transport's name)"
      ),
    ])
  func sentences(error: UsageError, sentence: String) {
    #expect(error.shown == sentence)
  }
}

/// Tables as a parameter names them.
struct TableReferenceTests {
  private static func reference(_ text: String) -> TableReference? { TableReference(Array(text.utf8)) }

  @Test(
    "A table is a type, a colon and a name, which may be anything",
    arguments: [
      ("hash:/etc/x", "hash", "/etc/x"), ("pgsql:/etc/a b", "pgsql", "/etc/a b"), ("static:", "static", ""),
      ("inline:{ a=b:c }", "inline", "{ a=b:c }"), ("proxy:pgsql:/x", "proxy", "pgsql:/x"),
      ("tcp:host:25", "tcp", "host:25"),
    ])
  func valid(text: String, type: String, name: String) {
    #expect(Self.reference(text) == TableReference(type: type, name: Array(name.utf8)))
    #expect(Self.reference(text)?.text == text)
  }

  @Test("Anything else is none", arguments: ["", ":", ":/etc/x", "/etc/x", "ha sh:/x", "a/b:c", "hash"])
  func invalid(text: String) {
    #expect(Self.reference(text) == nil)
  }

  @Test("proxymap(8) serves Postfix only, so what counts is the table behind it, however often it is named")
  func proxy() {
    #expect(Self.reference("proxy:pgsql:/x")?.behindProxy == Self.reference("pgsql:/x"))
    #expect(Self.reference("proxy:proxy:hash:/x")?.behindProxy == Self.reference("hash:/x"))
    #expect(Self.reference("hash:/x")?.behindProxy == Self.reference("hash:/x"))
    #expect(Self.reference("proxy:nonsense")?.behindProxy == Self.reference("proxy:nonsense"))
  }
}

/// Rules that concern more than the type of one value.
struct SettingsTests {
  private static let base = "virtual_mailbox_base = /m\nvirtual_mailbox_maps = static:x/\n"

  private static func settings(_ lines: String, base: String = base) throws(ConfigurationError) -> Settings {
    try Settings(ConfigurationFile(parsing: Array((base + lines).utf8)))
  }

  @Test(
    "An error says which line, which value and what it must be",
    arguments: [
      (
        "virtual_mailbox_limit = 10M\n", 3,
        "virtual_mailbox_limit must be a whole number from 0 to \(Int64.max), not \"10M\""
      ),
      ("virtual_overquota_bounce = maybe\n", 3, "virtual_overquota_bounce must be yes or no, not \"maybe\""),
      (
        "virtual_mailbox_limit_maps = /etc/x\n", 3,
        "virtual_mailbox_limit_maps must be tables, such as pgsql:/etc/file.cf, not \"/etc/x\""
      ),
      ("lookup_socket = relative\n", 3, "lookup_socket must begin with /, not \"relative\""),
      ("lookup_connections = 0\n", 3, "lookup_connections must be a whole number from 1 to 100, not \"0\""),
      (
        "lookup_cache_time = 2h\n", 3,
        "lookup_cache_time must be a time from 0 to 3600 seconds, such as 90s, not \"2h\""
      ),
      ("\n\nvirtual_maildir_suffix = Maildir\n", 5, "virtual_maildir_suffix must end in /"),
      ("virtual_minimum_uid = 0\n", 3, "virtual_minimum_uid must be a whole number from 1 to 4294967294, not \"0\""),
      (
        "virtual_maildir_filter = yes\n", 3,
        "VDA's maildir filter does not exist here; filter with Sieve, and set virtual_maildir_filter = no"
      ),
      (
        "virtual_maildir_filter_maps = static:x\n", 3,
        "VDA's maildir filter does not exist here; filter with Sieve, and set virtual_maildir_filter = no"
      ),
      (
        "mailbox_list_database = hash:/etc/x\n", 3,
        "mailbox_list_database must be a pgsql: table, such as pgsql:/etc/file.cf, not \"hash:/etc/x\""
      ),
      (
        "lookup_socket = /run/l\nvirtual_uid_maps = proxy:socketmap:unix:/run/l:x\n", 4,
        "virtual_uid_maps names lookup_socket itself; name the tables that the service should query"
      ),
      ("virtual_trash_nam = x\n", 3, "unknown parameter virtual_trash_nam; see ullage.cf(5) for the names"),
      ("virtual_maildir_limit_message =\n", 3, "virtual_maildir_limit_message must be set"),
    ])
  func errors(lines: String, line: Int, message: String) {
    let error = #expect(throws: ConfigurationError.self) { try Self.settings(lines) }
    #expect(error == ConfigurationError(line: line, message))
  }

  @Test(
    "What has no default must be set",
    arguments: [
      ("virtual_mailbox_maps = static:x/\n", "virtual_mailbox_base must be set"),
      ("virtual_mailbox_base = /m\n", "virtual_mailbox_maps must be set"),
      ("virtual_mailbox_base =\nvirtual_mailbox_maps = static:x/\n", "virtual_mailbox_base must be set"),
    ])
  func required(base: String, message: String) {
    let error = #expect(throws: ConfigurationError.self) { try Self.settings("", base: base) }
    #expect(error?.message == message)
  }

  @Test("For work on directories the defaults are enough")
  func defaults() throws {
    let settings = try Settings.defaults()
    #expect(settings.mailboxBase == [] && settings.listDatabase == nil && settings.lookupService.socket == nil)
    #expect(settings.lookupService.connections == 4 && settings.lookupService.cacheTime == 5)
    #expect(settings.lookupService.staleTime == 0 && !settings.lookupService.fallsBack)
    #expect(settings.deliveryTimeLimit == 120 && settings.recountTimeLimit == 60 && settings.minimumUser == 100)
  }

  @Test(
    "The database of the list is the first one that mailboxes are in, unless another is named",
    arguments: [
      ("virtual_mailbox_maps = static:x/\n", nil), ("virtual_mailbox_maps = pgsql:/a, pgsql:/b\n", "pgsql:/a"),
      ("virtual_mailbox_maps = static:x/, proxy:pgsql:/b\n", "pgsql:/b"),
      ("virtual_mailbox_maps = pgsql:/a\nmailbox_list_database = proxy:pgsql:/c\n", "pgsql:/c"),
    ] as [(String, String?)])
  func listDatabase(lines: String, table: String?) throws {
    #expect(try Self.settings("virtual_mailbox_base = /m\n", base: lines).listDatabase?.text == table)
  }

  @Test("Of the log, name and socket are known even if other lines are wrong")
  func log() {
    let file = ConfigurationFile(
      parsing: Array("log_socket = /run/log\nsyslog_name = post/ullage\nnonsense\nvirtual_mailbox_limit = x\n".utf8))
    #expect(file.logSocket.text == "/run/log" && file.syslogName.text == "post/ullage")
    let broken = ConfigurationFile(parsing: Array("log_socket = run/log\nsyslog_name = $nothing\n".utf8))
    #expect(broken.logSocket.text == "/dev/log" && broken.syslogName.text == "ullage-deliver")
  }

  @Test("A byte order mark is an error, since it would become a part of the first name")
  func byteOrderMark() {
    let error = #expect(throws: ConfigurationError.self) { try Self.settings("", base: "\u{FEFF}\(Self.base)") }
    #expect(error?.message == "the file begins with a byte order mark; remove it" && error?.line == 1)
  }
}
