// SPDX-License-Identifier: Apache-2.0
package import Audit
package import Findings
import Quota
import Text

/// An audit in Prometheus' text format, for the textfile collector of node_exporter.
package enum AuditMetrics {
  private typealias Labels = [(name: String, value: String)]

  /// - Parameters:
  ///   - ignored: kinds that were not looked for.
  ///   - top: how many of the largest mailboxes are named.
  ///   - seconds: that the audit took.
  ///   - now: the end of the audit, in seconds since 1970.
  package static func text(
    _ state: AuditState, _ statistics: AuditStatistics, ignored: Set<FindingKind>, top: Int, seconds: Double, now: Int64
  ) -> String {
    var lines: [String] = []
    func family(_ name: String, _ kind: String, _ help: String, _ samples: [(Labels, String)]) {
      guard !samples.isEmpty else { return }
      lines += ["# HELP \(name) \(help)", "# TYPE \(name) \(kind)"]
      lines += samples.map { "\(name)\(metricLabels($0)) \($1)" }
    }
    let domains = statistics.domains.sorted { $0.key < $1.key }
    func byDomain(_ name: String, _ help: String, _ value: (AuditStatistics.Sums) -> any BinaryInteger) {
      family(name, "gauge", help, domains.map { ([("domain", $0.key)], "\(value($0.value))") })
    }
    byDomain("ullage_domain_mailboxes", "Mailboxes of the domain.") { $0.mailboxes }
    byDomain("ullage_domain_used_bytes", "What the mailboxes of the domain hold.") { $0.usage.bytes }
    byDomain("ullage_domain_messages", "Messages in the mailboxes of the domain.") { $0.usage.messages }
    byDomain("ullage_domain_allotted_bytes", "The sum of the limits in bytes, of mailboxes that have one.") {
      $0.limits.bytes
    }
    byDomain("ullage_domain_unlimited_mailboxes", "Mailboxes without a limit.") { $0.unlimited }
    byDomain("ullage_domain_over_quota_mailboxes", "Mailboxes that hold more than their limit.") { $0.overQuota }
    byDomain("ullage_domain_unknown_mailboxes", "Mailboxes without a usable maildirsize.") { $0.unknown }
    lines += fill(statistics)
    let mailboxes = statistics.largestMailboxes.prefix(top)
    family(
      "ullage_mailbox_used_bytes", "gauge", "What one of the largest mailboxes holds.",
      mailboxes.map { ([("mailbox", $0.name)], "\($0.usage.bytes)") })
    family(
      "ullage_mailbox_limit_bytes", "gauge", "The limit of that mailbox, 0 for none.",
      mailboxes.map { ([("mailbox", $0.name)], "\($0.limit.bytes)") })
    family(
      "ullage_audit_findings", "gauge", "What the last audit found, by kind and severity.",
      FindingKind.ofAudit.filter { !ignored.contains($0) }.flatMap { kind in
        SeveritySummary.severities.map { severity in
          ([("kind", kind.rawValue), ("severity", severity.rawValue)], "\(state.count(kind, severity))")
        }
      })
    func single(_ name: String, _ help: String, _ value: String) { family(name, "gauge", help, [([], value)]) }
    single("ullage_audit_mailboxes", "Mailboxes that the last audit has looked at.", "\(state.mailboxes)")
    single("ullage_audit_counted_mailboxes", "Those of them whose messages it has counted.", "\(state.counted)")
    single("ullage_audit_mended_findings", "What it has repaired.", "\(state.repaired)")
    single(
      "ullage_audit_problems", "Mailboxes, directories and limits that it could not look at.",
      "\(state.notAuditedCount)")
    single("ullage_audit_duration_seconds", "How long it took.", "\(seconds)")
    single("ullage_audit_completion_timestamp_seconds", "When it ended, in seconds since 1970.", "\(now)")
    return lines.map { $0 + "\n" }.joined()
  }

  /// A histogram: the mailboxes up to each bound are among those up to the next.
  private static func fill(_ statistics: AuditStatistics) -> [String] {
    let name = "ullage_mailbox_fill_ratio"
    var lines = ["# HELP \(name) How full the mailboxes with a limit are; 1 is the limit.", "# TYPE \(name) histogram"]
    var total = 0
    for (count, bound) in zip(statistics.fill, AuditStatistics.fillBounds.map { "\($0)" } + ["+Inf"]) {
      total += count
      lines.append("\(name)_bucket{le=\"\(bound)\"} \(total)")
    }
    return lines + ["\(name)_sum \(statistics.fillSum)", "\(name)_count \(total)"]
  }
}
