// SPDX-License-Identifier: Apache-2.0
import Configuration
import Testing
import Text

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
