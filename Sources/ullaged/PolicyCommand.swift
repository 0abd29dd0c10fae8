// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Configuration
import Logging
import Mailboxes
import Policy
import PolicyServer
import Posix
import Synchronization
import Text

/// `ullaged policy`
struct PolicyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "policy",
    abstract: "Tell Postfix, before it accepts a message, that a mailbox is full.",
    discussion: """
      Answers the policy protocol of Postfix's smtpd(8) on the Unix socket that policy_socket names or that systemd \
      passes to it. A recipient is refused only if all mailboxes that its mail would go to, through aliases, are full; \
      in every doubt the answer is DUNNO. Run it as the user of the mailboxes.

        ullage explain you@example.org

      shows what it decides, and why. SIGHUP reads ullage.cf again. SIGTERM answers pending requests and ends.

      EXIT STATUS: 0 ended by a signal, 64 usage error, 71 the socket is unusable, 78 something must be corrected first.
      """)

  @Option(name: .customLong("config"), help: ArgumentHelp("The configuration.", valueName: "file"))
  var configurationFile = Ullage.configurationFile

  func run() async throws {
    try await ServiceRun.run(configurationFile) { file, logger in
      let (settings, policy) = (try file.settings.get(), try file.policy.get())
      try ServiceRun.refuseOtherUsers(settings)
      let metrics = ServiceMetrics("policy")
      let service = try PolicyService(settings, policy) { event in
        if case .counted(let isFinished) = event { metrics.noteCount(isFinished: isFinished) }
        logger.report(event)
      }
      let sockets = ListeningSockets(
        name: "policy", parameter: .policy_socket, socket: policy.socket, network: policy.network)
      let reload = ServiceReload(configurationFile, since: file, "policy", logger) { file throws(SettingsError) in
        let (newSettings, newPolicy) = (try file.settings.get(), try file.policy.get())
        try service.reload(newSettings, newPolicy)
        return Self.fixedParameters(policy, newPolicy)
      }
      let responder = PolicyResponder(service, metrics)
      return [
        ServiceListener(responder, on: sockets, threads: PolicyService.threads, logger), reload,
        ServiceRun.metricsListener(metrics, file, "policy", logger),
      ]
    }
  }

  /// The parameters that are only used at the start, and whether they are still the same.
  private static func fixedParameters(_ old: PolicySettings, _ new: PolicySettings) -> [ServiceReload.Fixed] {
    [
      (.policy_socket, new.socket == old.socket),
      (.policy_listen, new.network.endpoint == old.network.endpoint),
      (.policy_clients, new.network.clients == old.network.clients),
    ]
  }
}

/// The policy service behind its socket.
final class PolicyResponder: Responder {
  typealias Session = PolicySession

  let answerTimeout = PolicyService.timeLimit
  /// smtpd(8) keeps a connection for as long as it lives: as many as large sites have processes.
  static let clientLimit = 4096

  let metrics: ServiceMetrics
  private let service: PolicyService
  /// Requests that threads work on. They are few, unless a file system hangs.
  private let pending = Mutex(0)
  private static let mostPending = 1024

  init(_ service: PolicyService, _ metrics: ServiceMetrics) {
    self.service = service
    self.metrics = metrics
  }

  func makeSession() -> PolicySession { PolicySession() }

  func immediateReply(to question: PolicySession.Question) -> PolicyAnswer? {
    let outcome =
      service.immediateOutcome(question)
      ?? (pending.withLock { $0 >= Self.mostPending } ? PolicyOutcome(.pass, "overload") : nil)
    guard let outcome else {
      pending.withLock { $0 += 1 }
      return nil
    }
    metrics.note(outcome)
    return outcome.answer
  }

  func work(on question: PolicySession.Question) -> @Sendable (Deadline) -> PolicyAnswer {
    let start = ContinuousClock.now
    return { [self] deadline in
      defer { pending.withLock { $0 -= 1 } }
      let outcome = service.outcome(question, until: deadline)
      metrics.noteTime(since: start)
      metrics.note(outcome)
      return outcome.answer
    }
  }

  /// A dead NFS server stops threads for as long as it likes, and must not stop mail.
  static let hasLateReplies = true
  func lateReply(to question: PolicySession.Question) -> PolicyAnswer? { .pass }

  func noteLateReply(to question: PolicySession.Question) { metrics.note(PolicyOutcome(.pass, "late")) }
}
