// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Configuration
import Logging
import LookupServer
import Mailboxes
import Posix
import ServiceLifecycle
import Text
import UnixSignals

/// `ullaged lookup`
struct LookupCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lookup",
    abstract: "Answer ullage-deliver and Postfix from the tables of ullage.cf.",
    discussion: """
      One process keeps a few connections to the database, and answers on the Unix socket that lookup_socket names \
      or that systemd passes to it. It speaks Postfix's socketmap protocol; the maps are named after the parameters of \
      ullage.cf that take tables, and the keys are addresses:

        table=socketmap:unix:/run/ullage/lookup:virtual_mailbox_maps
        postmap -q you@example.org $table

      SIGHUP reads ullage.cf and the table files again. SIGTERM answers pending queries and ends.

      EXIT STATUS: 0 ended by a signal, 64 usage error, 71 the socket is unusable, 78 something must be corrected first.
      """)

  @Option(name: .customLong("config"), help: ArgumentHelp("The configuration.", valueName: "file"))
  var configurationFile = Ullage.configurationFile

  func run() async throws {
    ProcessStart.openStandardStreams()
    ProcessStart.ignoreWriteSignals()
    ProcessStart.keepOthersOut()
    let file = SettingsFile(configurationFile)
    let logger = Logger(label: "ullaged", factory: { _ in SystemLogHandler(socket: file.logSocket) })
    do {
      try await serve(try file.settings.get(), logger)
    } catch let error as SettingsError {
      throw end(78, error.shown, logger)  // EX_CONFIG
    } catch {
      throw end(71, "\(error)", logger)  // EX_OSERR
    }
    logger.notice("ended")
  }

  private func serve(_ settings: Settings, _ logger: Logger) async throws {
    let service = try LookupService(settings) { logger.report($0) }
    let listener = LookupListener(service, settings, logger)
    let reload = ConfigurationReload(file: configurationFile, settings, service, logger)
    var quiet = logger
    quiet.logLevel = .error
    try await ServiceGroup(
      services: [listener, reload], gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet
    ).run()
  }

  /// Reports why the service ends, in the log and on standard error.
  private func end(_ status: Int32, _ text: String, _ logger: Logger) -> ExitCode {
    logger.error("\(text)")
    if !Terminal.hasError { StandardStream.writeError("ullaged: \(text)\n") }
    return ExitCode(status)
  }
}
