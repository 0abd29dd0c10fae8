// SPDX-License-Identifier: Apache-2.0
import Audit
import Maildir
import Posix
import Quota
import Reports
import Text

/// What `ullage recompute` prints: a row for each mailbox, and a summary.
struct RecomputeReport {
  private let format: OutputFormat
  private let showsAll: Bool
  private let isDryRun: Bool
  private let output = Output()
  private let style = Terminal.style
  private var table: TextTable
  private var writer: RecordWriter
  private var counts: [String: Int] = [:]
  private var failures = 0
  private var unknown: [String] = []
  /// Something has been written to standard output.
  private(set) var isWritten = false

  init(format: OutputFormat, showsAll: Bool, isDryRun: Bool) {
    self.format = format
    self.isDryRun = isDryRun
    self.showsAll = showsAll
    writer = RecordWriter(format, output)
    table = TextTable(
      [
        ("MAILBOX", .left), ("BEFORE", .right), ("COUNTED", .right), ("MESSAGES", .right), ("DRIFT", .right),
        ("AFTER", .right), ("RESULT", .left),
      ], style: style)
  }

  mutating func noteUnknown(_ addresses: [String]) {
    unknown = addresses
    for address in addresses {
      StandardStream.writeError(
        "ullage: recompute: \(address): no such mailbox; ullage map shows which table was queried\n")
    }
  }

  mutating func add(_ row: MailboxRow, _ report: MailboxReport) throws {
    let result = result(of: report, isMeant: row.quota.source == .given)
    counts[result.key, default: 0] += 1
    if result.key == "failed" || report.isIncomplete { failures += 1 }
    try writer.write(record(row, report, result.text))
    for folder in report.unreadable {
      StandardStream.writeError("ullage: recompute: \(row.name): not counted, no permission to read it: \(folder)\n")
    }
    guard format == .table, showsAll || !["exact", "absent"].contains(result.key) else { return }
    let repair = report.repair
    let lines = table.add([
      .init(row.name), .init(repair?.before.map { ByteSize.text($0.bytes) } ?? "-"),
      .init(repair.map { ByteSize.text($0.counted.bytes) } ?? "-"),
      .init(repair.map { grouped($0.counted.messages) } ?? "-"),
      .init(repair?.drift.map(Self.text) ?? "-"), .init(repair?.after.map { ByteSize.text($0.bytes) } ?? "-"),
      .init(result.text, result.colour),
    ])
    isWritten = isWritten || !lines.isEmpty
    try output.write(lines)
  }

  /// Writes what is left, and a summary line to standard error.
  ///
  /// - Returns: the exit status.
  mutating func finish(seconds: Double) throws -> Int32 {
    try output.write(table.flush())
    try writer.finish()
    let total = counts.values.reduce(0, +)
    if !showsAll || total != 1 {
      let words = [
        ("exact", "exact"), ("corrected", "corrected"), ("raised", "corrected in part"), ("replaced", "rewritten"),
        ("busy", "busy, not lowered"), ("absent", "without a Maildir"), ("failed", "failed"),
      ]
      let changes = ["corrected", "raised", "replaced"]
      let parts = words.compactMap { key, text in
        counts[key].map { "\(grouped($0)) \(isDryRun && changes.contains(key) ? "would be " : "")\(text)" }
      }
      let what = isDryRun ? "counted, nothing written" : "recomputed"
      let tenths = Int(seconds * 10)
      let sum = parts.isEmpty ? "" : ": " + parts.joined(separator: ", ")
      StandardStream.writeError(
        "\(grouped(total)) \(total == 1 ? "mailbox" : "mailboxes") \(what) in \(tenths / 10).\(tenths % 10) s\(sum)\n")
    }
    if Interruption.received != 0 {
      StandardStream.writeError("ullage: recompute: interrupted; work in progress was finished\n")
      return ExitStatus.signal(Interruption.received)
    }
    if !unknown.isEmpty { return ExitStatus.noUser }
    return failures > 0 ? ExitStatus.incomplete : ExitStatus.done
  }

  /// - Parameter isMeant: the directory itself was named, so it ought to exist.
  private func result(of report: MailboxReport, isMeant: Bool) -> (key: String, text: String, colour: Style.Colour?) {
    // Without a Maildir there is nothing to count. That must not fail, in PostfixAdmin's hook for instance.
    if report.state == .absent, !isMeant { return ("absent", "no Maildir yet", nil) }
    guard let repair = report.repair else {
      return ("failed", report.state.problem ?? "not counted", .red)
    }
    let would = isDryRun ? "would be " : ""
    let trouble = report.state.problem.map { "; then: \($0)" } ?? ""
    let cause = repair.cause.map { ": \($0.sentence)" } ?? ""
    switch repair.action {
    case .exact: return ("exact", "exact" + trouble, .green)
    case .corrected: return ("corrected", would + "corrected" + cause + trouble, .yellow)
    case .raised: return ("raised", would + "corrected in part, in use" + cause + trouble, .yellow)
    case .busy: return ("busy", "busy, not lowered" + cause + trouble, .yellow)
    case .replaced:
      return (
        "replaced", would + "rewritten" + (repair.fault.map { ": it was \($0.phrase)" } ?? cause) + trouble,
        .yellow
      )
    }
  }

  private static func text(_ drift: QuotaUsage) -> String {
    guard drift != .none else { return "0" }
    let messages = drift.messages == 0 ? "" : " \(drift.messages > 0 ? "+" : "")\(drift.messages)"
    return ByteSize.signed(drift.bytes) + messages
  }

  private func record(_ row: MailboxRow, _ report: MailboxReport, _ text: String) -> Record {
    let repair = report.repair
    return Record([
      ("address", .init(row.address.isEmpty ? nil : row.name)), ("path", .text(row.pathText)),
      ("result", .text(repair?.action.rawValue ?? (report.state == .absent ? "absent" : "failed"))),
      ("before_bytes", .init(repair?.before?.bytes)), ("before_messages", .init(repair?.before?.messages)),
      ("counted_bytes", .init(repair?.counted.bytes)), ("counted_messages", .init(repair?.counted.messages)),
      ("after_bytes", .init(repair?.after?.bytes)), ("after_messages", .init(repair?.after?.messages)),
      ("drift_bytes", .init(repair?.drift?.bytes)), ("drift_messages", .init(repair?.drift?.messages)),
      ("fault", .init(repair?.fault?.rawValue)), ("cause", .init(repair?.cause?.name)),
      ("text", .text(text)),
    ])
  }
}

extension MailboxReport {
  /// Something was left out: a folder that we may not read, or what was left to do at an error.
  fileprivate var isIncomplete: Bool { !unreadable.isEmpty || repair != nil && state != .examined }
}
