// SPDX-License-Identifier: Apache-2.0

/// A number of bytes in a readable form.
package enum ByteSize {
  private static let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]

  /// `1.5 GiB`, `12 KiB`, `0 B`: one to four digits, rounded down so as not to promise more than there is.
  package static func text(_ bytes: Int64) -> String {
    var whole = bytes.magnitude
    var unit = 0
    var tenths: UInt64 = 0
    while whole >= 1024 {
      tenths = whole % 1024 * 10 / 1024
      whole /= 1024
      unit += 1
    }
    let fraction = unit > 0 && whole < 10 ? ".\(tenths)" : ""
    return "\(bytes < 0 ? "-" : "")\(whole)\(fraction) \(units[unit])"
  }

  /// The same, with a plus sign if it is positive.
  package static func signed(_ bytes: Int64) -> String { (bytes > 0 ? "+" : "") + text(bytes) }

  /// The bytes that `text` stands for, nil when it is no size: a whole number, optionally followed by `K`, `M`, `G` or
  /// `T`, which are powers of 1024.
  package static func parse(_ text: String) -> Int64? {
    let shifts: [Character: Int64] = ["K": 10, "M": 20, "G": 30, "T": 40]
    let shift = text.last.flatMap { shifts[$0] }
    let digits = shift == nil ? text[...] : text.dropLast()
    guard let number = Int64(digits), number >= 0, digits.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
    let (bytes, overflow) = number.multipliedReportingOverflow(by: 1 << (shift ?? 0))
    return overflow ? nil : bytes
  }
}
