// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Check

/// The lines of EXPLAIN in, the table that is read as a whole out.
struct QueryPlanTests {
  @Test(
    "A plan that looks rows up in an index reads no table as a whole",
    arguments: [
      [],
      [
        "Index Scan using mailbox_pkey on mailbox  (cost=0.15..8.17 rows=1)",
        "  Index Cond: ((username)::text = 'x'::text)", "  Filter: active",
      ],
      [
        "Bitmap Heap Scan on mailbox  (cost=4.18..12.64 rows=4)", "  Recheck Cond: (username = 'x'::text)",
        "  ->  Bitmap Index Scan on i  (cost=0.00..4.18 rows=4)", "        Index Cond: (username = 'x'::text)",
      ],
      ["Result  (cost=0.00..0.01 rows=1)"], ["Function Scan on lookup  (cost=0.25..0.26 rows=1)"],
    ])
  func indexed(lines: [String]) {
    #expect(QueryPlan(lines).wholeScan == nil)
  }

  @Test(
    "A scan of a table or of a whole index is found with its condition",
    arguments: [
      (
        ["Seq Scan on mailbox  (cost=1..2 rows=1)", "  Filter: (lower(username) = 'x'::text)"], "mailbox",
        "(lower(username) = 'x'::text)"
      ),
      (["Seq Scan on mailbox m  (cost=1..2 rows=1)"], "mailbox", nil),
      (
        ["Limit", "  ->  Index Scan using i on alias  (cost=1..2)", "        Filter: (lower(a) = 'x'::text)"], "alias",
        "(lower(a) = 'x'::text)"
      ),
      (
        [
          "Bitmap Heap Scan on mailbox  (cost=1..2)", "  Recheck Cond: (active)",
          "  ->  Bitmap Index Scan on i  (cost=0..1)",
        ], "mailbox", "(active)"
      ),
      (
        ["Index Only Scan using i on mailbox  (cost=1..2 rows=1)", "  Filter: (a = 'x'::text)"], "mailbox",
        "(a = 'x'::text)"
      ),
      (
        [
          "Nested Loop  (cost=1..2)", "  ->  Index Scan using i on domain  (cost=1..2)",
          "        Index Cond: (d = 'x'::text)",
          "  ->  Seq Scan on mailbox  (cost=1..2)", "        Filter: (active)",
        ], "mailbox", "(active)"
      ),
      (
        [
          "Bitmap Heap Scan on mailbox  (cost=1..2)", "  Filter: (a = 'x'::text)",
          "  ->  Bitmap Index Scan on i  (cost=1..2)",
        ], "mailbox", "(a = 'x'::text)"
      ),
    ] as [([String], String, String?)])
  func whole(lines: [String], relation: String, filter: String?) {
    let found = QueryPlan(lines).wholeScan
    #expect(found?.relation == relation && found?.filter == filter)
  }
}
