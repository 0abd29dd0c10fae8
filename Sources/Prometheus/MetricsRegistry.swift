// SPDX-License-Identifier: Apache-2.0
package import CoreMetrics
import Synchronization
import Text

/// Counters behind swift-metrics' API, shown in Prometheus' text format (prometheus.io, "Exposition formats", 0.0.4).
///
/// A metric exists from its first use, and is never destroyed.
package final class MetricsRegistry: MetricsFactory, Sendable {
  /// What a family of metrics is, for people.
  package typealias Descriptions = [String: String]

  private struct Key: Hashable, Comparable {
    let name: String
    /// `{action="pass",reason="room"}`, empty without labels.
    let labels: String

    static func < (left: Key, right: Key) -> Bool { (left.name, left.labels) < (right.name, right.labels) }
  }

  private let descriptions: Descriptions
  private let metrics = Mutex<[Key: any Metric]>([:])

  /// - Parameter descriptions: by the names of metrics.
  package init(_ descriptions: Descriptions) {
    self.descriptions = descriptions
  }

  package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
    find(label, dimensions) { CountingMetric() }
  }

  package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
    find(label, dimensions) { Histogram() }
  }

  package func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
    find(label, dimensions) { GaugeMetric() }
  }

  package func destroyCounter(_ handler: any CounterHandler) {}
  package func destroyTimer(_ handler: any TimerHandler) {}
  package func destroyRecorder(_ handler: any RecorderHandler) {}

  private func find<M: Metric>(_ name: String, _ labels: [(String, String)], _ make: () -> M) -> M {
    let key = Key(name: name, labels: metricLabels(labels.map { ($0.0, $0.1) }))
    return metrics.withLock { metrics in
      if let metric = metrics[key] as? M { return metric }
      let metric = make()
      metrics[key] = metric
      return metric
    }
  }

  /// All metrics, families together, in the order of their names.
  package var text: String {
    let all = metrics.withLock { $0 }.sorted { $0.key < $1.key }
    var lines: [String] = []
    var family = ""
    for (key, metric) in all {
      if key.name != family {
        family = key.name
        if let description = descriptions[family] { lines.append("# HELP \(family) \(description)") }
        lines.append("# TYPE \(family) \(metric.kind)")
      }
      lines += metric.samples(key.name, key.labels)
    }
    return lines.map { $0 + "\n" }.joined()
  }
}
