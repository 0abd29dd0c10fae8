// SPDX-License-Identifier: Apache-2.0
package import Findings

/// The result of a migration from VDA: the new file, what to know, and what to do.
package struct MigrationPlan: Sendable {
  /// Something to do, with the commands for it.
  package struct Step: Sendable, Equatable {
    package let title: String
    /// For the shell.
    package let commands: [String]
    /// For the database.
    package let statements: [String]

    package init(_ title: String, _ commands: [String], statements: [String] = []) {
      self.title = title
      self.commands = commands
      self.statements = statements
    }
  }

  /// The text of ullage.cf.
  package internal(set) var configuration: [UInt8] = []
  /// The mail user, `user=` of the entry in master.cf.
  package internal(set) var user = ""
  package internal(set) var parameterCount = 0
  /// What to know, by kind: `obstacle`, `changed`, `different`.
  package internal(set) var findings: [Finding] = []
  package internal(set) var steps: [Step] = []
  package internal(set) var wayBack = Step("", [])
  /// How Postfix is made to ask the policy service, if that is wanted.
  package internal(set) var policySteps: [Step] = []

  package func findings(_ kind: FindingKind) -> [Finding] { findings.filter { $0.kind == kind } }
}
