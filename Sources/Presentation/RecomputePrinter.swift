// SPDX-License-Identifier: Apache-2.0
import Maildir
import Quota
package import Sweep
import Text

/// Writes what `ullage recompute` did: a row for each mailbox, and a summary.
package struct RecomputePrinter {
  private let showsAll: Bool
  private let isDryRun: Bool
  private let output: Output
  private var table: TextTable
  private var writer: (any RecordWriter)?
  private var counts: [RecomputeResult.Kind: Int] = [:]
  /// Mailboxes that were not recomputed, or not completely.
  package private(set) var failures = 0
  /// Something has been written.
  package private(set) var isWritten = false

  /// - Parameters:
  ///   - showsAll: the table also has rows for mailboxes that were right.
  ///   - isDryRun: nothing was changed.
  package init(
    as format: OutputFormat, showsAll: Bool, isDryRun: Bool, to output: Output, style: TerminalStyle
  ) {
    self.isDryRun = isDryRun
    self.showsAll = showsAll
    self.output = output
    writer = format.makeWriter?(output)
    table = TextTable(
      [
        ("MAILBOX", .left), ("BEFORE", .right), ("COUNTED", .right), ("MESSAGES", .right), ("DRIFT", .right),
        ("AFTER", .right), ("RESULT", .left),
      ], style: style)
  }

  package mutating func write(_ visit: Visit) throws {
    let result = RecomputeResult(visit, isDryRun: isDryRun)
    counts[result.kind, default: 0] += 1
    if result.kind == .failed || visit.report.isIncomplete { failures += 1 }
    if writer != nil {
      try writer?.write(result.record(visit))
    } else if showsAll || ![.exact, .absent].contains(result.kind) {
      let lines = table.add(Self.cells(visit, result))
      isWritten = isWritten || !lines.isEmpty
      try output.write(lines)
    }
  }

  private static func cells(_ visit: Visit, _ result: RecomputeResult) -> [TextTable.Cell] {
    let repair = visit.report.repair
    return [
      .init(visit.row.name), .init(repair?.before.map { ByteSize.text($0.bytes) } ?? "-"),
      .init(repair.map { ByteSize.text($0.counted.bytes) } ?? "-"),
      .init(repair.map { grouped($0.counted.messages) } ?? "-"),
      .init(repair?.drift.map(text) ?? "-"), .init(repair?.after.map { ByteSize.text($0.bytes) } ?? "-"),
      .init(result.text, result.colour),
    ]
  }

  private static func text(_ drift: QuotaUsage) -> String {
    guard drift != .none else { return "0" }
    let messages = drift.messages == 0 ? "" : " \(drift.messages > 0 ? "+" : "")\(drift.messages)"
    return ByteSize.signed(drift.bytes) + messages
  }

  /// Writes what is left.
  ///
  /// - Returns: a summary line for standard error; nil where it would repeat a single row.
  package mutating func finish(seconds: Double) throws -> String? {
    try output.write(table.flush())
    try writer?.finish()
    try output.flush()
    let total = counts.values.reduce(0, +)
    guard !showsAll || total != 1 else { return nil }
    let parts = RecomputeResult.Kind.allCases.compactMap { kind in
      counts[kind].map { "\(grouped($0)) \(isDryRun && kind.isChange ? "would be " : "")\(kind.word)" }
    }
    let mailboxes = quantity(total, "mailbox", plural: "mailboxes")
    let what = isDryRun ? "counted, nothing written" : "recomputed"
    let list = parts.isEmpty ? "" : ": " + parts.joined(separator: ", ")
    return "\(mailboxes) \(what) in \(tenths(ofSeconds: seconds)) s\(list)"
  }
}
