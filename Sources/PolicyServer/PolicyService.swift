// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Mailboxes
package import Policy
package import Posix
import Synchronization
import Tables
import Text

/// What the service reports.
package enum PolicyEvent: Equatable, Sendable {
  /// A recipient, or at its end a message, was refused.
  case refused([UInt8])
  /// Whether to refuse could not be found out, and how often that has happened since the last such report.
  case trouble([UInt8], others: Int)
  /// A mailbox's messages were counted, or could not be counted in time.
  case counted(isFinished: Bool)
}

/// An answer, and why it was given.
package struct PolicyOutcome: Equatable, Sendable {
  package let answer: PolicyAnswer
  /// For the counters: a few fixed words, never an address.
  package let reason: String

  package init(_ answer: PolicyAnswer, _ reason: String) {
    self.answer = answer
    self.reason = reason
  }
}

/// Answers smtpd(8): whether a recipient's mailboxes are full.
package final class PolicyService: Sendable {
  private struct State {
    let policy: PolicySettings
    let judge: RecipientJudge
  }

  private let state: Mutex<State>
  private let lastTrouble = Mutex<(time: ContinuousClock.Instant?, others: Int)>((nil, 0))
  private let credentials: Credentials
  private let report: @Sendable (PolicyEvent) -> Void

  /// Seconds for one request, tables and counts included.
  package static let timeLimit: Int64 = 4
  private static let troubleInterval = Duration.seconds(60)

  /// - Parameters:
  ///   - credentials: the user that this process runs as.
  ///   - report: called from any thread.
  /// - Throws: if a table that this process queries itself is unusable as configured.
  package init(
    _ settings: Settings, _ policy: PolicySettings, as credentials: Credentials = .current,
    report: @escaping @Sendable (PolicyEvent) -> Void
  ) throws(SettingsError) {
    self.credentials = credentials
    self.report = report
    state = Mutex(State(policy: policy, judge: try Self.judge(settings, policy, credentials, report)))
  }

  /// Switches to other settings, and forgets everything.
  ///
  /// - Throws: as the initializer does; then nothing changes.
  package func reload(_ settings: Settings, _ policy: PolicySettings) throws(SettingsError) {
    let judge = try Self.judge(settings, policy, credentials, report)
    state.withLock { $0 = State(policy: policy, judge: judge) }
  }

  private static func judge(
    _ settings: Settings, _ policy: PolicySettings, _ credentials: Credentials,
    _ report: @escaping @Sendable (PolicyEvent) -> Void
  ) throws(SettingsError) -> RecipientJudge {
    let judge = RecipientJudge(settings, policy, as: credentials, threads: threads) { report(.counted(isFinished: $0)) }
    do { try judge.open() } catch { throw SettingsError(error.sentence) }
    return judge
  }

  /// How many requests are worked on at once: they wait for the lookup service and for disks, not for the processor.
  package static let threads = 16

  /// The answer where nothing has to be looked up, else nil. It never waits.
  package func immediateOutcome(_ question: PolicySession.Question) -> PolicyOutcome? {
    switch question {
    case .nothing(let reason): return PolicyOutcome(.pass, reason.rawValue)
    case .recipients(_, let request):
      let policy = state.withLock { $0.policy }
      let isExempt =
        policy.exempts(sender: request.sender)
        || policy.exemptClients.contains(address: request.clientAddress, name: request.clientName)
      return isExempt ? PolicyOutcome(.pass, "exempt") : nil
    }
  }

  /// The answer, found by `deadline` as far as the file system answers. Any thread may call it.
  package func outcome(_ question: PolicySession.Question, until deadline: Deadline) -> PolicyOutcome {
    // Every other question has an immediate outcome.
    guard case .recipients(let recipients, let request) = question else { return PolicyOutcome(.pass, "invalid") }
    guard !deadline.hasPassed else { return PolicyOutcome(.pass, "too-late") }
    let judge = state.withLock { $0.judge }
    var judgements: [Judgement] = []
    for recipient in recipients {
      let judgement = judge.judge(recipient, size: request.size, until: deadline)
      judgements.append(judgement)
      guard let reason = judgement.reason else { continue }
      // One that passes is enough for the message to pass.
      if let trouble = judgement.trouble { reportTrouble(escaped(recipient) + Array(": ".utf8) + trouble) }
      return PolicyOutcome(.pass, reason.rawValue)
    }
    let decision = judge.decision(judgements)
    let answer = judge.answer(decision, judgements, until: deadline)
    // It may have been answered without us.
    guard !deadline.hasPassed else { return PolicyOutcome(.pass, "too-late") }
    guard case .refuse(let code, _) = answer else { return PolicyOutcome(.pass, "no-target") }
    report(.refused(RefusalLine.text(request, judgements, code)))
    return PolicyOutcome(answer, decision == .tooLarge ? "too-large" : "full")
  }

  /// A line a minute: a database that is down would fill the log.
  private func reportTrouble(_ text: [UInt8]) {
    let now = ContinuousClock.now
    let others: Int? = lastTrouble.withLock { last in
      if let time = last.time, now - time < Self.troubleInterval {
        last.others += 1
        return nil
      }
      defer { last = (now, 0) }
      return last.others
    }
    if let others { report(.trouble(text, others: others)) }
  }
}
