// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Configuration
import Logging
import LookupServer
import Mailboxes
import Posix
import Socketmap

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
    try await ServiceRun.run(configurationFile) { file, logger in
      let settings = try file.settings.get()
      let service = try LookupService(settings, file.policy) { logger.report($0) }
      let sockets = ListeningSockets(
        name: "lookup", parameter: .lookup_socket, socket: settings.lookupService.socket)
      let reload = ServiceReload(configurationFile, since: file, "lookup", logger) { file throws(SettingsError) in
        let new = try file.settings.get()
        try service.reload(new, file.policy)
        return Self.fixedParameters(settings, new)
      }
      let responder = LookupResponder(service)
      return [
        ServiceListener(responder, on: sockets, threads: settings.lookupService.connections, logger), reload,
        ServiceRun.metricsListener(responder.metrics, file, "lookup", logger),
      ]
    }
  }

  /// The parameters that are only used at the start, and whether they are still the same.
  private static func fixedParameters(_ old: Settings, _ new: Settings) -> [ServiceReload.Fixed] {
    [
      (.lookup_socket, new.lookupService.socket == old.lookupService.socket),
      (.lookup_connections, new.lookupService.connections == old.lookupService.connections),
    ]
  }
}

/// The lookup service behind its socket. As many threads as there may be connections query databases and wait.
struct LookupResponder: Responder {
  typealias Session = LookupSession

  /// Less than the 10 seconds after which `ullage-deliver` with `lookup_fallback` queries the tables itself
  /// (`AddressLookup`), so that a slow database does not get those connections as well.
  let answerTimeout: Int64 = 8
  /// More than the 300 processes of a busy Postfix, fewer than the 1024 descriptors that a process may have.
  static let clientLimit = 512

  let metrics = ServiceMetrics("lookup")
  private let service: LookupService

  init(_ service: LookupService) {
    self.service = service
  }

  func makeSession() -> LookupSession { LookupSession() }

  func immediateReply(to request: SocketmapRequest) -> SocketmapReply? {
    guard let reply = service.cachedReply(to: request) else { return nil }
    metrics.note(reply, to: request, isCached: true)
    return reply
  }

  func work(on request: SocketmapRequest) -> @Sendable (Deadline) -> SocketmapReply {
    let start = ContinuousClock.now
    return { [service, metrics] deadline in
      let reply = service.reply(to: request, until: deadline)
      metrics.noteTime(since: start)
      metrics.note(reply, to: request, isCached: false)
      return reply
    }
  }
}
