// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing
import Text

@testable import Check

struct NoiseTests {
  @Test("Whatever doveconf prints, it is read")
  func dovecot() {
    var maildirs = 0
    for text in Noise([
      "plugin {\n", "}\n", "quota = maildir:x\n", "quota \"x\" {\n", "driver = maildir\n", "namespace {\n",
      "mailbox T {\n", "=",
      "\n", "\"", "{", " ", "#",
    ]) {
      if !DovecotSettings(parsing: text.text).quotaDrivers.isEmpty { maildirs += 1 }
    }
    #expect(maildirs > 100)
  }
}

/// The lines of EXPLAIN.
struct QueryPlanTests {
  private func wholeScan(_ lines: String...) -> [String?]? {
    QueryPlan(lines).wholeScan.map { [$0.relation, $0.filter] }
  }

  @Test("A sequential scan reads every row, and so does an index without a condition")
  func whole() {
    #expect(
      wholeScan("Seq Scan on mailbox  (cost=1..2 rows=1 width=8)", "  Filter: ((username)::text = 'a'::text)")
        == ["mailbox", "((username)::text = 'a'::text)"])
    #expect(
      wholeScan(
        "Limit", "  ->  Index Scan using i on alias  (cost=1..2)", "        Filter: (lower(address) = 'a'::text)")
        == ["alias", "(lower(address) = 'a'::text)"])
    #expect(
      wholeScan(
        "Bitmap Heap Scan on mailbox  (cost=1..2)", "  Recheck Cond: (active)",
        "  ->  Bitmap Index Scan on i  (cost=0..1)")
        == ["mailbox", "(active)"])
  }

  @Test("A scan with an index condition reads the rows that it needs")
  func indexed() {
    #expect(
      wholeScan(
        "Index Scan using k on mailbox  (cost=1..2)", "  Index Cond: ((username)::text = 'a'::text)", "  Filter: active"
      )
        == nil)
    #expect(
      wholeScan(
        "Bitmap Heap Scan on t", "  Recheck Cond: (a = 1)", "  ->  Bitmap Index Scan on i",
        "        Index Cond: (a = 1)")
        == nil)
    #expect(wholeScan("Result  (cost=0..0 rows=1)") == nil && wholeScan() == nil)
  }
}
