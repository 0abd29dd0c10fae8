// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

@testable import Posix

/// Times and their texts.
struct TimestampTests {
  @Test("A time is within a span if it is in the past and not older")
  func within() {
    let now = Timestamp.now
    #expect(now.isWithin(seconds: 60))
    #expect(now.adding(seconds: -50).isWithin(seconds: 60) && !now.adding(seconds: -61).isWithin(seconds: 60))
    #expect(!now.adding(seconds: 60).isWithin(seconds: 600))
  }

  @Test("Sums saturate, since a file may have any time stamp")
  func saturation() {
    let end = Timestamp(seconds: .max, nanoseconds: 5)
    #expect(end.adding(seconds: 1) == end)
    #expect(Timestamp(seconds: .max - 1, nanoseconds: 0).adding(seconds: 900).seconds == .max)
    #expect(!end.isWithin(seconds: .max))
  }

  @Test("Nanoseconds decide between equal seconds")
  func order() {
    #expect(Timestamp(seconds: 5, nanoseconds: 1) < Timestamp(seconds: 5, nanoseconds: 2))
    #expect(Timestamp(seconds: 5, nanoseconds: 999_999_999) < Timestamp(seconds: 6, nanoseconds: 0))
    #expect(!(Timestamp(seconds: 5, nanoseconds: 1) < Timestamp(seconds: 5, nanoseconds: 1)))
  }

  /// What date(1) prints, in the time zone of the tests.
  private static func date(_ arguments: String...) throws -> String {
    let zone = ProcessInfo.processInfo.environment["TZ"].map { ["TZ": $0] } ?? [:]
    let ending = try Command.run(["date"] + arguments, environment: zone)
    return ending.output.trimmingCharacters(in: .newlines)
  }

  @Test("The text for the log is what date(1) prints for that second", arguments: [0, 951_826_554, 1_764_353_101])
  func syslogText(seconds: Int64) throws {
    let text = try Self.date("-d", "@\(seconds)", "+%b %e %H:%M:%S")
    #expect(Timestamp(seconds: seconds, nanoseconds: 0).syslogText == text)
  }

  @Test("A day ends at midnight of the local time")
  func localDay() throws {
    let midnight = Timestamp(
      seconds: try #require(Int64(try Self.date("-d", "2025-11-29 00:00", "+%s"))), nanoseconds: 0)
    #expect(midnight.adding(seconds: -1).localDay == midnight.localDay - 1)
    #expect(midnight.adding(seconds: 86399).localDay == midnight.localDay)
  }
}
