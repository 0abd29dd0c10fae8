// SPDX-License-Identifier: Apache-2.0

/// A table of a page: the first column names the row.
struct PageTable {
  /// A column after the first.
  enum Column {
    case text(String)
    case number(String)
    /// A bar; only its title is for those who do not see it.
    case chart(String)

    var title: String {
      switch self {
      case .text(let title), .number(let title), .chart(let title): title
      }
    }

    var style: HTMLText {
      switch self {
      case .text: "words"
      case .number: "number"
      case .chart: "chart"
      }
    }
  }

  /// What stands in a column.
  enum Cell {
    case text(String)
    /// The number decides the order.
    case number(String, Int64)
    /// From 0 to 1; more is shown as 1. The number decides the order.
    case bar(Double, Int64)

    static func number(_ number: some BinaryInteger, _ text: (Int64) -> String) -> Cell {
      .number(text(Int64(clamping: number)), Int64(clamping: number))
    }
  }

  struct Row {
    let name: HTMLText
    let style: HTMLText
    let cells: [Cell]

    init(_ name: HTMLText, style: HTMLText = "", _ cells: [Cell]) {
      self.name = name
      self.style = style
      self.cells = cells
    }
  }

  let caption: String
  let first: String
  let columns: [Column]
  let rows: [Row]
  /// Whether it can be sorted and searched.
  var isList = true

  var html: HTMLText {
    let heads: [HTMLText] = columns.map { "<th scope=\"col\" class=\"\($0.style)\">\($0.title)</th>\n" }
    let kind: HTMLText = isList ? "list" : "plain"
    return """
      <table class="\(kind)">
      <caption>\(caption)</caption>
      <thead><tr><th scope="col">\(first)</th>
      \(heads)</tr></thead>
      <tbody>
      \(rows.map { html($0) })</tbody>
      </table>

      """
  }

  private func html(_ row: Row) -> HTMLText {
    let cells: [HTMLText] = zip(columns, row.cells).map { column, cell in
      switch cell {
      case .text(let text): "<td class=\"\(column.style)\" data-title=\"\(column.title)\">\(text)</td>\n"
      case .number(let text, let number):
        "<td class=\"\(column.style)\" data-title=\"\(column.title)\" data-value=\"\(number)\">\(text)</td>\n"
      case .bar(let share, let number):
        """
        <td class="\(column.style)" data-title="\(column.title)" data-value="\(number)">
        <svg aria-hidden="true"><rect width="\(Self.percentage(share))%" height="100%"/></svg></td>

        """
      }
    }
    return "<tr class=\"\(row.style)\"><th scope=\"row\">\(row.name)</th>\n\(cells)</tr>\n"
  }

  /// `37.5`, at most 100.
  private static func percentage(_ share: Double) -> String {
    let tenths = Int((min(1, max(0, share)) * 1000).rounded())
    return "\(tenths / 10).\(tenths % 10)"
  }
}
