// SPDX-License-Identifier: Apache-2.0
package import Audit
import Quota
import Text

/// A domain, what its mailboxes hold together, and its limit.
package struct DomainLine: Sendable {
  package let domain: String
  package let sums: AuditStatistics.Sums
  /// Bytes, nil for none.
  package let limit: Int64?
  /// Why the limit is unknown; nil if it is not.
  package let problem: String?

  package init(_ domain: String, _ sums: AuditStatistics.Sums, limit: Int64?, problem: String? = nil) {
    self.domain = domain
    self.sums = sums
    self.limit = limit
    self.problem = problem
  }

  /// Nil without a limit.
  package var percent: Int64? { limit.flatMap { QuotaLimit(bytes: $0).percent(of: sums.usage) } }

  package func isOver(_ percent: Int64) -> Bool {
    limit.map { QuotaLimit(bytes: $0).isExceeded(by: sums.usage, percent: percent) } ?? false
  }
}

/// Writes how much the mailboxes of each domain hold.
package struct DomainPrinter {
  private let output: Output
  private let style: TerminalStyle

  package init(to output: Output, style: TerminalStyle) {
    self.output = output
    self.style = style
  }

  package func write(_ lines: [DomainLine], as format: OutputFormat) throws {
    if var writer = format.makeWriter?(output) {
      for line in lines { try writer.write(record(line)) }
      return try writer.finish()
    }
    var table = TextTable(
      [
        ("DOMAIN", .left), ("MAILBOXES", .right), ("USED", .right), ("LIMIT", .right), ("", .left), ("%", .right),
        ("MESSAGES", .right), ("ALLOTTED", .right), ("OVER QUOTA", .right), ("REMARK", .left),
      ], style: style)
    for line in lines { try output.write(table.add(cells(line))) }
    try output.write(table.flush())
    try output.flush()
  }

  private func cells(_ line: DomainLine) -> [TextTable.Cell] {
    let (sums, percent) = (line.sums, line.percent)
    let colour: TerminalStyle.Colour? = percent.map { $0 > 100 ? .red : $0 >= 80 ? .yellow : .green }
    let unknown = sums.unknown > 0 ? "\(grouped(sums.unknown)) without maildirsize" : ""
    return [
      .init(line.domain), .init(grouped(sums.mailboxes)), .init(ByteSize.text(sums.usage.bytes)),
      .init(line.limit.map { ByteSize.text($0) } ?? (line.problem == nil ? "none" : "unknown")),
      .init(percent.map { Bar.text(Double($0) / 100, width: 10) } ?? "", colour),
      .init(percent.map { "\($0)" } ?? "-", colour), .init(grouped(sums.usage.messages)),
      .init(sums.unlimited > 0 ? "unlimited" : ByteSize.text(sums.limits.bytes)),
      .init(grouped(sums.overQuota), sums.overQuota > 0 ? .red : nil), .init(line.problem ?? unknown, .yellow),
    ]
  }

  private func record(_ line: DomainLine) -> Record {
    let sums = line.sums
    return Record([
      ("domain", .text(line.domain)), ("mailboxes", .init(Int64(sums.mailboxes))),
      ("used_bytes", .init(sums.usage.bytes)), ("limit_bytes", .init(line.limit)), ("percent", .init(line.percent)),
      ("messages", .init(sums.usage.messages)), ("allotted_bytes", .init(sums.limits.bytes)),
      ("unlimited_mailboxes", .init(Int64(sums.unlimited))),
      ("over_quota_mailboxes", .init(Int64(sums.overQuota))), ("unknown_mailboxes", .init(Int64(sums.unknown))),
      ("problem", .init(line.problem)),
    ])
  }
}
