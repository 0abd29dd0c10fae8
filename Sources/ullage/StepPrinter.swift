// SPDX-License-Identifier: Apache-2.0
import Configuration
import Posix
import Synchronization
import Tables
import Text

/// Shows the steps of a lookup on standard error as they happen.
final class StepPrinter: Sendable {
  private let start = Mutex(ContinuousClock.now)

  var observer: TableSet.Observer { { self.show($0) } }

  private func show(_ step: LookupStep) {
    switch step {
    case .asked(let table, let key):
      start.withLock { $0 = .now }
      print("\(Self.text(key)) in \(Self.text(Array(table.text.utf8)))")
    case .statement(let sql):
      print("    \(Self.text(sql))")
    case .answered(let result):
      let elapsed = start.withLock { ContinuousClock.now - $0 }
      print("    \(Self.text(result)) (\(Self.milliseconds(elapsed)) ms)")
    }
  }

  private func print(_ line: String) {
    StandardStream.writeError(line + "\n")
  }

  private static func text(_ result: Result<[UInt8]?, TableError>) -> String {
    switch result {
    case .success(.some(let value)): "found: \(text(value))"
    case .success(.none): "not found"
    case .failure(let error): "no answer: \(error.shown)"
    }
  }

  /// Control characters are shown in escaped form, not sent to the terminal.
  private static func text(_ bytes: [UInt8]) -> String {
    escaped(bytes, limit: 2000).text
  }

  private static func milliseconds(_ duration: Duration) -> String {
    let tenths = (duration / .microseconds(100)).rounded()
    return "\(Int(tenths) / 10).\(Int(tenths) % 10)"
  }
}
