// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Configuration

@main
struct UllageTool: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ullage",
    abstract: "Looks after the mailboxes of ullage.cf.",
    discussion: "See ullage(1).",
    version: "ullage \(Ullage.version)",
    subcommands: [MapCommand.self])
}
