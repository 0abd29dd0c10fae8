// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// `ullage status`, and mistakes on the command line that all commands share.
struct StatusTests {
  @Test("Without a selection the fullest twenty are shown")
  func fullest() throws {
    let site = try AuditSite()
    for number in 1...22 {
      try site.add("m\(number)", ledger: "1000000S\n \(number * 40_000) 1\n")
    }
    let ending = try site.host.ullage("status", "--format=jsonl")
    let addresses = try ending.records.compactMap { $0["address"] }
    #expect(addresses.count == 20 && addresses.first == "m22@example.org" && addresses.last == "m3@example.org")
  }

  @Test("The administrator's environment changes nothing: what a command says of a table holds for deliveries")
  func environment() throws {
    let site = try AuditSite()
    try site.add("a")
    let environment = [
      "PGSSLMODE": "require", "PGOPTIONS": "-c search_path=nowhere", "PGSERVICE": "nosuchservice", "PGHOST": "/nowhere",
      "HOME": "/root",
    ]
    for command in [
      ["status", "a@example.org"], ["status", "--all"], ["recompute", "--dry-run", "a@example.org"], ["audit"],
      ["map", "a@example.org", "virtual_mailbox_maps"],
    ] {
      let ending = try site.host.ullage(command, environment: environment, asMailUser: false)
      #expect(ending.status == 0 && !ending.errors.contains("SSL"), "\(command): \(ending)")
    }
  }

  @Test(
    "A domain without listed mailboxes is an error; a wrong address does not affect the others")
  func mistakes() throws {
    let site = try AuditSite()
    try site.add("a")
    try site.list("dots@example.org", "../dots/")
    for command in ["audit", "status", "recompute"] {
      let ending = try site.host.ullage(command, "--domain=exmaple.org")
      #expect(ending.status == 67 && ending.errors.contains("lists no mailbox of it"), "\(command) \(ending)")
    }
    let ending = try site.host.ullage("recompute", "dots@example.org", "a@example.org")
    #expect(
      ending.status == 2 && ending.output.contains("must not contain ..") && ending.output.contains("exact"),
      "\(ending)")
  }

  @Test("status: sorted, filtered, in every format, with the age of the ledger and the source of the limit")
  func status() throws {
    let site = try AuditSite("virtual_mailbox_limit = 2000")
    try site.add("half", ledger: "1000S\n 500 1\n", bytes: "1000")
    try site.add("over", ledger: "1000S\n 1001 3\n", bytes: "1000")
    try site.add("none", ledger: "0S\n 70000 9\n", bytes: "0")
    try site.add("fallback", ledger: "2000S\n 1900 5\n", bytes: nil)
    try site.add("broken", ledger: "")
    try site.list("absent@example.org", "example.org/absent/")
    func order(_ options: String...) throws -> [String] {
      let ending = try site.host.ullage(["status", "--format=jsonl"] + options)
      #expect(ending.status == 0 && ending.errors == "", "\(ending)")
      return try ending.records.map { String(($0["address"] ?? "").prefix { $0 != "@" }) }
    }
    #expect(try order("--all") == ["over", "fallback", "half", "none", "absent", "broken"])
    #expect(try order("--all", "--sort=address") == ["absent", "broken", "fallback", "half", "none", "over"])
    #expect(try order("--all", "--sort=used") == ["none", "fallback", "over", "half", "absent", "broken"])
    #expect(try order("--top=2") == ["over", "fallback"])
    #expect(try order("--over=95") == ["over"] && order("--over=100") == ["over"])
    #expect(try order("--domain=EXAMPLE.org", "--over=49") == ["over", "fallback", "half"])
    #expect(try order("half@example.org", "over@example.org") == ["over", "half"])
    let record = try #require(
      try site.host.ullage("status", "fallback@example.org", "--format=jsonl").records.first)
    #expect(record["used_bytes"] == "1900" && record["limit_bytes"] == "2000" && record["percent"] == "95")
    #expect(record["limit_source"] == "fallback" && record["messages"] == "5" && record["problem"] == nil)
    #expect(Int(record["ledger_age_seconds"] ?? "") ?? -1 >= 0)
    let csv = try site.host.ullage("status", "half@example.org", "--format=csv").output.split(separator: "\n")
    #expect(csv.count == 2 && csv[0].hasPrefix("address,path,used_bytes,limit_bytes,percent,"))
    #expect(csv[1].hasPrefix("half@example.org,example.org/half/,500,1000,50,1,0,table,1000,"))
    let table = try site.host.ullage("status", "--all").output.split(separator: "\n").map(String.init)
    #expect(
      table[0].hasPrefix("MAILBOX                  USED    LIMIT                  %  MESSAGES  LIMIT FROM"),
      "\(table[0])")
    #expect(
      table[1].hasPrefix("over@example.org       1001 B   1000 B  ▕██████████▏  100         3  table"), "\(table[1])")
    #expect(table.last?.hasSuffix("maildirsize is empty") == true, "\(table)")
    #expect(try site.host.ullage("status", "nobody@example.org").status == 67)
  }
}
