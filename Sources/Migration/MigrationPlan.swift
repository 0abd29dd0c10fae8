// SPDX-License-Identifier: Apache-2.0

/// The result of a migration from VDA: the new file, what to know, and what to do.
package struct MigrationPlan: Sendable {
  /// A sentence about a parameter, a table or a file.
  package struct Remark: Sendable, Equatable {
    package let subject: String
    package let text: String
    /// A command or database query that belongs to it.
    package var line: String?
  }

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
  /// Problems that prevent delivery until they are fixed.
  package internal(set) var obstacles: [Remark] = []
  /// What is written differently from Postfix's files.
  package internal(set) var changes: [Remark] = []
  /// What will behave differently, or is easily overlooked.
  package internal(set) var differences: [Remark] = []
  package internal(set) var steps: [Step] = []
  package internal(set) var wayBack = Step("", [])
}
