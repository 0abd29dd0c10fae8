// SPDX-License-Identifier: Apache-2.0
import Configuration
import Logging
import LookupServer
import PolicyServer
import Posix
import Text

/// Sends log lines to the mail system's log, and to standard error if that is a terminal.
struct SystemLogHandler: LogHandler {
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.info
  private let log: SystemLog

  init(socket: [UInt8]) {
    log = SystemLog(socket: socket, name: Array("ullaged".utf8))
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let severity: SystemLog.Severity =
      switch event.level {
      case .trace, .debug, .info, .notice: .information
      case .warning: .warning
      case .error, .critical: .error
      }
    let prefix = severity == .warning ? "warning: " : ""
    log.write(severity, Array("\(prefix)\(event.message)".utf8))
    if Terminal.hasError { StandardStream.writeError("ullaged: \(prefix)\(event.message)\n") }
  }
}

extension Logger {
  func report(_ event: LookupEvent) {
    switch event {
    case .outage(let parameter, let reason): warning("\(parameter.rawValue) lookups fail: \(reason)")
    case .stale(let parameter):
      warning("\(parameter.rawValue): giving old answers meanwhile, no older than lookup_stale_time")
    case .recovered(let parameter, let unanswered, let stale):
      notice(
        "\(parameter.rawValue) lookups work again; \(unanswered) had no answer, \(stale) were answered from memory")
    }
  }
}

extension Logger {
  func report(_ event: PolicyEvent) {
    switch event {
    // Only for the counters.
    case .counted: break
    case .refused(let line): notice("policy: \(line.text)")
    case .trouble(let text, let others):
      let more = others > 0 ? " (and \(quantity(others, "other")) since the last such line)" : ""
      warning("policy: not refused, because it is not known whether the mailbox is full: \(text.text)\(more)")
    }
  }
}
