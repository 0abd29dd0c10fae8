// SPDX-License-Identifier: Apache-2.0
import Foundation
import Posix
import Reports
import Text

/// The format of the output.
enum OutputFormat: String, CaseIterable, Sendable {
  case table, json, jsonl, csv
}

/// Standard output, written in large pieces. If the reader has gone (`| head`), the program ends quietly.
final class Output {
  private var buffer: [UInt8] = []
  private let encoder = JSONEncoder()

  init() {
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  }

  /// Writes a text without delay.
  static func print(_ text: String) throws {
    let output = Output()
    try output.write(text)
    try output.flush()
  }

  func write(_ text: String) throws {
    buffer += text.utf8
    if buffer.count >= 65536 { try flush() }
  }

  func writeJSON(_ value: some Encodable) throws {
    buffer += try encoder.encode(value)
    if buffer.count >= 65536 { try flush() }
  }

  func flush() throws {
    defer { buffer = [] }
    do throws(SystemError) { try StandardStream.writeAll(buffer) } catch {
      if error.number == Errno.EPIPE { CurrentProcess.endByBrokenPipe() }
      throw error
    }
  }
}

/// Writes records as they come, in the chosen format. Tables are printed by the commands themselves.
struct RecordWriter {
  let format: OutputFormat
  let output: Output
  private var count = 0

  init(_ format: OutputFormat, _ output: Output) {
    self.format = format
    self.output = output
  }

  mutating func write(_ record: Record) throws {
    switch format {
    case .table: return
    case .json:
      try output.write(count == 0 ? "[\n" : ",\n")
      try output.writeJSON(record)
    case .jsonl:
      try output.writeJSON(record)
      try output.write("\n")
    case .csv:
      if count == 0 { try output.write(record.csvHeader) }
      try output.write(record.csv)
    }
    count += 1
  }

  func finish() throws {
    if format == .json { try output.write(count == 0 ? "[]\n" : "\n]\n") }
    try output.flush()
  }
}

extension Terminal {
  /// Colours for standard output (no-color.org).
  static var style: Style {
    Style(
      colours: Terminal.hasOutput && CurrentProcess.environment("NO_COLOR").isEmpty
        && CurrentProcess.environment("TERM") != "dumb")
  }
}

/// Shows the progress of the work on standard error, if that is a terminal.
final class ProgressMeter {
  private let progress: ProgressLine
  private let isOn = Terminal.hasError && CurrentProcess.environment("TERM") != "dumb"
  private let start = ContinuousClock.now
  private var shown: ContinuousClock.Instant?
  var done = 0

  /// - Parameter total: called only if progress is shown; returns nil if unknown.
  init(_ unit: String, total: () throws -> Int?) rethrows {
    progress = ProgressLine(of: isOn ? try total() : nil, unit)
  }

  /// Seconds since the start.
  var elapsed: Double { (ContinuousClock.now - start) / .seconds(1) }

  /// Shows nothing for work that takes only a moment, and updates no more often than is readable.
  func show() {
    let now = ContinuousClock.now
    guard isOn, now - start > .milliseconds(500), shown.map({ now - $0 > .milliseconds(200) }) ?? true else { return }
    shown = now
    let line = progress.text(done: done, elapsed: elapsed, width: Terminal.width)
    StandardStream.writeError("\r\u{1B}[K" + line)
  }

  func clear() {
    if shown != nil { StandardStream.writeError("\r\u{1B}[K") }
    shown = nil
  }
}
