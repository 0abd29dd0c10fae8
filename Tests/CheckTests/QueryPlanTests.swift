// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Check

/// What EXPLAIN prints in, the table that is read as a whole out.
struct QueryPlanTests {
  /// A plan as PostgreSQL prints it: `node` is one object.
  private static func plan(_ node: String) throws -> QueryPlan {
    try #require(QueryPlan(json: Array(#"[{"Plan": \#(node)}]"#.utf8)))
  }

  @Test(
    "A plan that looks rows up in an index reads no table as a whole",
    arguments: [
      #"{"Node Type": "Index Scan", "Relation Name": "mailbox", "Index Cond": "(a = 'x')", "Filter": "b"}"#,
      #"{"Node Type": "Index Only Scan", "Relation Name": "mailbox", "Index Cond": "(a = 'x')"}"#,
      #"""
      {"Node Type": "Bitmap Heap Scan", "Relation Name": "t", "Recheck Cond": "(a = 1)", "Plans": [
        {"Node Type": "Bitmap Index Scan", "Index Name": "i", "Index Cond": "(a = 1)"}]}
      """#,
      #"{"Node Type": "Result", "Total Cost": 0.01}"#, #"{"Node Type": "Function Scan", "Function Name": "lookup"}"#,
    ])
  func indexed(node: String) throws {
    #expect(try Self.plan(node).wholeScan == nil)
  }

  @Test(
    "A scan of a table or of a whole index is found with its condition",
    arguments: [
      (
        #"{"Node Type": "Seq Scan", "Relation Name": "mailbox", "Filter": "(lower(username) = 'x'::text)"}"#, "mailbox",
        "(lower(username) = 'x'::text)"
      ),
      (#"{"Node Type": "Seq Scan", "Relation Name": "my \"table\"", "Alias": "m"}"#, "my \"table\"", nil),
      (
        #"{"Node Type": "Limit", "Plans": [{"Node Type": "Index Scan", "Relation Name": "alias", "Filter": "f"}]}"#,
        "alias", "f"
      ),
      (#"{"Node Type": "Index Only Scan", "Relation Name": "mailbox", "Filter": "f"}"#, "mailbox", "f"),
      (
        #"""
        {"Node Type": "Nested Loop", "Plans": [
          {"Node Type": "Index Scan", "Relation Name": "domain", "Index Cond": "(d = 'x')"},
          {"Node Type": "Seq Scan", "Relation Name": "mailbox", "Filter": "active"}]}
        """#, "mailbox", "active"
      ),
      (
        #"""
        {"Node Type": "Bitmap Heap Scan", "Relation Name": "mailbox", "Recheck Cond": "active", "Plans": [
          {"Node Type": "Bitmap Index Scan", "Index Name": "i"}]}
        """#, "mailbox", "active"
      ),
      (
        #"""
        {"Node Type": "Bitmap Heap Scan", "Relation Name": "t", "Filter": "f", "Recheck Cond": "r", "Plans": [
          {"Node Type": "BitmapOr", "Plans": [{"Node Type": "Bitmap Index Scan", "Index Cond": "(a = 1)"},
            {"Node Type": "Bitmap Index Scan"}]}]}
        """#, "t", "f"
      ),
    ] as [(String, String, String?)])
  func whole(node: String, relation: String, filter: String?) throws {
    let found = try Self.plan(node).wholeScan
    #expect(found?.relation == relation && found?.filter == filter)
  }

  @Test("What is no plan is none", arguments: ["", "Seq Scan on mailbox", "{}", "[]", "[1]", #"[{"Plan": 5}]"#])
  func noPlan(text: String) {
    #expect(QueryPlan(json: Array(text.utf8)) == nil)
  }
}
