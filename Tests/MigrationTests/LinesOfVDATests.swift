// SPDX-License-Identifier: Apache-2.0
import Configuration
import Foundation
import Site
import TestSupport
import Testing

@testable import Migration

/// The lines that Postfix does not know are taken out at the end, and written again on the way back.
@Suite(.takesRoot)
struct LinesOfVDATests {
  private let sandbox: Sandbox

  init() throws { sandbox = try Sandbox() }

  private func plan(_ main: String, master: String = PostfixFiles.virtual) throws -> (PostfixFiles, MigrationPlan) {
    let files = try PostfixFiles(
      sandbox, main: "virtual_mailbox_base = /var/vmail\nvirtual_mailbox_maps = static:x/\n" + main, master: master)
    let options = Migration.Options(
      configurationFile: Ullage.configurationFile, transport: "ullage", user: "nobody")
    return (files, try Migration.plan(from: try PostfixDirectory(files.path), options, Survey(files.path)))
  }

  private func removed(_ plan: MigrationPlan) -> [String] {
    let command = plan.steps.flatMap(\.commands).first { $0.contains(" -X ") } ?? ""
    return command.components(separatedBy: " -X ").last?.split(separator: " ").map(String.init) ?? []
  }

  @Test(
    "What only VDA's patch knows goes, with the macros that nothing else uses; what Postfix knows stays",
    arguments: [
      ("virtual_trash_name = .Trash\nvirtual_mailbox_limit = 5\n", ["virtual_trash_name"]),
      (
        "a = $b/x\nb = /etc\nvirtual_mailbox_limit_maps = texthash:$a\nvirtual_trash_count = no\n",
        ["a", "b", "virtual_mailbox_limit_maps", "virtual_trash_count"]
      ),
      (
        "a = $b/x\nb = /etc\nvirtual_mailbox_limit_maps = texthash:$a\nvirtual_alias_maps = texthash:$b/y\n",
        ["a", "virtual_mailbox_limit_maps"]
      ),
      ("virtual_mailbox_limit = 5\n", []),
      (
        "myhostname = mail.example.org\nvirtual_maildir_limit_message = ask postmaster@$myhostname\n",
        ["virtual_maildir_limit_message"]
      ),
    ])
  func names(main: String, names: [String]) throws {
    #expect(removed(try plan(main).1) == names)
  }

  @Test("A macro that an entry of master.cf uses stays")
  func override() throws {
    let main = "a = /etc/x\nvirtual_mailbox_limit_maps = texthash:$a\n"
    let master = PostfixFiles.virtual + "other unix - n n - - smtpd -o smtpd_banner=$a\n"
    #expect(removed(try plan(main, master: master).1) == ["virtual_mailbox_limit_maps"])
  }

  @Test("The real postconf takes the lines out and writes them again as they were")
  func thereAndBack() throws {
    let main = "virtual_maildir_limit_message = \"It's full, $(sorry).\"\nvirtual_trash_name = \".Trash\"\n"
    let (files, plan) = try plan(main)
    func run(_ commands: [String]) throws {
      for command in commands where command.contains("virtual_trash_name") {
        try Command.check(["sh", "-c", command])
      }
    }
    #expect(plan.wayBack.title.contains("VDA's lines are written again"))
    try run(plan.steps.flatMap(\.commands))
    #expect(files.text("main.cf")?.contains("virtual_trash_name") == false)
    try run(plan.wayBack.commands)
    // postconf appends them in an order of its own.
    let lines = (files.text("main.cf") ?? "").split(separator: "\n")
    #expect(main.split(separator: "\n").allSatisfy { lines.contains($0) }, "\(lines)")
    #expect(try !self.plan("").1.wayBack.title.contains("VDA"))
  }
}
