// SPDX-License-Identifier: Apache-2.0
import Text

/// The line that shows the progress of long work.
package struct ProgressLine: Sendable {
  private let total: Int?
  private let unit: String

  /// - Parameters:
  ///   - total: how many there are, nil if unknown.
  ///   - unit: what is counted, in the plural.
  package init(of total: Int?, _ unit: String) {
    self.total = total
    self.unit = unit
  }

  /// `▕████████····▏ 53 %  530 of 1,000 mailboxes  212/s  0:02 left`
  ///
  /// - Parameters:
  ///   - elapsed: seconds since the start.
  ///   - width: columns of the terminal.
  package func text(done: Int, elapsed: Double, width: Int) -> String {
    let rate = elapsed > 0 ? Double(done) / elapsed : 0
    guard let total, total > 0 else {
      return fit("\(grouped(done)) \(unit)  \(Self.rate(rate))", width)
    }
    let share = min(1, Double(done) / Double(total))
    let left = rate > 0 ? Self.time(Double(max(0, total - done)) / rate) + " left" : ""
    let text = "\(Int(share * 100)) %  \(grouped(done)) of \(grouped(total)) \(unit)  \(Self.rate(rate))  \(left)"
    let room = min(24, width - text.count - 4)
    return room >= 8 ? Bar.text(share, width: room) + " " + text : fit(text, width)
  }

  private func fit(_ text: String, _ width: Int) -> String { String(text.prefix(max(0, width - 1))) }

  private static func rate(_ rate: Double) -> String {
    rate >= 10 || rate == 0 ? "\(grouped(Int(rate)))/s" : "\(Int(rate)).\(Int(rate * 10) % 10)/s"
  }

  /// `1:02:03` or `2:03`
  private static func time(_ seconds: Double) -> String {
    let seconds = Int(min(seconds, 359_999))
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60)
    return hours > 0 ? "\(hours):\(two(minutes)):\(two(seconds % 60))" : "\(minutes):\(two(seconds % 60))"
  }
}
