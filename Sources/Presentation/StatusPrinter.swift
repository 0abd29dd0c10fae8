// SPDX-License-Identifier: Apache-2.0
import Quota
package import Sweep
import Text

/// A mailbox and how full it is.
package struct StatusLine: Sendable {
  package let row: MailboxRow
  package let report: MailboxReport

  package init(_ visit: Visit) {
    row = visit.row
    report = visit.report
  }

  /// Nil without a limit, or if the usage is unknown.
  package var percent: Int64? { report.usage.flatMap { row.limit.percent(of: $0) } }

  package func isOver(_ percent: Int64) -> Bool {
    report.usage.map { row.limit.isExceeded(by: $0, percent: percent) } ?? false
  }
}

/// Writes how full mailboxes are.
package struct StatusPrinter {
  private let output: Output
  private let style: TerminalStyle
  private let now: Int64

  /// - Parameter now: seconds since 1970.
  package init(to output: Output, style: TerminalStyle, now: Int64) {
    self.output = output
    self.style = style
    self.now = now
  }

  package func write(_ lines: [StatusLine], as format: OutputFormat) throws {
    if var writer = format.makeWriter?(output) {
      for line in lines { try writer.write(record(line)) }
      return try writer.finish()
    }
    var table = TextTable(
      [
        ("MAILBOX", .left), ("USED", .right), ("LIMIT", .right), ("", .left), ("%", .right), ("MESSAGES", .right),
        ("LIMIT FROM", .left), ("LAST CHANGE", .right), ("REMARK", .left),
      ], style: style)
    for line in lines { try output.write(table.add(cells(line))) }
    try output.write(table.flush())
    try output.flush()
  }

  private func cells(_ line: StatusLine) -> [TextTable.Cell] {
    let (row, report) = (line.row, line.report)
    let percent = line.percent
    let colour: TerminalStyle.Colour? = percent.map { $0 > 100 ? .red : $0 >= 80 ? .yellow : .green }
    let limits = [
      row.limit.bytes > 0 ? ByteSize.text(row.limit.bytes) : nil,
      row.limit.messages > 0 ? "\(grouped(row.limit.messages)) msg" : nil,
    ].compactMap { $0 }
    return [
      .init(row.name), .init(report.usage.map { ByteSize.text($0.bytes) } ?? "-"),
      .init(row.knownLimit == nil ? "unknown" : limits.isEmpty ? "none" : limits.joined(separator: ", ")),
      .init(percent.map { Bar.text(Double($0) / 100, width: 10) } ?? "", colour),
      .init(percent.map { "\($0)" } ?? "-", colour),
      .init(report.usage.map { grouped($0.messages) } ?? "-"), .init(row.quota.source.text),
      .init(report.ledgerModified.map { Self.age(now - $0) } ?? "-"), .init(remark(line), .yellow),
    ]
  }

  /// Why the usage is unknown; nothing where that is as it should be: without a limit, no `maildirsize` is made.
  private func remark(_ line: StatusLine) -> String {
    let report = line.report
    if let problem = report.state.problem { return problem }
    if report.fault == .missing, line.row.knownLimit == QuotaLimit.none { return "" }
    return report.fault.map { "maildirsize is \($0.phrase)" } ?? ""
  }

  /// `5 s`, `3 min`, `2 h`, `12 d`
  private static func age(_ seconds: Int64) -> String {
    switch seconds {
    case ..<0: "in the future"
    case ..<120: "\(seconds) s"
    case ..<7200: "\(seconds / 60) min"
    case ..<172_800: "\(seconds / 3600) h"
    default: "\(seconds / 86400) d"
    }
  }

  private func record(_ line: StatusLine) -> Record {
    let (row, report) = (line.row, line.report)
    let remark = remark(line)
    return Record([
      ("address", .text(row.name)), ("path", .text(row.pathText)), ("used_bytes", .init(report.usage?.bytes)),
      ("limit_bytes", .init(row.knownLimit?.bytes)), ("percent", .init(line.percent)),
      ("messages", .init(report.usage?.messages)), ("limit_messages", .init(row.knownLimit?.messages)),
      ("limit_source", .text(row.quota.source.name)), ("header_limit_bytes", .init(report.headerLimit?.bytes)),
      ("ledger_age_seconds", .init(report.ledgerModified.map { now - $0 })),
      ("problem", .init(remark.isEmpty ? nil : remark)),
    ])
  }
}

extension EffectiveLimit.Source {
  /// For people.
  fileprivate var text: String {
    switch self {
    case .own: "table"
    case .fallback, .setAside: "virtual_mailbox_limit"
    case .unreadable: "not a number"
    case .given: "--limit"
    }
  }

  /// For programs.
  fileprivate var name: String {
    switch self {
    case .own: "table"
    case .fallback, .setAside: "fallback"
    case .unreadable: "unreadable"
    case .given: "option"
    }
  }
}
