// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Posix
import Publication
import Site
import Tables
import Text

/// Whether the mail user can publish usage, where a table is set.
struct UsageCheck {
  let site: Site
  let settings: Settings
  let usage: UsageSettings

  func findings() -> [Finding] {
    var found = FindingList(.tables)
    let place: String
    switch usage.target {
    case .nothing: return []
    case .table(let name): place = name.text
    case .queries: place = "usage_update_query"
    }
    do throws(UsageProblem) {
      try site.actingAsUser { () throws(UsageProblem) in try probe() }
      found.good("usage can be published (\(place))")
    } catch {
      found.add(
        .warning, .usageTable, error.evidence, at: place,
        reason: "ullage publish and audit --publish write nothing, and panels show old figures", remedy: error.remedy)
    }
    return found.findings
  }

  private struct UsageProblem: Error {
    let evidence: String
    let remedy: Remedy
  }

  /// Runs the statements for no mailbox at all.
  private func probe() throws(UsageProblem) {
    if let writer = SecondWriter.find(beside: usage) {
      throw UsageProblem(
        evidence: writer.evidence, remedy: .advice(writer.advice(for: site.user?.name ?? "the mail user")))
    }
    do throws(TableError) {
      _ = try UsagePublisher(
        usage, list: settings.listDatabase, isDry: true, waiting: nil, rejected: { _, _ in })
    } catch {
      throw UsageProblem(
        evidence: error.shown,
        remedy: .advice(
          error.kind == .configuration
            ? "correct it, or grant the role of that file SELECT, INSERT and UPDATE on the table, as in ullage.cf(5)"
            : "start the database, or correct the file that names it"))
    }
  }
}
