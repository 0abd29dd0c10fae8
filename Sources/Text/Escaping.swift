// SPDX-License-Identifier: Apache-2.0

/// The first `limit` bytes of `bytes` for a log line: control characters and what is not UTF-8 become `\ooo`.
///
/// `...` follows where something was cut off.
@inlinable package func escaped(_ bytes: some Collection<UInt8>, limit: Int = 250) -> [UInt8] {
  escaped(Array(bytes.prefix(limit)), isCut: bytes.count > limit)
}

@usableFromInline func escaped(_ cut: [UInt8], isCut: Bool) -> [UInt8] {
  let isText = String(validating: cut, as: UTF8.self) != nil
  let mustEscape: (UInt8) -> Bool = { $0 < 32 || $0 == 127 || $0 >= 128 && !isText }
  var result = cut
  // Rarely: most text is plain.
  if cut.contains(where: mustEscape) {
    result = cut.flatMap { byte -> [UInt8] in
      guard mustEscape(byte) else { return [byte] }
      return [UInt8(ascii: "\\"), 48 + (byte >> 6), 48 + (byte >> 3 & 7), 48 + (byte & 7)]
    }
  }
  return isCut ? result + Array("...".utf8) : result
}

/// `escaped` as text, for reports and terminals. The limit is the longest path of the kernel (PATH_MAX).
package func displayText(_ bytes: some Collection<UInt8>) -> String { escaped(bytes, limit: 4096).text }

/// `text` without anything that a terminal would act upon: control characters become `\x1B`.
package func printable(_ text: String) -> String {
  guard text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else { return text }
  return text.unicodeScalars.map { scalar in
    guard scalar.properties.generalCategory == .control else { return String(scalar) }
    let digits = String(scalar.value, radix: 16, uppercase: true)
    return "\\x" + String(repeating: "0", count: max(0, 2 - digits.count)) + digits
  }.joined()
}
