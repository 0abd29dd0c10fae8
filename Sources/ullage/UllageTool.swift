// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Audit
import Configuration
import Posix
import Postgres
import Sweep

@main
enum Program {
  static func main() {
    // Not a subcommand, so that neither help nor completions list it.
    if CurrentProcess.arguments == [Array(Worker.argument.bytes)] { Worker.run() }
    // pipe(8) passes none of these on: what a command says of a table must hold for deliveries.
    PostgresConnection.removeEnvironment()
    UllageTool.main()
  }
}

struct UllageTool: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ullage",
    abstract: "Looks after the mailboxes of ullage.cf.",
    discussion: "See ullage(1).",
    version: "ullage \(Ullage.version)",
    subcommands: [
      RecomputeCommand.self, StatusCommand.self, AuditCommand.self, PublishCommand.self, DatabaseCommand.self,
      CheckCommand.self, MigrateCommand.self, MapCommand.self, ExplainCommand.self,
    ])
}
