// SPDX-License-Identifier: Apache-2.0

/// The name and the value around the first `=`, white space trimmed; nil without a `=`, or without a name.
package func splitAssignment(_ text: [UInt8]) -> (name: [UInt8], value: [UInt8])? {
  guard let equals = text.firstIndex(of: UInt8(ascii: "=")) else { return nil }
  let name = text[..<equals].trimmed
  return name.isEmpty ? nil : (Array(name), Array(text[(equals + 1)...].trimmed))
}

/// Splits a list at commas and white space, but not inside braces (postconf(5), "inline:").
package func splitList(_ text: some Collection<UInt8>) -> [[UInt8]] {
  var items: [[UInt8]] = []
  var item: [UInt8] = []
  var depth = 0
  for byte in text {
    if byte == UInt8(ascii: "{") { depth += 1 }
    if byte == UInt8(ascii: "}") { depth -= 1 }
    if depth <= 0 && (byte.isWhiteSpace || byte == UInt8(ascii: ",")) {
      if !item.isEmpty { items.append(item) }
      item = []
    } else {
      item.append(byte)
    }
  }
  return item.isEmpty ? items : items + [item]
}

/// The text between the braces around the whole of `text`; nil without them.
package func unbraced(_ text: [UInt8]) -> ArraySlice<UInt8>? {
  let text = text.trimmed
  guard text.count >= 2, text.first == UInt8(ascii: "{"), text.last == UInt8(ascii: "}") else { return nil }
  return text.dropFirst().dropLast()
}
