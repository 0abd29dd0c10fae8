// SPDX-License-Identifier: Apache-2.0

/// A Postfix time value in seconds: digits and optionally one of s, m, h, d, w; nil for anything else.
package func postfixSeconds(_ text: String) -> Int64? {
  let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604_800]
  let unit = text.last.flatMap { units[Character($0.lowercased())] }
  guard let number = Int64(unit == nil ? text : String(text.dropLast())), number >= 0, number < 1 << 40 else {
    return nil
  }
  return number * (unit ?? 1)
}
