// SPDX-License-Identifier: Apache-2.0
import Aliases
import Cache
package import Configuration
import Database
import Mailboxes
package import Policy
package import Posix
import Synchronization
package import Tables
import Text

/// Decides about recipients: for the policy service, and for whoever asks why (`ullage explain`).
///
/// Any number of threads may call it at once.
package final class RecipientJudge: Sendable {
  private let settings: Settings
  private let policy: PolicySettings
  private let tables: TableSet
  private let policyTables: PolicyTables
  private let credentials: Credentials
  private let prefersTables: Bool
  private let gauge: MailboxGauge
  private let rule: PolicyRule
  private let routes = Mutex(RecentCache<[UInt8], Route>(capacity: 16_384))

  /// Bytes. Longer recipients from a client must not fill memory, nor must long lists.
  private static let longestKept = 512
  private static let mostStopsKept = 32

  /// - Parameters:
  ///   - credentials: the user whose mailboxes are judged; root acts as that user.
  ///   - prefersTables: query the tables directly rather than through the lookup service, which does not say which
  ///     table gave an answer.
  ///   - threads: how many may call it at once.
  ///   - records: whether a count is written into `maildirsize`.
  ///   - noteCount: called after each count of a mailbox, with whether it came to its end.
  package init(
    _ settings: Settings, _ policy: PolicySettings, as credentials: Credentials, prefersTables: Bool = false,
    threads: Int = 1, records: Bool = true, noteCount: @escaping @Sendable (Bool) -> Void = { _ in }
  ) {
    self.settings = settings
    self.policy = policy
    self.credentials = credentials
    self.prefersTables = prefersTables
    tables = TableSet(pool: ConnectionPool(limit: threads, spreadsHosts: true), isForService: true)
    policyTables = PolicyTables(policy, tables, Self.way(settings.lookupService, prefersTables: prefersTables))
    gauge = MailboxGauge(settings, policy, policyTables, as: credentials, records: records, noteCount: noteCount)
    rule = PolicyRule(refusesForAny: policy.refusesForAny, bounces: settings.overquotaBounces)
  }

  private static func way(_ service: LookupServiceSettings, prefersTables: Bool) -> PolicyTables.Way {
    guard let socket = service.socket else { return .directly }
    if prefersTables { return .directlyThenService(socket) }
    return service.fallsBack ? .serviceThenDirectly(socket) : .service(socket)
  }

  /// Opens the tables that this process queries itself.
  package func open() throws(TableError) { try policyTables.open() }

  /// Decides about one recipient.
  ///
  /// Where its mail goes is remembered for `lookup_cache_time`. What is remembered, here or by the lookup service, lets
  /// a recipient pass; before one is refused, everything is looked up again.
  /// - Parameter size: bytes, as announced; zero if it is unknown.
  package func judge(_ recipient: [UInt8], size: Int64, until deadline: Deadline) -> Judgement {
    let now = ContinuousClock.now
    let age = routeAge(of: recipient)
    if let route = routes.withLock({ $0.value(of: recipient, within: age, of: now) }),
      let judgement = glance(route, recipient, size)
    {
      return judgement
    }
    let route = planner().route(of: recipient, isComplete: false, until: deadline)
    if route.isKnown, recipient.count <= Self.longestKept, route.stops.count <= Self.mostStopsKept {
      routes.withLock { $0.keep(route.withoutSteps, of: recipient, at: now) }
    }
    if let judgement = glance(route, recipient, size) { return judgement }
    guard settings.lookupService.socket != nil, route.isKnown else {
      return weigh(route, recipient, size, isComplete: false, until: deadline)
    }
    let fresh = planner(isFresh: true).route(of: recipient, isComplete: false, until: deadline)
    return weigh(fresh, recipient, size, isComplete: false, until: deadline)
  }

  /// Somewhat less than `lookup_cache_time`, and different for each recipient, so that not all that were looked up
  /// together are looked up again together.
  private func routeAge(of recipient: [UInt8]) -> Duration {
    let share = recipient.reduce(into: UInt64(5381)) { $0 = $0 &* 33 &+ UInt64($1) } % 256
    return .milliseconds(settings.lookupService.cacheTime * (1000 - Int64(share)))
  }

  /// The same decision, with everything that is known about every target.
  package func explain(_ recipient: [UInt8], size: Int64, until deadline: Deadline) -> Judgement {
    let route = planner(isFresh: true).route(of: recipient, isComplete: true, until: deadline)
    return weigh(route, recipient, size, isComplete: true, until: deadline)
  }

  /// The decision for the recipients of a message together.
  package func decision(_ judgements: [Judgement]) -> PolicyRule.Decision {
    judgements.count == 1 ? judgements[0].decision : rule.decision(judgements.map { $0.decision })
  }

  /// The answer, with the text that the first target's users have configured.
  package func answer(_ decision: PolicyRule.Decision, _ judgements: [Judgement], until deadline: Deadline)
    -> PolicyAnswer
  {
    switch decision {
    case .pass: return .pass
    case .tooLarge: return .refuse(.fullForGood, text: settings.oversizeMessage)
    case .full(let code):
      let target = judgements.lazy.compactMap { $0.firstRefusing }.first
      return .refuse(code, text: limitMessage(for: target?.address ?? [], until: deadline))
    }
  }

  private func limitMessage(for address: [UInt8], until deadline: Deadline) -> [UInt8] {
    let lookup = MailboxLookup(settings, tables, prefersTables: prefersTables)
    do { return try lookup.limitMessage(for: AddressQuery(address, until: deadline)) ?? settings.limitMessage } catch {
      return settings.limitMessage
    }
  }

  private func planner(isFresh: Bool = false) -> RoutePlanner {
    RoutePlanner(
      settings: settings, policy: policy, tables: isFresh ? policyTables.fresh : policyTables,
      lookup: MailboxLookup(settings, tables, prefersTables: prefersTables, takesFreshOnly: isFresh),
      credentials: credentials)
  }

  /// What can be said at once, nil if that would be a refusal, or is not certain.
  private func glance(_ route: Route, _ recipient: [UInt8], _ size: Int64) -> Judgement? {
    guard !policy.refusesForAny, case .success = route.expansion.result else { return nil }
    for stop in route.stops {
      var target: Judgement.Target?
      switch stop.place {
      case .settled(let state): target = Judgement.Target(stop.address, state)
      case .mailbox(let mailbox):
        guard let path = path(of: mailbox) else { continue }
        let least = leastSize(ofAnnounced: size, slack: policy.sizeSlack)
        target = gauge.glance(mailbox, path, leastSize: least).map { Judgement.Target(stop.address, $0, mailbox, path) }
      }
      // One target with room is enough.
      if let target, target.ruling == .other {
        return Judgement(recipient: recipient, expansion: route.expansion, targets: [target], decision: .pass)
      }
    }
    return nil
  }

  private func weigh(
    _ route: Route, _ recipient: [UInt8], _ size: Int64, isComplete: Bool, until deadline: Deadline
  ) -> Judgement {
    let least = leastSize(ofAnnounced: size, slack: policy.sizeSlack)
    var targets: [Judgement.Target] = []
    var seen: Set<Path> = []
    for stop in route.stops {
      let target = self.target(stop, least, &seen, until: deadline)
      targets.append(target)
      if !isComplete, !policy.refusesForAny, target.ruling == .other { break }
    }
    return Judgement(
      recipient: recipient, expansion: route.expansion, targets: targets,
      decision: rule.decision(targets.map { $0.ruling }))
  }

  private func target(
    _ stop: Route.Stop, _ least: Int64, _ seen: inout Set<Path>, until deadline: Deadline
  ) -> Judgement.Target {
    switch stop.place {
    case .settled(let state): return Judgement.Target(stop.address, state)
    case .mailbox(let mailbox):
      guard let path = path(of: mailbox) else {
        return Judgement.Target(stop.address, .trouble(Array("virtual_mailbox_base is not set".utf8)), mailbox)
      }
      guard seen.insert(path).inserted else { return Judgement.Target(stop.address, .sameMailbox, mailbox, path) }
      guard !deadline.hasPassed else { return Judgement.Target(stop.address, .uncounted, mailbox, path) }
      let state = gauge.state(of: stop.address, mailbox, path, leastSize: least, until: deadline)
      return Judgement.Target(stop.address, state, mailbox, path)
    }
  }

  private func path(of mailbox: Mailbox) -> Path? {
    Path(settings.mailboxBase).map { base in mailbox.components.reduce(base) { $0.appending($1) } }
  }
}

extension Judgement.Target {
  fileprivate init(_ address: [UInt8], _ state: Judgement.State, _ mailbox: Mailbox? = nil, _ path: Path? = nil) {
    self.init(address: address, mailbox: mailbox, path: path, state: state)
  }
}
