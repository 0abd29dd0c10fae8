// SPDX-License-Identifier: Apache-2.0
import Configuration
import Logging
import LookupServer
import Mailboxes
import Posix
import ServiceLifecycle
import Text
import UnixSignals

/// Rereads ullage.cf and the table files on SIGHUP. If they are invalid, nothing changes.
struct ConfigurationReload: Service {
  private let file: String
  private let service: LookupService
  private let logger: Logger
  /// The settings at the start.
  private let settings: Settings

  init(file: String, _ settings: Settings, _ service: LookupService, _ logger: Logger) {
    self.settings = settings
    self.file = file
    self.service = service
    self.logger = logger
  }

  /// The parameters that are only used at the start, and that differ from then.
  private func fixedNames(of new: Settings) -> [String] {
    [
      (Parameter.lookup_socket, new.lookupService.socket == settings.lookupService.socket),
      (.lookup_connections, new.lookupService.connections == settings.lookupService.connections),
      (.log_socket, new.logSocket == settings.logSocket),
    ].filter { !$0.1 }.map(\.0.rawValue)
  }

  func run() async throws {
    for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
      ServiceManager.notify(.reloading)
      do throws(SettingsError) {
        let settings = try SettingsFile(file).settings.get()
        try service.reload(settings)
        logger.notice("\(file) and its tables were reloaded")
        for name in fixedNames(of: settings) {
          logger.warning("\(name) has changed, which takes a restart of the service")
        }
      } catch {
        logger.error("the old configuration stays in effect: \(error.shown)")
      }
      ServiceManager.notify(.ready)
    }
  }
}
