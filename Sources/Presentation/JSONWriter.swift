// SPDX-License-Identifier: Apache-2.0

/// One JSON array of objects (RFC 8259).
struct JSONWriter: RecordWriter {
  private let output: Output
  private var isEmpty = true

  init(_ output: Output) {
    self.output = output
  }

  mutating func write(_ record: Record) throws {
    try output.write(isEmpty ? "[\n" : ",\n")
    try output.writeJSON(record)
    isEmpty = false
  }

  func finish() throws {
    try output.write(isEmpty ? "[]\n" : "\n]\n")
    try output.flush()
  }
}
