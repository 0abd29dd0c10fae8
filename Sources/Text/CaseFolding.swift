// SPDX-License-Identifier: Apache-2.0

/// `text` in lower case: ASCII letters always, others only when the whole text is UTF-8.
package func foldCase(_ text: [UInt8]) -> [UInt8] {
  if text.allSatisfy({ $0 < 0x80 }) { return text.map { (65...90).contains($0) ? $0 | 32 : $0 } }
  guard let string = String(validating: text, as: UTF8.self) else { return text }
  return Array(string.lowercased().utf8)
}
