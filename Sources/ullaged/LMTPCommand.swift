// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Configuration
import Delivery
import LMTP
import LMTPServer
import Logging
import Mailboxes
import Posix

/// `ullaged lmtp`
struct LMTPCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lmtp",
    abstract: "Deliver what Postfix hands over by LMTP.",
    discussion: """
      Does what ullage-deliver does, without a process for each message: it listens on the Unix socket that \
      lmtp_socket names or that systemd passes to it, and answers for each recipient when its copy is durable. Run it \
      as the user of the mailboxes.

      SIGHUP reads ullage.cf again. SIGTERM lets the messages that have begun come to their end.

      EXIT STATUS: 0 ended by a signal, 64 usage error, 71 the socket is unusable, 78 something must be corrected first.
      """)

  @Option(name: .customLong("config"), help: ArgumentHelp("The configuration.", valueName: "file"))
  var configurationFile = Ullage.configurationFile

  func run() async throws {
    try await ServiceRun.run(configurationFile) { file, logger in
      let (contents, settings, lmtp) = (try file.contents.get(), try file.settings.get(), try file.lmtp.get())
      try ServiceRun.refuseOtherUsers(settings)
      CurrentProcess.raiseDescriptorLimit()
      let log = DeliveryLog(SystemLog(socket: contents.logSocket, name: contents.syslogName))
      let service = try LMTPService(settings, lmtp, log: log)
      let sockets = ListeningSockets(name: "lmtp", parameter: .lmtp_socket, socket: lmtp.socket, network: lmtp.network)
      let reload = ServiceReload(configurationFile, since: file, "lmtp", logger) { file throws(SettingsError) in
        let new = try file.lmtp.get()
        try service.reload(file.settings.get(), new)
        return Self.fixedParameters(lmtp, new)
      }
      let metrics = ServiceMetrics("lmtp")
      return [
        ServiceListener(LMTPResponder(service, metrics), on: sockets, threads: LMTPSettings.threads, logger), reload,
        ServiceRun.metricsListener(metrics, file, "lmtp", logger),
      ]
    }
  }

  /// The parameters that are only used at the start, and whether they are still the same.
  private static func fixedParameters(_ old: LMTPSettings, _ new: LMTPSettings) -> [ServiceReload.Fixed] {
    [
      (.lmtp_socket, new.socket == old.socket),
      (.lmtp_listen, new.network.endpoint == old.network.endpoint),
      (.lmtp_clients, new.network.clients == old.network.clients),
    ]
  }
}

/// The LMTP service behind its socket; what is for one connection only is in its `connection`.
///
/// `@unchecked Sendable`: `connection` is used on the event loop only.
final class LMTPResponder: Responder, @unchecked Sendable {
  typealias Session = LMTPSession

  /// More than the 100 processes of Postfix's, some of which keep connections that they do not use.
  static let clientLimit = 256
  /// The connection, the message, its Maildir, `new/` and the ledger, and others while a mailbox is counted.
  static let descriptorsPerClient = 10
  /// Postfix gives up a whole transport when a connection is refused or closed.
  static let letsClientsWait = true
  /// Seconds. Postfix waits as long for the reply to a command; RFC 5321 §4.5.3.2 asks us to do the same for commands.
  static let silenceLimit: Int64? = 300

  let metrics: ServiceMetrics
  private let service: LMTPService
  private let connection: LMTPConnection
  private let isLocal: Bool
  /// When the last request came that was not answered at once.
  private var begin = ContinuousClock.now

  init(_ service: LMTPService, _ metrics: ServiceMetrics, isLocal: Bool = false) {
    self.service = service
    self.metrics = metrics
    self.isLocal = isLocal
    connection = LMTPConnection(service)
  }

  var answerTimeout: Int64 { service.timeLimit }
  var turnLimit: Int { service.mailboxConcurrency }

  func connected(isLocal: Bool) -> LMTPResponder { LMTPResponder(service, metrics, isLocal: isLocal) }

  /// On TCP, whoever may connect is not always Postfix, whose queue ID is in the log.
  func makeSession() -> LMTPSession { LMTPSession(host: CurrentProcess.hostName, takesQueueID: isLocal) }

  func turn(of request: LMTPSession.Request) -> [UInt8]? { connection.mailbox(of: request) }

  func immediateReply(to request: LMTPSession.Request) -> LMTPSession.Reply? {
    guard let reply = connection.immediateReply(to: request) else {
      begin = .now
      return nil
    }
    metrics.note(reply, to: request)
    return reply
  }

  func work(on request: LMTPSession.Request) -> @Sendable (Deadline) -> LMTPSession.Reply {
    connection.work(on: request)
  }

  func take(_ reply: LMTPSession.Reply, to request: LMTPSession.Request) {
    connection.take(reply, to: request)
    metrics.note(reply, to: request)
    if case .deliver = request { metrics.noteTime(since: begin) }
  }

  static let hasLateReplies = true
  func lateReply(to request: LMTPSession.Request) -> LMTPSession.Reply? { connection.lateReply(to: request) }
  func clientIsGone() { connection.clientIsGone() }
  func leftover() -> (@Sendable () -> Void)? { connection.leftover() }
  func noteLateReply(to request: LMTPSession.Request) { metrics.noteLate(request) }
}
