// SPDX-License-Identifier: Apache-2.0
import Configuration
import Testing
import Text

/// The parameters that only `ullage` reads.
struct UsageSettingsTests {
  private static func settings(_ lines: String) throws(ConfigurationError) -> UsageSettings {
    try UsageSettings(ConfigurationFile(parsing: Array(lines.utf8)))
  }

  @Test("Nothing is written unless a table or a statement is named")
  func targets() throws {
    #expect(try Self.settings("").target == .nothing)
    #expect(try Self.settings("usage_database = pgsql:/x").target == .nothing)
    #expect(try Self.settings("usage_table = quota2").target == .table(Array("quota2".utf8)))
    #expect(try Self.settings("usage_table = mail.Quota_2").target == .table(Array("mail.Quota_2".utf8)))
    let queries = try Self.settings("usage_insert_query = INSERT\nusage_update_query = UPDATE '$$'").target
    #expect(queries == .queries(insert: Array("INSERT".utf8), update: Array("UPDATE '$'".utf8)))
    #expect(
      try Self.settings("usage_update_query = UPDATE").target == .queries(insert: [], update: Array("UPDATE".utf8)))
  }

  @Test("proxymap(8) serves Postfix only: the database is that of the table behind it")
  func database() throws {
    #expect(try Self.settings("").database == nil)
    #expect(try Self.settings("usage_database = proxy:pgsql:/usage").database?.text == "pgsql:/usage")
  }

  @Test(
    "An error says which line, which value and what it must be",
    arguments: [
      ("usage_tabel = quota2", "unknown parameter usage_tabel; see ullage.cf(5) for the names"),
      ("usage_table = quota2; DROP", "usage_table must be the name of a table, such as quota2, not \"quota2; DROP\""),
      ("usage_table = a.b.c", "usage_table must be the name of a table"),
      ("usage_table = 2quota", "usage_table must be the name of a table"),
      ("usage_table = .quota2", "usage_table must be the name of a table"),
      ("usage_table = quota2\nusage_update_query = UPDATE", "set either usage_table or usage_update_query"),
      ("usage_insert_query = INSERT", "usage_insert_query needs usage_update_query: it only adds rows"),
      ("usage_dovecot_file = dovecot.conf", "usage_dovecot_file must begin with /, not \"dovecot.conf\""),
      ("usage_database = mysql:/etc/x", "usage_database must be a pgsql: table, such as pgsql:/etc/file.cf"),
    ])
  func errors(lines: String, message: String) {
    let error = #expect(throws: ConfigurationError.self) { try Self.settings(lines) }
    #expect(error?.line == 1 && error?.message.hasPrefix(message) == true, "\(error?.message ?? "")")
  }

  @Test("A mistake in them, even a misspelt name, keeps no delivery from working")
  func harmless() throws {
    let lines = "virtual_mailbox_base = /x\nvirtual_mailbox_maps = static:y\n"
    for mistake in ["usage_tabel = quota2", "usage_table = a b", "usage_database = nonsense"] {
      #expect(try Settings(ConfigurationFile(parsing: Array((lines + mistake).utf8))).mailboxBase == Array("/x".utf8))
    }
  }
}
