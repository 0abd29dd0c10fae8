// SPDX-License-Identifier: Apache-2.0
import Findings
import Foundation
import Testing

struct FindingKindTests {
  private static let project = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  @Test(
    "The manual page lists each kind of finding, and no others",
    arguments: [("audit", FindingKind.ofAudit), ("check", FindingKind.ofCheck)])
  func manual(command: String, kinds: [FindingKind]) throws {
    let page = try String(
      contentsOf: Self.project.appendingPathComponent("man/ullage-\(command).1"), encoding: .utf8)
    let findings = try #require(page.firstMatch(of: #/\.Sh FINDINGS\n((?:.*\n)*?)\.Sh EXIT/#)).1
    let listed = findings.matches(of: #/\n\.It Cm ([a-z-]+)/#).map { String($0.1) }
    #expect(Set(listed) == Set(kinds.map(\.rawValue)) && listed.count == Set(listed).count)
  }

  @Test("An audit and a check share the kinds about rows and limits, and a migration shares none")
  func shared() {
    #expect(
      Set(FindingKind.ofAudit).intersection(FindingKind.ofCheck) == [
        .repeatedBase, .badLimit, .nullInList, .headerLimit, .limitNotEnforced, .linkedFolder,
      ])
    let others = Set(FindingKind.allCases).subtracting(FindingKind.ofAudit).subtracting(FindingKind.ofCheck)
    #expect(others == [.obstacle, .changed, .different])
  }
}
