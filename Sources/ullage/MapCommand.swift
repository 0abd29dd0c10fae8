// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Configuration
import Mailboxes
import Posix
import Presentation
import Tables
import Text

/// `ullage map`
struct MapCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "map",
    abstract: "Look up a key in a table, as postmap -q does.",
    usage: """
      ullage map KEY TABLE [--all-steps] [--config FILE]
      """,
    discussion: """
      TABLE is type:name, and is queried for the key itself, in lower case. Or it is the name of a parameter of \
      ullage.cf that takes tables: then KEY is an address, looked up as in a delivery. The lookup service or \
      the tables are queried, for the whole address, the address without its extension, and @domain.

      EXAMPLES:
        ullage map you@example.org pgsql:/etc/postfix/pgsql/limits.cf
        ullage map you+lists@example.org virtual_mailbox_maps --all-steps

      EXIT STATUS: 0 found, 1 not found, 64 usage error, 75 no answer now, 78 \
      something must be corrected first.
      """)

  @Argument(help: "An address, or any other key.")
  var key: String

  @Argument(help: "type:name, or a parameter such as virtual_mailbox_maps.")
  var table: Question

  @Flag(
    name: .customLong("all-steps"),
    help: """
      Show each step: the key, the SQL that was sent, the answer, the time. A type:name is then queried for \
      all keys of an address.
      """)
  var showsSteps = false

  @Option(
    name: .customLong("config"),
    help: ArgumentHelp(
      "The configuration file: parameters that name tables, and recipient_delimiter.", valueName: "file"))
  var configurationFile = Ullage.configurationFile

  /// What is queried.
  enum Question: ExpressibleByArgument {
    case table(TableReference)
    case parameter(Parameter)

    init?(argument: String) {
      if let parameter = Parameter(rawValue: argument), Parameter.tables.contains(parameter) {
        self = .parameter(parameter)
      } else if let reference = TableReference(Array(argument.utf8)) {
        self = .table(reference)
      } else {
        return nil
      }
    }
  }

  /// Seconds, the same as a delivery has for its lookups.
  private static let timeLimit: Int64 = 20

  func run() throws {
    try perform {
      guard let value = try lookUp(until: Deadline(secondsFromNow: Self.timeLimit)) else { return 1 }
      try StandardStream.writeAll(value + [UInt8(ascii: "\n")])
      return ExitStatus.done
    }
  }

  /// Empty without a usable ullage.cf, since a table can be queried without one.
  private var recipientDelimiter: [UInt8] {
    do { return try SettingsFile(configurationFile).settings.get().recipientDelimiter } catch {
      StandardStream.writeError("ullage: map: warning: no extension is removed from the address: \(error.shown)\n")
      return []
    }
  }

  private func lookUp(until deadline: Deadline) throws -> [UInt8]? {
    let tables = TableSet(
      observer: showsSteps ? LookupSteps { StandardStream.writeError($0 + "\n") }.observer : nil)
    let query = AddressQuery(Array(key.utf8), until: deadline)
    switch table {
    case .table(let reference) where showsSteps:
      let addressTables = AddressTables(delimiters: recipientDelimiter, tables)
      return try addressTables.value(of: nil, in: [reference], for: query)
    case .table(let reference):
      return try tables.query(TableQuery(query.address, until: deadline), in: reference)
    case .parameter(let parameter):
      let lookup = AddressLookup(try SettingsFile(configurationFile).settings.get(), tables)
      let value = try lookup.value(of: parameter, for: query)
      if let failure = lookup.serviceFailure {
        StandardStream.writeError("ullage: map: warning: queried without the lookup service: \(failure)\n")
      }
      return value
    }
  }
}
