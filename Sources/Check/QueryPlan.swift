// SPDX-License-Identifier: Apache-2.0

/// The lines that EXPLAIN prints.
struct QueryPlan {
  private let lines: [String]

  init(_ lines: [String]) {
    self.lines = lines
  }

  /// A relation of which a plan reads every row, and the condition that it applies to each.
  ///
  /// With `enable_seqscan = off` a plan may read a whole index instead: a scan without `Index Cond`.
  var wholeScan: (relation: String, filter: String?)? {
    // Each node with the lines that belong to it.
    let nodes = lines.reduce(into: [[String]]()) { nodes, line in
      if nodes.isEmpty || line.contains("->") { nodes.append([line]) } else { nodes[nodes.count - 1].append(line) }
    }
    func word(_ line: String, after text: String) -> String? {
      line.split(separator: text).dropFirst().first?.split(separator: " ").first.map(String.init)
    }
    for (index, node) in nodes.enumerated() {
      let isWhole =
        node[0].contains("Seq Scan on ")
        || node[0].contains("Index") && node[0].contains("Scan") && !node.contains { $0.contains("Index Cond: ") }
      guard isWhole else { continue }
      // A Bitmap Index Scan is below the node that names the relation and the condition.
      let holder = node[0].contains("Bitmap Index Scan") && index > 0 ? nodes[index - 1] : node
      let filter = holder.first { $0.contains("Filter: ") || $0.contains("Recheck Cond: ") }
      return (
        word(holder[0], after: " on ") ?? "", filter?.split(separator: ": ", maxSplits: 1).last.map(String.init)
      )
    }
    return nil
  }
}
