// SPDX-License-Identifier: Apache-2.0
import CPosix

/// A time of the real-time clock, as in file time stamps.
package struct Timestamp: Sendable, Comparable {
  package let seconds: Int64
  /// 0 to 999,999,999
  package let nanoseconds: Int64

  package init(seconds: Int64, nanoseconds: Int64) {
    self.seconds = seconds
    self.nanoseconds = nanoseconds
  }

  init(_ time: timespec) {
    seconds = Int64(time.tv_sec)
    nanoseconds = Int64(time.tv_nsec)
  }

  package static var now: Timestamp { read(CLOCK_REALTIME) }

  /// The clock from which the kernel takes file times; it advances in ticks of 1 to 10 ms (clock_gettime(2)).
  package static var coarse: Timestamp { read(CLOCK_REALTIME_COARSE) }

  /// Whether this time is less than `seconds` ago. False for a time in the future.
  package func isWithin(seconds span: Int64) -> Bool {
    let now = Timestamp.now
    return self <= now && now < adding(seconds: span)
  }

  /// Saturates, because a file may have any time stamp.
  package func adding(seconds span: Int64) -> Timestamp {
    let (sum, overflow) = seconds.addingReportingOverflow(span)
    return Timestamp(seconds: overflow ? .max : sum, nanoseconds: nanoseconds)
  }

  package static func < (left: Timestamp, right: Timestamp) -> Bool {
    (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
  }

  private static func read(_ clock: clockid_t) -> Timestamp {
    var time = timespec()
    unsafe clock_gettime(clock, &time)
    return Timestamp(time)
  }

  private var local: tm {
    var seconds = time_t(seconds)
    var local = unsafe tm()
    unsafe localtime_r(&seconds, &local)
    return unsafe local
  }

  /// Days since 1970 in local time.
  package var localDay: Int64 {
    let local = unsafe local
    return unsafe (seconds + Int64(local.tm_gmtoff)) / 86400
  }

  /// `2026-11-22 09:05` in local time.
  package var minuteText: String {
    let local = unsafe local
    func pad(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let day = unsafe "\(local.tm_year + 1900)-\(pad(local.tm_mon + 1))-\(pad(local.tm_mday))"
    return unsafe "\(day) \(pad(local.tm_hour)):\(pad(local.tm_min))"
  }

  /// `Nov 22 09:05:01` in local time, as syslogd expects it (RFC 3164 §4.1.2).
  package var syslogText: String {
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    let local = unsafe local
    func pad(_ value: Int32, _ fill: String) -> String { value < 10 ? "\(fill)\(value)" : "\(value)" }
    let day = unsafe "\(months[Int(local.tm_mon)]) \(pad(local.tm_mday, " "))"
    let time = unsafe "\(pad(local.tm_hour, "0")):\(pad(local.tm_min, "0")):\(pad(local.tm_sec, "0"))"
    return "\(day) \(time)"
  }
}
