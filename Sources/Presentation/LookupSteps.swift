// SPDX-License-Identifier: Apache-2.0
import Configuration
import Synchronization
package import Tables
import Text

/// The steps of a lookup as lines of text.
package final class LookupSteps: Sendable {
  private let start = Mutex(ContinuousClock.now)
  private let print: @Sendable (String) -> Void

  /// - Parameter print: takes each line as its step happens.
  package init(print: @escaping @Sendable (String) -> Void) {
    self.print = print
  }

  package var observer: TableSet.Observer { { self.show($0) } }

  private func show(_ step: LookupStep) {
    switch step {
    case .asked(let table, let key):
      start.withLock { $0 = .now }
      print("\(Self.text(key)) in \(Self.text(Array(table.text.utf8)))")
    case .statement(let sql):
      print("    \(Self.text(sql))")
    case .answered(let result):
      let elapsed = start.withLock { ContinuousClock.now - $0 }
      print("    \(Self.text(result)) (\(tenths(ofSeconds: elapsed / .milliseconds(1))) ms)")
    }
  }

  private static func text(_ result: Result<[UInt8]?, TableError>) -> String {
    switch result {
    case .success(.some(let value)): "found: \(text(value))"
    case .success(.none): "not found"
    case .failure(let error): "no answer: \(error.shown)"
    }
  }

  /// Control characters are shown in escaped form, not sent to the terminal.
  private static func text(_ bytes: [UInt8]) -> String { escaped(bytes, limit: 2000).text }
}
