// SPDX-License-Identifier: Apache-2.0
import Findings
import Posix

/// Colours for a terminal, or none.
package struct TerminalStyle: Sendable {
  private let isOn: Bool

  package init(colours isOn: Bool) {
    self.isOn = isOn
  }

  /// For standard output: with colours if it is a terminal and they are not unwanted (no-color.org).
  package static var standardOutput: TerminalStyle {
    TerminalStyle(
      colours: Terminal.hasOutput && CurrentProcess.environment("NO_COLOR").isEmpty
        && CurrentProcess.environment("TERM") != "dumb")
  }

  /// How text stands out.
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

extension Finding.Severity {
  var colour: TerminalStyle.Colour {
    switch self {
    case .error: .red
    case .warning: .yellow
    case .notice: .dim
    case .good: .green
    }
  }
}
