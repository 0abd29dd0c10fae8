// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Configuration
import Logging
import Mailboxes
import Posix
import ServiceLifecycle
import Text
import UnixSignals

/// A command of `ullaged`: one service, from its start to its end.
enum ServiceRun {
  /// Runs what `make` returns until a signal ends it.
  static func run(
    _ configurationFile: String, _ make: (SettingsFile, Logger) throws -> [any Service]
  ) async throws {
    ProcessStart.openStandardStreams()
    ProcessStart.ignoreWriteSignals()
    ProcessStart.keepOthersOut()
    let file = SettingsFile(configurationFile)
    let logger = Logger(label: "ullaged", factory: { _ in SystemLogHandler(socket: file.logSocket) })
    do {
      let services = try make(file, logger)
      var quiet = logger
      quiet.logLevel = .error
      try await ServiceGroup(services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet).run()
    } catch let error as SettingsError {
      throw end(78, error.shown, logger)  // EX_CONFIG
    } catch {
      throw end(71, "\(error)", logger)  // EX_OSERR
    }
    logger.notice("ended")
  }

  /// Shows the counters of a service where `metrics_socket` says; a mistake there is only reported.
  static func metricsListener(
    _ metrics: ServiceMetrics, _ file: SettingsFile, _ service: String, _ logger: Logger
  ) -> MetricsListener {
    var place: MetricsPlaces.Place?
    do { place = try file.metrics.get().place(of: service) } catch {
      logger.error("no counters are shown: \(error.shown)")
    }
    return MetricsListener(metrics.registry, at: place, logger)
  }

  /// Whoever writes into a Maildir must be its owner.
  static func refuseOtherUsers(_ settings: Settings) throws(SettingsError) {
    guard Int64(CurrentProcess.effectiveUser) >= settings.minimumUser else {
      throw SettingsError(
        Array(
          "uid \(CurrentProcess.effectiveUser) is below virtual_minimum_uid; run it as the user of the mailboxes".utf8))
    }
  }

  /// Reports why the service ends, in the log and on standard error.
  private static func end(_ status: Int32, _ text: String, _ logger: Logger) -> ExitCode {
    logger.error("\(text)")
    if !Terminal.hasError { StandardStream.writeError("ullaged: \(text)\n") }
    return ExitCode(status)
  }
}
