// SPDX-License-Identifier: Apache-2.0

/// `1,234,567`
package func grouped(_ number: some BinaryInteger) -> String {
  var digits = String(number.magnitude)
  var groups: [String] = []
  while digits.count > 3 {
    groups.insert(String(digits.suffix(3)), at: 0)
    digits.removeLast(3)
  }
  return (number < 0 ? "-" : "") + ([digits] + groups).joined(separator: ",")
}

/// `1 mailbox`, `1,234 mailboxes`
///
/// - Parameter plural: the noun for any number but one; nil to add an `s`.
package func quantity(_ number: some BinaryInteger, _ noun: String, plural: String? = nil) -> String {
  "\(grouped(number)) \(number == 1 ? noun : plural ?? noun + "s")"
}

/// `12.3`: seconds with one decimal, cut off.
package func tenths(ofSeconds seconds: Double) -> String {
  let tenths = Int(seconds * 10)
  return "\(tenths / 10).\(tenths % 10)"
}
