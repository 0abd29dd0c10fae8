// SPDX-License-Identifier: Apache-2.0

/// Colours for a terminal, or none.
package struct Style: Sendable {
  private let isOn: Bool

  package init(colours isOn: Bool) {
    self.isOn = isOn
  }

  package enum Colour: Int, Sendable {
    case bold = 1
    case dim = 2
    case red = 31
    case green = 32
    case yellow = 33
  }

  /// `text` in a colour (ECMA-48, SGR).
  package func callAsFunction(_ text: String, _ colour: Colour?) -> String {
    guard isOn, !text.isEmpty, let colour else { return text }
    return "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m"
  }
}
