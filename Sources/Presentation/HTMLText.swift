// SPDX-License-Identifier: Apache-2.0

/// A part of a page of HTML. What is put into a literal is text and becomes text, whatever characters it has; only
/// another part stays as it is.
struct HTMLText: ExpressibleByStringInterpolation, Equatable, Sendable {
  private(set) var text: String

  init(stringLiteral text: String) { self.text = text }
  init(stringInterpolation parts: Parts) { text = parts.text }

  /// Collects the pieces of a literal.
  struct Parts: StringInterpolationProtocol {
    fileprivate var text = ""
    init(literalCapacity: Int, interpolationCount: Int) {}
    mutating func appendLiteral(_ text: String) { self.text += text }
    mutating func appendInterpolation(_ part: HTMLText) { text += part.text }
    mutating func appendInterpolation(_ parts: [HTMLText]) { for part in parts { text += part.text } }
    mutating func appendInterpolation(_ number: some BinaryInteger) { text += "\(number)" }

    /// Also within an attribute in double quotes.
    mutating func appendInterpolation(_ plain: String) {
      for scalar in plain.unicodeScalars {
        switch scalar {
        case "&": text += "&amp;"
        case "<": text += "&lt;"
        case ">": text += "&gt;"
        case "\"": text += "&quot;"
        case "'": text += "&#39;"
        default: text.unicodeScalars.append(scalar)
        }
      }
    }
  }
}
