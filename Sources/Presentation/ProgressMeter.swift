// SPDX-License-Identifier: Apache-2.0
import Posix

/// Shows on standard error how far the work is, where that is a terminal.
package final class ProgressMeter {
  private let progress: ProgressLine
  private let isOn = Terminal.hasError && CurrentProcess.environment("TERM") != "dumb"
  private let start = ContinuousClock.now
  private var shown: ContinuousClock.Instant?
  package var done = 0

  /// - Parameter total: called only where the progress is shown; nil when the number is unknown.
  package init(_ unit: String, total: () throws -> Int?) rethrows {
    progress = ProgressLine(of: isOn ? try total() : nil, unit)
  }

  /// Seconds since the start.
  package var elapsed: Double { (ContinuousClock.now - start) / .seconds(1) }

  /// Not for work that ends in a moment, and not more often than is readable.
  package func show() {
    let now = ContinuousClock.now
    guard isOn, now - start > .milliseconds(500), shown.map({ now - $0 > .milliseconds(200) }) ?? true else { return }
    shown = now
    let line = progress.text(done: done, elapsed: elapsed, width: Terminal.width)
    StandardStream.writeError("\r\u{1B}[K" + line)
  }

  package func clear() {
    if shown != nil { StandardStream.writeError("\r\u{1B}[K") }
    shown = nil
  }
}
