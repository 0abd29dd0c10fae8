// SPDX-License-Identifier: Apache-2.0

/// The format of data.
package enum OutputFormat: String, CaseIterable, Sendable {
  case table, json, jsonl, csv

  /// What writes records in this format; nil for a table, which each command lays out by itself.
  package var makeWriter: (@Sendable (Output) -> any RecordWriter)? {
    switch self {
    case .table: nil
    case .json: { JSONWriter($0) }
    case .jsonl: { JSONLinesWriter($0) }
    case .csv: { CSVWriter($0) }
    }
  }
}

/// Writes records, one after the other, for programs.
package protocol RecordWriter {
  mutating func write(_ record: Record) throws
  /// Writes what follows the last record.
  mutating func finish() throws
}
