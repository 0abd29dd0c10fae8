// SPDX-License-Identifier: Apache-2.0
import Foundation

/// What `EXPLAIN (FORMAT JSON)` prints.
struct QueryPlan {
  private let root: Node

  /// Nil if it is not such a text.
  init?(json: [UInt8]) {
    let statements: [Statement]
    do { statements = try JSONDecoder().decode([Statement].self, from: Data(json)) } catch { return nil }
    guard let statement = statements.first else { return nil }
    root = statement.plan
  }

  /// A relation of which a plan reads every row, and the condition that it applies to each.
  ///
  /// With `enable_seqscan = off` a plan may read a whole index instead: an index scan without a condition on the index.
  var wholeScan: (relation: String, filter: String?)? { Self.wholeScan(root, of: nil) }

  /// - Parameter heap: the Bitmap Heap Scan above, which names the relation and the condition of a Bitmap Index Scan.
  private static func wholeScan(_ node: Node, of heap: Node?) -> (relation: String, filter: String?)? {
    let holder = node.relation == nil ? heap : node
    if node.readsEveryRow {
      return (holder?.relation ?? "", holder?.filter ?? holder?.recheck)
    }
    return node.plans?.lazy.compactMap { wholeScan($0, of: holder) }.first
  }

  private struct Statement: Decodable {
    let plan: Node

    enum CodingKeys: String, CodingKey {
      case plan = "Plan"
    }
  }

  /// A node of a plan, as far as it matters here.
  private struct Node: Decodable {
    let type: String
    let relation: String?
    let indexCondition: String?
    let filter: String?
    let recheck: String?
    let plans: [Node]?

    var readsEveryRow: Bool {
      switch type {
      case "Seq Scan": true
      case "Index Scan", "Index Only Scan", "Bitmap Index Scan": indexCondition == nil
      default: false
      }
    }

    enum CodingKeys: String, CodingKey {
      case type = "Node Type"
      case relation = "Relation Name"
      case indexCondition = "Index Cond"
      case filter = "Filter"
      case recheck = "Recheck Cond"
      case plans = "Plans"
    }
  }
}
