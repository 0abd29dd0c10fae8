// SPDX-License-Identifier: Apache-2.0
import CoreMetrics
import Testing

@testable import Prometheus

struct MetricsRegistryTests {
  @Test("Families are together, with their help and type; labels are escaped")
  func text() {
    let registry = MetricsRegistry(["answers_total": "Answers."])
    Counter(label: "answers_total", dimensions: [("reason", "room")], factory: registry).increment(by: 2)
    Recorder(label: "connections", dimensions: [], aggregate: false, factory: registry).record(3)
    Counter(label: "answers_total", dimensions: [("reason", "a\"b\\c\nd")], factory: registry).increment()
    // The same metric once more.
    Counter(label: "answers_total", dimensions: [("reason", "room")], factory: registry).increment()
    #expect(
      registry.text == """
        # HELP answers_total Answers.
        # TYPE answers_total counter
        answers_total{reason="a\\"b\\\\c\\nd"} 1
        answers_total{reason="room"} 3
        # TYPE connections gauge
        connections 3

        """)
  }

  @Test("A histogram counts what took at most so long, up to and with the bound")
  func histogram() {
    let registry = MetricsRegistry([:])
    let timer = CoreMetrics.Timer(label: "t_seconds", dimensions: [("a", "b")], factory: registry)
    for nanoseconds in [1, 100_000, 100_001, 6_000_000_000] as [Int64] { timer.recordNanoseconds(nanoseconds) }
    let lines = registry.text.split(separator: "\n")
    #expect(
      lines.contains("t_seconds_bucket{a=\"b\",le=\"0.0001\"} 2")
        && lines.contains("t_seconds_bucket{a=\"b\",le=\"5\"} 3"))
    #expect(lines.contains("t_seconds_bucket{a=\"b\",le=\"+Inf\"} 4") && lines.contains("t_seconds_count{a=\"b\"} 4"))
    #expect(lines.contains("t_seconds_sum{a=\"b\"} 6.000200002"))
  }
}
