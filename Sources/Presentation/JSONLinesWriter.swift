// SPDX-License-Identifier: Apache-2.0

/// One JSON object per line (jsonlines.org).
struct JSONLinesWriter: RecordWriter {
  private let output: Output

  init(_ output: Output) {
    self.output = output
  }

  func write(_ record: Record) throws {
    try output.writeJSON(record)
    try output.write("\n")
  }

  func finish() throws { try output.flush() }
}
