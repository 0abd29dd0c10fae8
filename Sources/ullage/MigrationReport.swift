// SPDX-License-Identifier: Apache-2.0
import Migration
import Posix
import Reports
import Text

/// What `ullage migrate` prints.
struct MigrationReport {
  private let plan: MigrationPlan
  private let from: String
  private let to: String
  private let isDryRun: Bool
  private let style = Terminal.style
  private let output = Output()

  init(_ plan: MigrationPlan, from: String, to: String, isDryRun: Bool) {
    self.plan = plan
    self.from = from
    self.to = to
    self.isDryRun = isDryRun
  }

  func write() throws {
    let count = plan.parameterCount == 1 ? "1 parameter" : "\(plan.parameterCount) parameters"
    if isDryRun {
      try output.write(style("\(to), from \(count) of \(from):", .bold) + "\n\n")
      for line in plan.configuration.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast() {
        try output.write(line.isEmpty ? "\n" : "    \(printable(String(decoding: line, as: UTF8.self)))\n")
      }
    } else {
      try output.write(style("\(to) was written from \(count) of \(from).", .bold) + "\n")
    }
    try write("Solve this first", plan.obstacles, .red)
    try write("What changed on the way", plan.changes)
    try write("What to know", plan.differences)
    try output.write("\n" + style("What to do", .bold) + "\n")
    for (index, step) in plan.steps.enumerated() { try write(step, "\(index + 1). ") }
    try output.write("\n")
    try write(plan.wayBack, "")
    try output.write("\nullage.cf(5), \"Differences from VDA\", lists what is always different.\n")
    try output.flush()
  }

  private func write(_ title: String, _ remarks: [MigrationPlan.Remark], _ colour: Style.Colour = .bold) throws {
    guard !remarks.isEmpty else { return }
    try output.write("\n" + style(title, colour) + "\n")
    for remark in remarks {
      try output.write("  \(style(printable(remark.subject), .bold))\n")
      for line in wrapped(printable(remark.text), width: 74) { try output.write("      \(line)\n") }
      // On one line, for copying.
      if let line = remark.line { try output.write("        \(printable(line))\n") }
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
