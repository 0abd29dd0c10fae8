// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Lets only so many pieces of work with the same key run at once; the others wait, in order, without a thread. Used on
/// the event loop only.
final class Turns {
  private struct Line {
    var running = 0
    var waiting = CircularBuffer<() -> Bool>()
  }

  private var lines: [[UInt8]: Line] = [:]

  /// Starts `work` when fewer than `limit` with `key` are running. Each start ends with a call of `finish`.
  ///
  /// - Parameter work: false if there is nothing to do any more.
  func start(_ key: [UInt8], limit: Int, _ work: @escaping () -> Bool) {
    guard lines[key, default: Line()].running < limit else {
      lines[key]?.waiting.append(work)
      return
    }
    lines[key, default: Line()].running += 1
    if !work() { finish(key) }
  }

  func finish(_ key: [UInt8]) {
    while let next = lines[key]?.waiting.popFirst() { if next() { return } }
    lines[key]?.running -= 1
    if lines[key]?.running == 0 { lines[key] = nil }
  }
}
