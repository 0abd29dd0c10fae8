// SPDX-License-Identifier: Apache-2.0

/// `text` without anything that a terminal would act upon: control characters are written as `\\x1B`.
package func printable(_ text: String) -> String {
  guard text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else { return text }
  return text.unicodeScalars.map { scalar in
    guard scalar.properties.generalCategory == .control else { return String(scalar) }
    let digits = String(scalar.value, radix: 16, uppercase: true)
    return "\\x" + String(repeating: "0", count: max(0, 2 - digits.count)) + digits
  }.joined()
}

/// The lines of a paragraph, broken at blanks; a word that is longer than `width` has a line of its own.
package func wrapped(_ text: String, width: Int) -> [String] {
  var lines: [String] = []
  var line = ""
  for word in text.split(separator: " ") {
    if !line.isEmpty, line.count + 1 + word.count > width {
      lines.append(line)
      line = ""
    }
    line += (line.isEmpty ? "" : " ") + word
  }
  return line.isEmpty ? lines : lines + [line]
}
