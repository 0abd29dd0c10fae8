// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// `ullage audit --prometheus`, and the examples for Prometheus and Grafana.
struct AuditMetricsTests {
  private static func metrics(_ site: AuditSite) throws -> [String] {
    let text = try #require(site.host.sandbox.text("ullage.prom"))
    #expect(text.hasSuffix("\n"))
    let check = try Command.run(["promtool", "check", "metrics"], input: .bytes(Array(text.utf8)))
    #expect(check.status == 0 && check.output.isEmpty && check.errors.isEmpty, "\(check)")
    return text.split(separator: "\n").map(String.init)
  }

  @Test("Figures by domain, how full the mailboxes are, findings; no address unless the largest are asked for")
  func figures() throws {
    let site = try AuditSite()
    try site.add("ann", ledger: "1000000S\n700000 2\n")
    try site.add("bob", ledger: "1000000S\n1200000 3\n")
    try site.add("eve", ledger: "0S\n5000 1\n", bytes: "0")
    try site.add("odd", ledger: "")
    try site.list("new@example.org", "example.org/new/")
    try site.list("far@EXAMPLE.\"net", "example.org/far/")
    let file = site.host.sandbox("ullage.prom")
    let ending = try site.audit("--level=0", "--prometheus=\(file)")
    #expect(ending.status == 1, "\(ending)")
    let lines = try Self.metrics(site)
    for line in [
      #"ullage_domain_mailboxes{domain="example.org"} 5"#, #"ullage_domain_mailboxes{domain="example.\"net"} 1"#,
      #"ullage_domain_used_bytes{domain="example.org"} 1905000"#, #"ullage_domain_messages{domain="example.org"} 6"#,
      #"ullage_domain_allotted_bytes{domain="example.org"} 4000000"#,
      #"ullage_domain_unlimited_mailboxes{domain="example.org"} 1"#,
      #"ullage_domain_over_quota_mailboxes{domain="example.org"} 1"#,
      #"ullage_domain_unknown_mailboxes{domain="example.org"} 1"#,
      // ann, bob, and the two to which nothing has been delivered yet.
      #"ullage_mailbox_fill_ratio_bucket{le="0.1"} 2"#, #"ullage_mailbox_fill_ratio_bucket{le="0.7"} 3"#,
      #"ullage_mailbox_fill_ratio_bucket{le="1.0"} 3"#, #"ullage_mailbox_fill_ratio_bucket{le="+Inf"} 4"#,
      "ullage_mailbox_fill_ratio_sum 1.9", "ullage_mailbox_fill_ratio_count 4",
      #"ullage_audit_findings{kind="broken-ledger",severity="error"} 1"#,
      #"ullage_audit_findings{kind="drift",severity="warning"} 0"#, "ullage_audit_mailboxes 6",
      "ullage_audit_problems 0",
    ] { #expect(lines.contains(line), "\(line): \(lines)") }
    #expect(!lines.contains { $0.contains("@") })
    // Another user's collector reads it.
    #expect(try Command.check(["stat", "-c", "%a", file]) == "644\n")

    _ = try site.audit("--level=0", "--prometheus=\(file)", "--top=2")
    let largest = try Self.metrics(site).filter { $0.contains("@") }
    #expect(
      largest == [
        #"ullage_mailbox_used_bytes{mailbox="bob@example.org"} 1200000"#,
        #"ullage_mailbox_used_bytes{mailbox="ann@example.org"} 700000"#,
        #"ullage_mailbox_limit_bytes{mailbox="bob@example.org"} 1000000"#,
        #"ullage_mailbox_limit_bytes{mailbox="ann@example.org"} 1000000"#,
      ])
    #expect(try site.audit("--top=2").status == 64)
    #expect(try site.audit("--prometheus=\(file)", "--domain=example.org").status == 64)
    // What was not looked for is not 0.
    _ = try site.audit("--level=0", "--prometheus=\(file)", "--ignore=broken-ledger")
    #expect(try !Self.metrics(site).contains { $0.contains("broken-ledger") })
    let nowhere = try site.audit("--prometheus=/proc/ullage.prom")
    #expect(nowhere.status == 78 && nowhere.errors.contains("cannot write to that directory"), "\(nowhere)")
  }

  @Test("A run that was interrupted, or continues another, leaves the file as it is")
  func partly() throws {
    let site = try AuditSite()
    for number in 0..<60 { try site.add("u\(number)") }
    let (file, state) = (site.host.sandbox("ullage.prom"), site.host.sandbox("audit.state"))
    let options = ["audit", "--level=0", "--prometheus=\(file)", "--state=\(state)"]
    let run = try Command(site.host.toolArguments(options + ["--max-rate=5"]), input: .bytes([]), asMailUser: true)
    try waitUntil("some mailboxes") {
      // Written every five seconds.
      (try? String(contentsOfFile: state, encoding: .utf8))?.contains(#/"mailboxes":[1-9]/#) == true ? () : nil
    }
    run.kill(SIGTERM)
    #expect(run.wait().status == 143)
    #expect(site.host.sandbox.text("ullage.prom") == nil)
    let rest = try site.host.ullage(options)
    #expect(rest.status == 0 && rest.errors.contains("stays as it is: this run has seen only a part"), "\(rest)")
    #expect(site.host.sandbox.text("ullage.prom") == nil)
    #expect(try site.host.ullage(options).status == 0)
    #expect(try Self.metrics(site).contains("ullage_audit_mailboxes 60"))
  }

  @Test("The alert rules are valid; they and the dashboard ask only for figures that there are")
  func examples() throws {
    let site = try AuditSite()
    try site.add("ann")
    _ = try site.audit("--level=0", "--prometheus=\(site.host.sandbox("ullage.prom"))")
    let names = Set(
      try Self.metrics(site).compactMap { $0.wholeMatch(of: #/(\w+)(?:\{.*)? [^ ]+/#)?.1 }.map(String.init))
    let examples = "scripts/package.d/examples/"
    let check = try Command.run(["promtool", "check", "rules", Project.path(examples + "prometheus-rules.yml")])
    #expect(check.status == 0, "\(check)")
    let dashboard = try Project.text(examples + "grafana-dashboard.json")
    #expect(try JSONSerialization.jsonObject(with: Data(dashboard.utf8)) is [String: Any])
    for text in [dashboard, try Project.text(examples + "prometheus-rules.yml")] {
      let used = Set(text.matches(of: #/ullage_\w+/#).map { String($0.output) })
      #expect(!used.isEmpty && used.isSubset(of: names), "\(used.subtracting(names))")
    }
  }
}
