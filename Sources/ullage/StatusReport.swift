// SPDX-License-Identifier: Apache-2.0
import Audit
import Posix
import Quota
import Reports
import Text

/// What `ullage status` prints.
struct StatusReport {
  let format: OutputFormat
  private let output = Output()
  private let style = Terminal.style
  private let now = Timestamp.now.seconds

  init(format: OutputFormat) {
    self.format = format
  }

  func write(_ lines: [StatusLine]) throws {
    if format == .table {
      var table = TextTable(
        [
          ("MAILBOX", .left), ("USED", .right), ("LIMIT", .right), ("", .left), ("%", .right), ("MESSAGES", .right),
          ("LIMIT FROM", .left), ("LAST CHANGE", .right), ("", .left),
        ], style: style)
      for line in lines { try output.write(table.add(cells(line))) }
      try output.write(table.flush())
    }
    var writer = RecordWriter(format, output)
    for line in lines { try writer.write(record(line)) }
    try writer.finish()
  }

  private func cells(_ line: StatusLine) -> [TextTable.Cell] {
    let (row, report) = (line.row, line.report)
    let percent = line.percent
    let colour: Style.Colour? = percent.map { $0 > 100 ? .red : $0 >= 80 ? .yellow : .green }
    let limits = [
      row.limit.bytes > 0 ? ByteSize.text(row.limit.bytes) : nil,
      row.limit.messages > 0 ? "\(grouped(row.limit.messages)) msg" : nil,
    ].compactMap { $0 }
    return [
      .init(row.name), .init(report.usage.map { ByteSize.text($0.bytes) } ?? "-"),
      .init(limits.isEmpty ? "none" : limits.joined(separator: ", ")),
      .init(percent.map { Bar.text(Double($0) / 100, width: 10) } ?? "", colour),
      .init(percent.map { "\($0)" } ?? "-", colour),
      .init(report.usage.map { grouped($0.messages) } ?? "-"), .init(row.quota.source.text),
      .init(report.ledgerModified.map { Self.age(now - $0) } ?? "-"), .init(remark(report), .yellow),
    ]
  }

  /// Why the usage is unknown.
  private func remark(_ report: MailboxReport) -> String {
    if let problem = report.state.problem { return problem }
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
    return Record([
      ("address", .text(row.name)), ("path", .text(row.pathText)), ("used_bytes", .init(report.usage?.bytes)),
      ("limit_bytes", .number(row.limit.bytes)), ("percent", .init(line.percent)),
      ("messages", .init(report.usage?.messages)), ("limit_messages", .number(row.limit.messages)),
      ("limit_source", .text(row.quota.source.name)), ("header_limit_bytes", .init(report.headerLimit?.bytes)),
      ("ledger_age_seconds", .init(report.ledgerModified.map { now - $0 })),
      ("problem", .init(remark(report).isEmpty ? nil : remark(report))),
    ])
  }
}

extension EffectiveLimit.Source {
  /// For people.
  fileprivate var text: String {
    switch self {
    case .own: "table"
    case .fallback, .setAside: "virtual_mailbox_limit"
    case .given: "--limit"
    }
  }

  /// For programs.
  fileprivate var name: String {
    switch self {
    case .own: "table"
    case .fallback, .setAside: "fallback"
    case .given: "option"
    }
  }
}
