// SPDX-License-Identifier: Apache-2.0
import CPosix

/// A time on the monotonic clock by which work must be finished.
package struct Deadline: Sendable, Comparable {
  /// Nanoseconds of CLOCK_MONOTONIC.
  private let instant: Int64

  /// Never passes: for callers that may wait as long as it takes.
  package static let never = Deadline(instant: .max)

  package init(secondsFromNow seconds: Int64) {
    let (nanoseconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, overflowed) = Self.now.addingReportingOverflow(nanoseconds)
    instant = overflow || overflowed ? .max : sum
  }

  private init(instant: Int64) {
    self.instant = instant
  }

  package var hasPassed: Bool { Self.now >= instant }

  /// The deadline for one part of the work: `seconds` from now, but no later than this deadline.
  package func slice(seconds: Int64) -> Deadline { min(self, Deadline(secondsFromNow: seconds)) }

  /// Throws `ETIMEDOUT` once the deadline has passed.
  package func check() throws(SystemError) {
    guard !hasPassed else { throw SystemError(.deadline, [], ETIMEDOUT) }
  }

  /// The time left for poll(2), rounded up: 0 if the deadline has passed, at most an hour.
  var milliseconds: Int32 { Int32(max(0, min(3_600_000, (instant - Self.now + 999_999) / 1_000_000))) }

  package static func < (left: Deadline, right: Deadline) -> Bool { left.instant < right.instant }

  private static var now: Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}
