// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Audit
import Configuration
import Mailboxes
import Maildir
import Posix
import Quota
import Reports
import Tables
import Text

/// Exit statuses (sysexits(3)); those of a check plugin and of the audit are defined by their commands.
enum ExitStatus {
  static let done: Int32 = 0
  static let incomplete: Int32 = 2
  static let usage: Int32 = 64
  static let noUser: Int32 = 67
  static let inputOutput: Int32 = 74
  static let tryAgain: Int32 = 75
  static let configuration: Int32 = 78
  /// The status that a shell reports for a program ended by SIGINT or SIGTERM.
  static func signal(_ number: Int32) -> Int32 { 128 + number }
}

/// Why a command could not do its work.
struct CommandError: Error {
  let status: Int32
  /// What happened, why, what to do.
  let text: String
}

extension CommandError {
  /// No mailbox in the domain: most likely a spelling mistake.
  static func noMailboxes(in domain: String) -> CommandError {
    CommandError(status: ExitStatus.noUser, text: "--domain \(domain): mailbox_list_query lists no mailbox in it")
  }
}

extension ParsableCommand {
  /// Runs `body`, prints what it throws as one line, and ends with the exit status that fits.
  func perform(_ body: () throws -> Int32) throws {
    let isOutputClosed = StandardStream.isOutputClosed
    ProcessStart.openStandardStreams()
    ProcessStart.ignoreWriteSignals()
    let status: Int32
    do {
      guard !isOutputClosed else {
        throw CommandError(status: ExitStatus.inputOutput, text: "standard output is closed; nothing was done")
      }
      status = try body()
    } catch {
      let failure = Self.failure(error)
      StandardStream.writeError("ullage: \(Self.configuration.commandName ?? ""): \(failure.text)\n")
      throw ExitCode(failure.status)
    }
    if status != 0 { throw ExitCode(status) }
  }

  /// Reports that the database does not answer and is tried again for half a minute.
  func sayThatItWaits(_ error: TableError) {
    let name = Self.configuration.commandName ?? ""
    StandardStream.writeError("ullage: \(name): \(error.shown); retrying for half a minute\n")
  }

  private static func failure(_ error: any Error) -> CommandError {
    switch error {
    case let error as CommandError: error
    case let error as TableError:
      CommandError(
        status: error.kind == .configuration ? ExitStatus.configuration : ExitStatus.tryAgain, text: error.shown)
    case let error as SettingsError: CommandError(status: ExitStatus.configuration, text: error.shown)
    case let error as MaildirError:
      CommandError(status: ExitStatus.tryAgain, text: error.shown)
    case let error as SystemError:
      CommandError(
        status: error.call == .write ? ExitStatus.inputOutput : ExitStatus.tryAgain,
        text: error.shown)
    default: CommandError(status: ExitStatus.inputOutput, text: "\(error)")
    }
  }
}

/// Options of every command that reads ullage.cf.
struct ConfigurationOption: ParsableArguments {
  @Option(name: .customLong("config"), help: ArgumentHelp("The configuration file.", valueName: "file"))
  var file = Ullage.configurationFile

  func settings() throws -> Settings { try SettingsFile(file).settings.get() }

  /// For work on a directory: without a configuration file the defaults apply.
  func settingsOrDefaults() throws -> Settings {
    guard file == Ullage.configurationFile, let path = Path(file.utf8), (try? stat(path)) == nil else {
      return try settingsWithLedger()
    }
    StandardStream.writeError("ullage: warning: there is no \(file); the defaults apply, and .Trash does not count\n")
    let required = "virtual_mailbox_base = /\nvirtual_mailbox_maps = static:/\n"
    return try Settings(ConfigurationFile(parsing: Array(required.utf8)))
  }

  /// For commands whose subject is the ledger, which an inbox-only quota does not have.
  func settingsWithLedger() throws -> Settings {
    let settings = try settings()
    guard !settings.countingRule.inboxOnly else {
      throw CommandError(
        status: ExitStatus.configuration,
        text: "virtual_mailbox_limit_inbox = yes: no maildirsize is kept, so there is nothing to do; see ullage.cf(5)")
    }
    return settings
  }
}

extension OutputFormat: ExpressibleByArgument {}

/// Which mailboxes a command is about.
struct MailboxSelection: ParsableArguments {
  @Argument(help: "The addresses of mailboxes.")
  var addresses: [String] = []

  @Option(help: ArgumentHelp("All mailboxes of a domain that mailbox_list_query lists.", valueName: "domain"))
  var domain: String?

  @Flag(help: "All mailboxes that mailbox_list_query lists.")
  var all = false

  var isEmpty: Bool { addresses.isEmpty && domain == nil && !all }

  func validate() throws {
    let kinds = [!addresses.isEmpty, domain != nil, all].filter { $0 }
    guard kinds.count <= 1 else { throw ValidationError("give either addresses, --domain or --all") }
  }

  /// The mailboxes of the addresses, and the addresses that have none.
  func lookUp(_ settings: Settings, _ maker: JobMaker) throws -> (jobs: [MailboxJob], unknown: [String]) {
    // Bypass the cache, so that a change made a moment ago shows.
    let directory = MailboxLookup(settings, prefersTables: true)
    var jobs: [MailboxJob] = []
    var unknown: [String] = []
    for address in addresses {
      let mailbox: Mailbox?
      do {
        mailbox = try directory.mailbox(
          of: Array(address.utf8), for: nil, until: Deadline(secondsFromNow: 20))
      } catch {
        // One bad mailbox must not stop the rest.
        guard error.isOfOneMailbox else {
          throw CommandError(status: error.status, text: "\(Self.shown(address)): \(error.shown)")
        }
        let row = MailboxRow(address: Array(address.utf8), path: [], quota: EffectiveLimit(.none, .fallback))
        jobs.append(maker.failed(row, error.shown))
        continue
      }
      guard let mailbox else {
        unknown.append(address)
        continue
      }
      let row = MailboxRow(
        address: Array(address.utf8), path: mailbox.components.flatMap { $0.bytes + [UInt8(ascii: "/")] },
        quota: mailbox.quota)
      jobs.append(maker.job(row, components: mailbox.components, limit: mailbox.quota.limit))
    }
    if let failure = directory.serviceFailure {
      StandardStream.writeError("ullage: warning: queried without the lookup service: \(failure)\n")
    }
    return (jobs, unknown)
  }

  private static func shown(_ address: String) -> String {
    displayText(Array(address.utf8))
  }
}

extension MailboxError {
  fileprivate var status: Int32 {
    isTemporary ? ExitStatus.tryAgain : ExitStatus.configuration
  }

  fileprivate var isOfOneMailbox: Bool {
    switch self {
    case .badPath, .badNumber: true
    case .table, .otherUser: false
    }
  }
}

extension MailboxReport.State {
  /// A sentence for people, nil if all went well.
  var problem: String? {
    switch self {
    case .examined: nil
    case .absent: "there is no Maildir"
    case .broken(let text): text
    case .foreign(0): "it belongs to root: nothing is done there as root; make the mail user its owner"
    case .foreign(let user) where CurrentProcess.effectiveUser == 0:
      "it belongs to \(User.name(of: user)) (uid \(user)), which is below virtual_minimum_uid"
    case .foreign(let user):
      "it belongs to \(User.name(of: user)) (uid \(user)); run ullage as that user or as root"
    case .failed(let text): text
    }
  }
}
