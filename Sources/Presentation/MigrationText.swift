// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
package import Migration
import Posix
import Text

/// Writes the plan of a migration, for people.
package struct MigrationText {
  private let plan: MigrationPlan
  private let from: String
  private let to: String
  private let isDryRun: Bool
  private let output: Output
  private let style: TerminalStyle

  /// - Parameters:
  ///   - from: Postfix's directory.
  ///   - to: the new file.
  ///   - isDryRun: it was not written, so its text is shown.
  package init(
    _ plan: MigrationPlan, from: String, to: String, isDryRun: Bool, output: Output, style: TerminalStyle
  ) {
    self.output = output
    self.style = style
    self.plan = plan
    self.from = from
    self.to = to
    self.isDryRun = isDryRun
  }

  package func write() throws {
    let count = quantity(plan.parameterCount, "parameter")
    if isDryRun {
      try output.write(style("\(to), from \(count) of \(from):", .bold) + "\n\n")
      for line in plan.configuration.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast() {
        try output.write(line.isEmpty ? "\n" : "    \(printable(String(decoding: line, as: UTF8.self)))\n")
      }
    } else {
      try output.write(style("\(to) was written from \(count) of \(from).", .bold) + "\n")
    }
    try write("Solve this first", plan.findings(.obstacle), .red)
    try write("What changed on the way", plan.findings(.changed))
    try write("What to know", plan.findings(.different))
    try output.write("\n" + style("What to do", .bold) + "\n")
    for (index, step) in plan.steps.enumerated() { try write(step, "\(index + 1). ") }
    try output.write("\n")
    try write(plan.wayBack, "")
    if !plan.policySteps.isEmpty { try output.write("\n" + style("If you want it", .bold) + "\n") }
    for step in plan.policySteps { try write(step, "") }
    try output.write("\nullage.cf(5), \"Differences from VDA\", lists what is always different.\n")
    try output.flush()
  }

  private func write(_ title: String, _ findings: [Finding], _ colour: TerminalStyle.Colour = .bold) throws {
    guard !findings.isEmpty else { return }
    let remedies = RemedyText(configurationFile: Ullage.configurationFile)
    try output.write("\n" + style(title, colour) + "\n")
    for finding in findings {
      try output.write("  \(style(printable(finding.subject.name), .bold))\n")
      for line in wrapped(printable(finding.evidence), width: 74) { try output.write("      \(line)\n") }
      // On one line, for copying.
      if let remedy = finding.remedy { try output.write("        \(printable(remedies.text(remedy)))\n") }
    }
  }

  private func write(_ step: MigrationPlan.Step, _ number: String) throws {
    for (index, line) in wrapped(step.title, width: 74).enumerated() {
      let margin = index == 0 ? "  \(number)" : String(repeating: " ", count: 2 + number.count)
      try output.write("\(margin)\(line)\n")
    }
    for statement in step.statements { try output.write("       \(style("SQL:", .dim)) \(printable(statement))\n") }
    for command in step.commands { try output.write("       \(printable(command))\n") }
  }
}
