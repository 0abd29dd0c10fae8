// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// `virtual_domain_limit_maps`: `ullage status --domains`, and the audit's finding.
struct DomainLimitTests {
  private let site: AuditSite

  init() throws {
    site = try AuditSite()
    try site.add("ann", ledger: "1000000S\n700000 2\n")
    try site.add("bob", ledger: "1000000S\n1200000 3\n")
    try add("eve@example.NET", ledger: "0S\n5000 1\n", bytes: "0")
    try site.list("new@example.com", "example.com/new/")
  }

  private func add(_ address: String, ledger: String, bytes: String) throws {
    try site.list(address, "\(address)/", bytes: bytes)
    try site.make(address, ledger: ledger)
  }

  private func domains(_ options: String...) throws -> [String] {
    let ending = try site.host.ullage(["status", "--domains", "--format=jsonl"] + options)
    #expect(ending.status == 0 && ending.errors.isEmpty, "\(ending)")
    return try ending.records.map { record in
      ["domain", "mailboxes", "used_bytes", "limit_bytes", "percent", "messages", "allotted_bytes"]
        .map { record[$0] ?? "-" }.joined(separator: " ")
    }
  }

  @Test("The mailboxes of each domain are added up; the fullest domains come first")
  func sums() throws {
    #expect(
      try domains() == [
        "example.org 2 1900000 - - 5 2000000", "example.net 1 5000 - - 1 0", "example.com 1 0 - - 0 1000000",
      ])
    try site.configure("virtual_domain_limit_maps = inline:{ example.net=10000, example.org=1900000, example.com=0 }")
    #expect(
      try domains("--top=2") == ["example.org 2 1900000 1900000 100 5 2000000", "example.net 1 5000 10000 50 1 0"])
    #expect(try domains("--over=50") == ["example.org 2 1900000 1900000 100 5 2000000"])
    let table = try site.host.ullage("status", "--domains", "--sort=address")
    let lines = table.output.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
    #expect(
      lines == [
        "DOMAIN MAILBOXES USED LIMIT % MESSAGES ALLOTTED OVER QUOTA REMARK",
        "example.com 1 0 B none - 0 976 KiB 0", "example.net 1 4.8 KiB 9.7 KiB ▕█████·····▏ 50 1 unlimited 0",
        "example.org 2 1.8 MiB 1.8 MiB ▕██████████▏ 100 5 1.9 MiB 1",
      ], "\(table.output)")
    #expect(try site.host.ullage("status", "--domains", "--all").status == 64)
  }

  @Test("An audit names the domains that hold more than their limit, and refuses nothing for it")
  func audit() throws {
    let limits = "virtual_domain_limit_maps = inline:{ example.org=1899999, example.net=5000 }"
    try site.configure(limits)
    let found = try site.findings("--level=0").filter { $0.hasPrefix("domain") }
    #expect(found == ["domain-over-limit example.org"])
    let ending = try site.audit("--level=0")
    let line = "  example.org  2 mailboxes hold 1.8 MiB of 1.8 MiB together\n"
    #expect(ending.output.contains("domain-over-limit: 1\n" + line), "\(ending)")
    try site.configure(limits.replacing("5000", with: "5000x"))
    let broken = try site.audit("--level=0")
    #expect(broken.status == 2 && broken.output.contains("not a whole number of bytes"), "\(broken)")
    // Deliveries do not read it.
    try deliver()
    try site.configure("virtual_domain_limit_maps = nonsense")
    try deliver()
    let mistaken = try site.audit("--level=0")
    #expect(mistaken.status == 2 && mistaken.output.contains("the limits of domains: "), "\(mistaken)")
    #expect(try site.host.ullage("status", "--domains").status == 78)
  }

  private func deliver() throws {
    let delivery = try site.host.deliver(to: "ann@example.org")
    #expect(delivery.status == 0, "\(delivery)")
  }

  @Test("The query that the manual shows for PostfixAdmin, whose domains have MB")
  func postfixAdmin() throws {
    let page = try Project.text("man/ullage.cf.5")
    let query = try #require(page.firstMatch(of: #/query = (SELECT quota \* 1048576 .*)/#)).1
    let cluster = try PostgresCluster()
    try cluster.makePostfixAdmin(quota: 0)
    try cluster.sql("UPDATE domain SET quota = 1; INSERT INTO domain (domain, quota, active) VALUES ('b', 1, false)")
    try site.host.sandbox.write("domains.cf", cluster.tableFile(String(query)))
    try site.configure("virtual_domain_limit_maps = pgsql:\(site.host.sandbox("domains.cf"))")
    #expect(try domains("--top=1") == ["example.org 2 1900000 1048576 181 5 2000000"])
  }
}
