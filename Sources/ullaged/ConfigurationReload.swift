// SPDX-License-Identifier: Apache-2.0
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

  init(file: String, _ service: LookupService, _ logger: Logger) {
    self.file = file
    self.service = service
    self.logger = logger
  }

  func run() async throws {
    for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
      ServiceManager.notify(.reloading)
      do throws(SettingsError) {
        try service.reload(try SettingsFile(file).settings.get())
        logger.notice("\(file) and its tables were reloaded")
      } catch {
        logger.error("the old configuration stays in effect: \(error.shown)")
      }
      ServiceManager.notify(.ready)
    }
  }
}
