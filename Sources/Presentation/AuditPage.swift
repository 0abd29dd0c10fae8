// SPDX-License-Identifier: Apache-2.0
package import Audit
import Configuration
import Findings
package import Posix
import Quota
import Text

/// An audit as one page of HTML that needs nothing else, neither network nor scripts.
package struct AuditPage {
  /// How many of the largest mailboxes the page shows.
  package static let largest = 50
  private static let maxDomains = 1000

  private let state: AuditState
  private let statistics: AuditStatistics
  private let remedies: RemedyText
  /// The worst of each kind.
  private let findings: [Finding]
  private let kinds: [FindingKind]

  package init(_ state: AuditState, _ statistics: AuditStatistics, _ remedies: RemedyText) {
    var state = state
    findings = state.sortedFindings()
    kinds = FindingKind.ofAudit.filter { state.count($0) > 0 }
    self.state = state
    self.statistics = statistics
    self.remedies = remedies
  }

  /// - Parameters:
  ///   - seconds: that the audit took.
  ///   - now: the end of the audit.
  package func text(seconds: Double, now: Timestamp) -> String {
    let mailboxes = quantity(state.mailboxes, "mailbox", plural: "mailboxes")
    let page: HTMLText = """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline';
        script-src 'unsafe-inline'; img-src data:">
      <link rel="icon" href="data:,">
      <title>Mailbox audit, \(now.minuteText)</title>
      <style>
      \(PageParts.style)</style>
      </head>
      <body>
      <header>
      <h1>Mailbox audit</h1>
      <p class="soft">\(now.minuteText); \(mailboxes) looked at in \(tenths(ofSeconds: seconds)) s,
      \(grouped(state.counted)) counted</p>
      <dl class="tiles">
      \(tiles)</dl>
      </header>
      <main>
      <div class="columns">
      \(section("fill", "How full the mailboxes are", fill))\(section("kinds", "Findings", summary))</div>
      \(section("domains", "Domains", domains))\(section("largest", "Largest mailboxes", largest))\(details)\(problems)
      </main>
      <footer><p>Written by ullage \(Ullage.version).</p></footer>
      <script>
      \(PageParts.script)</script>
      </body>
      </html>

      """
    return page.text
  }

  private func section(_ name: String, _ title: String, _ content: HTMLText) -> HTMLText {
    """
    <section aria-labelledby="\(name)">
    <h2 id="\(name)">\(title)</h2>
    \(content)</section>

    """
  }

  private var tiles: [HTMLText] {
    let all = statistics.domains.values
    let used = all.reduce(QuotaUsage.none) { $0.plus($1.usage) }
    func tile(_ title: String, _ value: String, _ style: HTMLText = "") -> HTMLText {
      "<div><dt>\(title)</dt><dd class=\"\(style)\">\(value)</dd></div>\n"
    }
    func fault(_ title: String, _ count: Int, _ style: HTMLText) -> HTMLText {
      tile(title, grouped(count), count > 0 ? style : "good")
    }
    return [
      tile("Mailboxes", grouped(all.map(\.mailboxes).reduce(0, +))), tile("Used", ByteSize.text(used.bytes)),
      tile("Messages", grouped(used.messages)), fault("Over quota", all.map(\.overQuota).reduce(0, +), "error"),
      fault("Errors", state.count(nil, .error), "error"), fault("Warnings", state.count(nil, .warning), "warning"),
      fault("Not audited", state.notAuditedCount, "error"),
    ]
  }

  private var fill: HTMLText {
    let bounds = AuditStatistics.fillBounds.map { Int(($0 * 100).rounded()) }
    let titles = zip([0] + bounds, bounds).map { $0 == 0 ? "up to \($1) %" : "\($0) to \($1) %" } + ["over the limit"]
    let most = Double(max(1, statistics.fill.max() ?? 0))
    return PageTable(
      caption: "Mailboxes with a limit, by their share of it", first: "Share of the limit",
      columns: [.chart("Compared"), .number("Mailboxes")],
      rows: zip(titles, statistics.fill).enumerated().map { index, bar in
        let style: HTMLText = index == bounds.count ? "error" : bounds[index] > 80 ? "warning" : ""
        return PageTable.Row(
          "\(bar.0)", style: style, [.bar(Double(bar.1) / most, Int64(bar.1)), .number(bar.1) { grouped($0) }])
      }, isList: false
    ).html
  }

  private var summary: HTMLText {
    guard !kinds.isEmpty else { return "<p class=\"good\">Nothing found.</p>\n" }
    let most = Double(kinds.map { state.count($0) }.max() ?? 1)
    return PageTable(
      caption: "Findings by kind", first: "Kind", columns: [.chart("Compared"), .number("Findings")],
      rows: kinds.map { kind in
        let count = state.count(kind)
        return PageTable.Row(
          "<a href=\"#\(kind.rawValue)\">\(kind.rawValue)</a>",
          style: Self.style(findings.first { $0.kind == kind }?.severity),
          [.bar(Double(count) / most, Int64(count)), .number(count) { grouped($0) }])
      }, isList: false
    ).html
  }

  private var domains: HTMLText {
    let all = statistics.domains.sorted { ($0.value.usage.bytes, $1.key) > ($1.value.usage.bytes, $0.key) }
    let most = Double(max(1, all.first?.value.usage.bytes ?? 0))
    return PageTable(
      caption: "Those whose mailboxes hold most" + Self.part(min(all.count, Self.maxDomains), of: all.count),
      first: "Domain",
      columns: [
        .number("Mailboxes"), .number("Used"), .chart("Compared"), .number("Messages"), .number("Allotted"),
        .number("Over quota"),
      ],
      rows: all.prefix(Self.maxDomains).map { name, sums in
        let bytes = sums.usage.bytes
        return PageTable.Row(
          "\(name)",
          [
            .number(sums.mailboxes) { grouped($0) }, .number(bytes, ByteSize.text),
            .bar(Double(bytes) / most, bytes), .number(sums.usage.messages) { grouped($0) },
            sums.unlimited > 0 ? .number("unlimited", .max) : .number(sums.limits.bytes, ByteSize.text),
            .number(sums.overQuota) { grouped($0) },
          ])
      }
    ).html
  }

  private var largest: HTMLText {
    PageTable(
      caption: "Those that hold most", first: "Mailbox",
      columns: [.number("Used"), .number("Limit"), .chart("Share"), .number("%"), .number("Messages")],
      rows: statistics.largestMailboxes.prefix(Self.largest).map { mailbox in
        let (usage, limit) = (mailbox.usage, mailbox.limit)
        let percent = limit.percent(of: usage)
        return PageTable.Row(
          "\(mailbox.name)", style: (percent ?? 0) > 100 ? "error" : (percent ?? 0) >= 80 ? "warning" : "",
          [
            .number(usage.bytes, ByteSize.text),
            limit.bytes > 0 ? .number(limit.bytes, ByteSize.text) : .number("none", .max),
            .bar(limit.share(of: usage) ?? 0, percent ?? -1),
            percent.map { .number($0) { "\($0)" } } ?? .number("-", -1), .number(usage.messages) { grouped($0) },
          ])
      }
    ).html
  }

  /// The findings of each kind.
  private var details: [HTMLText] {
    kinds.map { kind in
      let rows = findings.filter { $0.kind == kind }
      let count = state.count(kind)
      let table = kind == .drift ? drift(rows, of: count) : detail(rows, of: count)
      return section(kind.rawValue, kind.rawValue, table.html)
    }
  }

  private func detail(_ findings: [Finding], of count: Int) -> PageTable {
    PageTable(
      caption: quantity(count, "finding") + Self.part(findings.count, of: count), first: "Mailbox",
      columns: [.text("Seen"), .text("Likely cause"), .text("To do")],
      rows: findings.map { finding in
        PageTable.Row(
          "\(finding.subject.name)", style: Self.style(finding.severity),
          [
            .text(finding.evidence + (finding.isRepaired ? " (repaired)" : "")), .text(finding.reason),
            .text(finding.remedy.map { remedies.text($0) } ?? ""),
          ])
      })
  }

  private func drift(_ findings: [Finding], of count: Int) -> PageTable {
    let most = Double(max(1, findings.map { ($0.bytes ?? 0).magnitude }.max() ?? 0))
    return PageTable(
      caption: "What maildirsize had too much (+) or too little (-)" + Self.part(findings.count, of: count),
      first: "Mailbox", columns: [.number("Difference"), .chart("Compared"), .text("Likely cause"), .text("To do")],
      rows: findings.map { finding in
        let bytes = finding.bytes ?? 0
        return PageTable.Row(
          "\(finding.subject.name)", style: Self.style(finding.severity),
          [
            .number(bytes, ByteSize.signed), .bar(Double(bytes.magnitude) / most, bytes), .text(finding.reason),
            .text(finding.isRepaired ? "repaired" : finding.remedy.map { remedies.text($0) } ?? ""),
          ])
      })
  }

  private var problems: HTMLText {
    guard state.notAuditedCount > 0 else { return "" }
    let items: [HTMLText] = state.notAudited.map { "<li>\($0)</li>\n" }
    let rest = state.notAuditedCount - state.notAudited.count
    let more: HTMLText = rest > 0 ? "<li>and \(grouped(rest)) more</li>\n" : ""
    return section("not-audited", "Not audited", "<ul>\n\(items)\(more)</ul>\n")
  }

  private static func part(_ shown: Int, of count: Int) -> String {
    shown < count ? ": \(grouped(shown)) of \(grouped(count))" : ""
  }

  private static func style(_ severity: Finding.Severity?) -> HTMLText {
    switch severity {
    case .error: "error"
    case .warning: "warning"
    case .notice, .good, nil: ""
    }
  }
}
