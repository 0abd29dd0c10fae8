// SPDX-License-Identifier: Apache-2.0
import Configuration

/// A key or a value as the `%` expansions see it (pgsql_table(5)).
struct KeyParts: Equatable {
  let whole: [UInt8]
  /// The part before the last `@`; the whole text without one.
  let user: [UInt8]
  /// The part after the last `@`; nil without one, or if it is empty.
  let domain: [UInt8]?

  init(_ text: [UInt8]) {
    whole = text
    let at = text.lastIndex(of: UInt8(ascii: "@"))
    user = Array(text[..<(at ?? text.endIndex)])
    let domain = at.map { Array(text[($0 + 1)...]) } ?? []
    self.domain = domain.isEmpty ? nil : domain
  }

  /// The labels of the domain, the last one first. Consecutive dots count as one separator.
  var labels: [[UInt8]] {
    (domain ?? []).split(separator: UInt8(ascii: ".")).reversed().map { Array($0) }
  }
}
