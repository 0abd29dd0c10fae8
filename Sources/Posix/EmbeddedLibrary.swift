// SPDX-License-Identifier: Apache-2.0
#if hasFeature(Embedded)
  /// ceil(3) for numbers that are not negative. The standard library rounds the sizes of hash tables by it; libm would
  /// be one more library to load.
  @c(ceil) func roundedUp(_ number: Double) -> Double {
    // From here on every number is whole.
    guard number < 0x1p52 else { return number }
    let whole = Double(Int64(number))
    return whole < number ? whole + 1 : whole
  }
#endif
