// SPDX-License-Identifier: Apache-2.0
import CoreMetrics
import LMTP
import Policy
import PolicyServer
import Prometheus
import Socketmap
import Synchronization
import Text

/// What a service counts. No label has an address in it.
final class ServiceMetrics: Sendable {
  let registry = MetricsRegistry([
    "ullage_policy_answers_total": "Answers to smtpd(8), by what they do and why.",
    "ullage_policy_answer_seconds": "Time from a request to its answer, as far as something had to be looked up.",
    "ullage_policy_counts_total":
      "Mailboxes whose messages were counted because maildirsize did not suffice, by how that ended.",
    "ullage_lookup_answers_total": "Answers of the lookup service, by map and kind.",
    "ullage_lookup_answer_seconds": "Time from a query to its answer, as far as a table was queried.",
    "ullage_lmtp_recipients_total": "Recipients that lmtp(8) named, by the status code of their reply.",
    "ullage_lmtp_deliveries_total": "Copies of messages, by the status code of their reply.",
    "ullage_lmtp_answer_seconds": "Time from the end of a message, or the copy before, to a reply.",
    "ullage_connections": "Clients that are connected or wait for an answer.",
    "ullage_connections_total": "Connections since the start.",
    "ullage_strangers_total": "Connections from clients that may not connect.",
  ])

  private let counters = Mutex<[[String]: Counter]>([:])
  private let seconds: Timer
  private let connections: Recorder
  private let opened: Counter
  private let strangers: Counter
  private let service: String

  /// - Parameter service: its name in the metrics.
  init(_ service: String) {
    self.service = service
    seconds = Timer(label: "ullage_\(service)_answer_seconds", factory: registry)
    connections = Recorder(
      label: "ullage_connections", dimensions: [("service", service)], aggregate: false, factory: registry)
    opened = Counter(label: "ullage_connections_total", dimensions: [("service", service)], factory: registry)
    strangers = Counter(label: "ullage_strangers_total", dimensions: [("service", service)], factory: registry)
  }

  func noteConnections(_ count: Int, isNew: Bool) {
    connections.record(count)
    if isNew { opened.increment() }
  }

  func noteStranger() { strangers.increment() }

  func note(_ outcome: PolicyOutcome) {
    let action = outcome.answer == .pass ? "pass" : "refuse"
    counter("answers", [("action", action), ("reason", outcome.reason)]).increment()
  }

  func noteCount(isFinished: Bool) {
    counter("counts", [("result", isFinished ? "finished" : "unfinished")]).increment()
  }

  func note(_ reply: SocketmapReply, to request: SocketmapRequest, isCached: Bool) {
    let kind =
      switch reply {
      case .found: "found"
      case .notFound: "not-found"
      case .temporary: "temporary"
      // There may be any number of names for maps that do not exist.
      case .permanent: "permanent"
      }
    let map = kind == "permanent" ? "" : request.map.text
    counter("answers", [("map", map), ("kind", kind), ("source", isCached ? "memory" : "tables")]).increment()
  }

  func note(_ reply: LMTPSession.Reply, to request: LMTPSession.Request) {
    let status =
      switch reply {
      case .stored: ""
      case .accepted: "2.1.5"
      case .verdict(let verdict): verdict.status
      }
    count(request, status)
  }

  func noteLate(_ request: LMTPSession.Request) { count(request, "late") }

  private func count(_ request: LMTPSession.Request, _ status: String) {
    switch request {
    case .recipient: counter("recipients", [("status", status)]).increment()
    case .deliver: counter("deliveries", [("status", status)]).increment()
    case .store: break
    }
  }

  func noteTime(since start: ContinuousClock.Instant) {
    let (whole, fraction) = (ContinuousClock.now - start).components
    seconds.recordNanoseconds(whole * 1_000_000_000 + fraction / 1_000_000_000)
  }

  private func counter(_ name: String, _ labels: [(String, String)]) -> Counter {
    counters.withLock { counters in
      let key = [name] + labels.map(\.1)
      if let counter = counters[key] { return counter }
      let counter = Counter(label: "ullage_\(service)_\(name)_total", dimensions: labels, factory: registry)
      counters[key] = counter
      return counter
    }
  }
}
