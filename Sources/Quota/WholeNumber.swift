// SPDX-License-Identifier: Apache-2.0

extension Int64 {
  /// A whole number: an optional minus sign and decimal digits, with blanks around them. Nil for other text.
  ///
  /// `10M`, `1e9`, `1,2`, an empty text and anything beyond Int64 are not numbers: strtol(3) would read only
  /// part of them, or zero, which means "no limit".
  package init?(wholeNumber text: some Collection<UInt8>) {
    let isBlank: (UInt8) -> Bool = { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
    var digits = Array(text.drop(while: isBlank))
    while let last = digits.last, isBlank(last) { digits.removeLast() }
    let isNegative = digits.first == UInt8(ascii: "-")
    if isNegative { digits.removeFirst() }
    guard let value = Int64(digits: digits.span, isNegative: isNegative) else { return nil }
    self = value
  }

  /// Decimal digits only; nil if there are none, or if the number exceeds Int64.
  init?(digits: Span<UInt8>, isNegative: Bool = false) {
    guard digits.count > 0 else { return nil }
    var value: Int64 = 0
    for index in digits.indices {
      let digit = Int64(digits[index]) - 48
      guard (0...9).contains(digit) else { return nil }
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, overflowed) = product.addingReportingOverflow(isNegative ? -digit : digit)
      guard !overflow, !overflowed else { return nil }
      value = sum
    }
    self = value
  }
}
