// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Configuration
import Database
import History
import Mailboxes
import Posix
import Postgres
import Presentation
import Tables
import Text

/// `ullage database`
struct DatabaseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "database",
    abstract: "Install the tables of ullage itself in PostgreSQL.",
    subcommands: [Install.self])

  /// `ullage database install`
  struct Install: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "install",
      abstract: "Make the schema ullage, or bring it up to date.",
      usage: """
        ullage database install [--role ROLE] [--print] [OPTIONS]
        """,
      discussion: """
        The database is the one of usage_database, or else that of the list; the role of its file must be allowed to \
        create a schema. What is there already stays, so that the command can be repeated, and must be after an \
        upgrade. With --print, a superuser can do it instead.

        EXAMPLES:
          ullage database install
          ullage database install --print --role vmail | runuser -u postgres -- psql -q -v ON_ERROR_STOP=1 postfix

        EXIT STATUS: 0 done, 64 usage error, 75 try again, 78 something must be corrected first.
        """)

    @Option(
      help: ArgumentHelp(
        "The role that ullage uses, if it is not the one that owns the tables: it gets the rights it needs.",
        valueName: "role"))
    var role: String?

    @Flag(name: .customLong("print"), help: "Only print the SQL.")
    var prints = false

    @OptionGroup var configurationOption: ConfigurationOption

    func run() throws {
      try perform {
        let role = role.map { SQLText(Self.quotedIdentifier(Array($0.utf8))) }
        let output = Output.standard()
        if prints {
          try output.write(Schema.script(role: role).bytes.text)
        } else {
          try output.write(try install(role) + "\n")
        }
        try output.flush()
        return ExitStatus.done
      }
    }

    private static func quotedIdentifier(_ name: [UInt8]) -> [UInt8] {
      let quote = UInt8(ascii: "\"")
      return [quote] + name.flatMap { $0 == quote ? [quote, quote] : [$0] } + [quote]
    }

    private func install(_ role: SQLText?) throws -> String {
      let settings = try configurationOption.settings()
      let usage = try SettingsFile(configurationOption.file).usage.get()
      guard let table = usage.database ?? settings.listDatabase else {
        throw CommandError(ExitStatus.configuration, "usage_database is not set; see ullage.cf(5)")
      }
      let deadline = Deadline(secondsFromNow: 20)
      let database = try TableDatabase(table, until: deadline)
      do throws(PostgresError) {
        let connection = try database.connection.connect(until: deadline, writes: true)
        let before = try Schema.version(of: connection) ?? 0
        guard before <= Schema.latest else {
          return "The schema ullage has version \(before), which a newer ullage has installed; nothing was changed"
        }
        let isNew = before < Schema.latest
        // Even without a change, it takes the right to create a schema.
        if isNew || role != nil { try Schema.install(role: role, on: connection) }
        return !isNew
          ? "The schema ullage is up to date (version \(before))"
          : "The schema ullage is installed (version \(Schema.latest)\(before > 0 ? ", before it was \(before)" : ""))"
      } catch { throw database.failure(error, query: "usage_database") }
    }
  }
}
