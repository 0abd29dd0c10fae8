// SPDX-License-Identifier: Apache-2.0
import CoreMetrics
import Synchronization

/// One metric with its labels.
protocol Metric: AnyObject, Sendable {
  /// Its type in Prometheus.
  var kind: String { get }
  /// Its lines.
  func samples(_ name: String, _ labels: String) -> [String]
}

/// A number that only grows.
final class CountingMetric: CounterHandler, Metric {
  private let value = Atomic<Int64>(0)

  var kind: String { "counter" }

  func increment(by amount: Int64) { value.wrappingAdd(amount, ordering: .relaxed) }

  func reset() { value.store(0, ordering: .relaxed) }

  func samples(_ name: String, _ labels: String) -> [String] { ["\(name)\(labels) \(value.load(ordering: .relaxed))"] }
}

/// A number as it is now.
final class GaugeMetric: RecorderHandler, Metric {
  private let value = Atomic<Int64>(0)

  var kind: String { "gauge" }

  func record(_ value: Int64) { self.value.store(value, ordering: .relaxed) }

  func record(_ value: Double) { record(Int64(exactly: value.rounded()) ?? 0) }

  func samples(_ name: String, _ labels: String) -> [String] { ["\(name)\(labels) \(value.load(ordering: .relaxed))"] }
}

/// How long something takes: how often it took at most so many seconds.
final class Histogram: TimerHandler, Metric {
  private static let bounds: [(text: String, nanoseconds: Int64)] = [
    ("0.0001", 100_000), ("0.00025", 250_000), ("0.0005", 500_000), ("0.001", 1_000_000), ("0.0025", 2_500_000),
    ("0.005", 5_000_000), ("0.01", 10_000_000), ("0.025", 25_000_000), ("0.05", 50_000_000), ("0.1", 100_000_000),
    ("0.25", 250_000_000), ("0.5", 500_000_000), ("1", 1_000_000_000), ("2.5", 2_500_000_000), ("5", 5_000_000_000),
  ]

  private struct State {
    var counts = [Int64](repeating: 0, count: Histogram.bounds.count + 1)
    var nanoseconds: Int64 = 0
  }

  private let state = Mutex(State())

  var kind: String { "histogram" }

  func recordNanoseconds(_ duration: Int64) {
    let index = Self.bounds.firstIndex { duration <= $0.nanoseconds } ?? Self.bounds.count
    state.withLock { state in
      state.counts[index] += 1
      state.nanoseconds &+= duration
    }
  }

  func samples(_ name: String, _ labels: String) -> [String] {
    let state = state.withLock { $0 }
    let inner = labels.isEmpty ? "" : "\(labels.dropFirst().dropLast()),"
    var lines: [String] = []
    var total: Int64 = 0
    for (count, bound) in zip(state.counts, Self.bounds.map(\.text) + ["+Inf"]) {
      total += count
      lines.append("\(name)_bucket{\(inner)le=\"\(bound)\"} \(total)")
    }
    let fraction = "\(state.nanoseconds % 1_000_000_000)"
    let seconds = "\(state.nanoseconds / 1_000_000_000).\(String(repeating: "0", count: 9 - fraction.count))\(fraction)"
    return lines + ["\(name)_sum\(labels) \(seconds)", "\(name)_count\(labels) \(total)"]
  }
}
