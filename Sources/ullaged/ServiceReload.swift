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
  private let file: String
  private let logger: Logger
  private let apply: @Sendable (SettingsFile) throws(SettingsError) -> [Parameter]

  /// - Parameter apply: makes the service use the new settings, and returns the parameters that have changed and take a
  ///   restart.
  init(
    _ file: String, _ logger: Logger,
    apply: @escaping @Sendable (SettingsFile) throws(SettingsError) -> [Parameter]
  ) {
    self.file = file
    self.logger = logger
    self.apply = apply
  }

  func run() async throws {
    for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
      ServiceManager.notify(.reloading)
      do throws(SettingsError) {
        let fixed = try apply(SettingsFile(file))
        logger.notice("\(file) and its tables were reloaded")
        for parameter in fixed {
          logger.warning("\(parameter.rawValue) has changed, which takes a restart of the service")
        }
      } catch {
        logger.error("the old configuration stays in effect: \(error.shown)")
      }
      ServiceManager.notify(.ready)
    }
  }
}
