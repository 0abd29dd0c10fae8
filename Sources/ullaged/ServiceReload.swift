// SPDX-License-Identifier: Apache-2.0
import Configuration
import Logging
import Mailboxes
import Posix
import ServiceLifecycle
import Text
import UnixSignals

/// Rereads ullage.cf and the table files on SIGHUP. If they are invalid, nothing changes.
struct ServiceReload: Service {
  /// A parameter that is used only at the start, and whether it has the value that it had then.
  typealias Fixed = (parameter: Parameter, isSame: Bool)

  private let name: String
  private let start: SettingsFile
  private let service: String
  private let logger: Logger
  private let apply: @Sendable (SettingsFile) throws(SettingsError) -> [Fixed]

  /// - Parameters:
  ///   - name: the path of ullage.cf.
  ///   - start: what it said when the service began.
  ///   - service: as `metrics_socket` names it.
  ///   - apply: makes the service use the new settings, and returns the parameters of its own that take a restart.
  init(
    _ name: String, since start: SettingsFile, _ service: String, _ logger: Logger,
    apply: @escaping @Sendable (SettingsFile) throws(SettingsError) -> [Fixed]
  ) {
    self.name = name
    self.start = start
    self.service = service
    self.logger = logger
    self.apply = apply
  }

  func run() async throws {
    for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
      ServiceManager.notify(.reloading)
      do throws(SettingsError) {
        let file = SettingsFile(name)
        let fixed = try apply(file) + common(file)
        logger.notice("\(name) and its tables were reloaded")
        for (parameter, isSame) in fixed where !isSame {
          logger.warning("\(parameter.rawValue) has changed, which takes a restart of the service")
        }
      } catch {
        logger.error("the old configuration stays in effect: \(error.shown)")
      }
      ServiceManager.notify(.ready)
    }
  }

  /// Those of every service.
  private func common(_ file: SettingsFile) -> [Fixed] {
    [
      (.log_socket, file.logSocket == start.logSocket),
      (.metrics_socket, metricsPlace(in: file) == metricsPlace(in: start)),
    ]
  }

  private func metricsPlace(in file: SettingsFile) -> MetricsPlaces.Place? {
    guard case .success(let places) = file.metrics else { return nil }
    return places.place(of: service)
  }
}
