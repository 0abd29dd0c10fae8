// SPDX-License-Identifier: Apache-2.0
import Text

/// Columns of text, as wide as their contents.
package struct TextTable {
  /// Where the text of a column is.
  package enum Alignment: Sendable {
    case left, right
  }

  /// A text and its colour.
  package struct Cell: Sendable {
    let text: String
    let colour: TerminalStyle.Colour?

    package init(_ text: String, _ colour: TerminalStyle.Colour? = nil) {
      self.text = text
      self.colour = colour
    }
  }

  private let columns: [(title: String, alignment: Alignment)]
  private let style: TerminalStyle
  private var rows: [[Cell]] = []
  private var widths: [Int]?

  /// How many rows determine the widths; later ones may exceed their columns.
  private static let look = 1000

  package init(_ columns: [(title: String, alignment: Alignment)], style: TerminalStyle) {
    self.columns = columns
    self.style = style
  }

  /// Adds a row. Returns the lines that can be written now: empty while the widths are unknown.
  package mutating func add(_ row: [Cell]) -> String {
    rows.append(row)
    return widths == nil && rows.count < Self.look ? "" : flush()
  }

  /// The lines that have not been written yet.
  package mutating func flush() -> String {
    defer { rows = [] }
    guard !rows.isEmpty else { return "" }
    var text = ""
    if widths == nil {
      let known = columns.indices.map { column in
        rows.map { width($0[column].text) }.reduce(width(columns[column].title), max)
      }
      widths = known
      text = line(columns.map { Cell($0.title, .bold) }, known)
    }
    for row in rows { text += line(row, widths ?? []) }
    return text
  }

  private func line(_ row: [Cell], _ widths: [Int]) -> String {
    var line = ""
    for (index, cell) in row.enumerated() {
      let padding = String(repeating: " ", count: max(0, widths[index] - width(cell.text)))
      let text = style(cell.text, cell.colour)
      let isLast = index == row.count - 1
      line += columns[index].alignment == .right ? padding + text : isLast ? text : text + padding
      if !isLast { line += "  " }
    }
    while line.last == " " { line.removeLast() }
    return line + "\n"
  }

  private func width(_ text: String) -> Int { text.count }
}
