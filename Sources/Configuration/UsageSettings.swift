// SPDX-License-Identifier: Apache-2.0
import Text

extension ConfigurationFile {
  /// The tables of `virtual_domain_limit_maps`, which only `ullage` reads.
  package func domainLimits() throws(ConfigurationError) -> [TableReference] {
    try tables(.virtual_domain_limit_maps)
  }
}

/// Where `ullage` writes the usage of mailboxes.
package struct UsageSettings: Sendable {
  /// How the rows of a batch are written.
  package enum Target: Sendable, Equatable {
    /// Nothing is written.
    case nothing
    /// A table with the columns username, bytes and messages; with or without a schema.
    case table([UInt8])
    /// Statements that read the relation `usage (address, bytes, messages)`; the first one may be empty.
    case queries(insert: [UInt8], update: [UInt8])
  }

  package let target: Target
  /// Nil for that of the list.
  package let database: TableReference?
  /// The configuration of a Dovecot that may write to the same table; nil for none.
  package let dovecotFile: String?
  /// ullage.cf names that file. The usual one need not exist.
  package let namesDovecotFile: Bool

  /// - Throws: `ConfigurationError` for a misspelt name and for the first invalid value.
  package init(_ file: ConfigurationFile) throws(ConfigurationError) {
    try file.check(file.unknownToolNames)
    let table = try file.value(of: .usage_table)
    let insert = try file.value(of: .usage_insert_query)
    let update = try file.value(of: .usage_update_query)
    guard table.isEmpty || update.isEmpty && insert.isEmpty else {
      throw ConfigurationError(
        line: file.line(of: .usage_table),
        "set either usage_table or usage_update_query: the table's statements are made from its name")
    }
    guard insert.isEmpty || !update.isEmpty else {
      throw ConfigurationError(
        line: file.line(of: .usage_insert_query),
        "usage_insert_query needs usage_update_query: it only adds rows, with zeros")
    }
    guard table.isEmpty || Self.isName(table) else {
      throw file.bad(.usage_table, table, "be the name of a table, such as quota2")
    }
    target = table.isEmpty ? update.isEmpty ? .nothing : .queries(insert: insert, update: update) : .table(table)
    database = try Self.database(file)
    let dovecotFile = try file.value(of: .usage_dovecot_file)
    guard dovecotFile.isEmpty || dovecotFile.first == UInt8(ascii: "/") else {
      throw file.bad(.usage_dovecot_file, dovecotFile, "begin with /")
    }
    self.dovecotFile = dovecotFile.isEmpty ? nil : dovecotFile.text
    namesDovecotFile = file.line(of: .usage_dovecot_file) != nil
  }

  private static func database(_ file: ConfigurationFile) throws(ConfigurationError) -> TableReference? {
    let value = try file.value(of: .usage_database)
    guard !value.isEmpty else { return nil }
    guard let table = TableReference(value)?.inPostgres else {
      throw file.bad(.usage_database, value, Settings.databaseRule)
    }
    return table
  }

  /// `name` or `schema.name`, neither in quotes: whatever PostgreSQL takes for a plain name.
  private static func isName(_ text: [UInt8]) -> Bool {
    let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    return parts.count <= 2
      && parts.allSatisfy { part in
        part.first?.isDigit == false && part.allSatisfy { $0.isNameCharacter }
      }
  }
}
