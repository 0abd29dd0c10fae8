// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// The manual pages compared with what the program prints about itself.
struct ManualTests {
  private func page(_ name: String) throws -> String {
    try Project.text("man/\(name.prefix { $0 != " " }).1")
  }

  private func help(_ command: String) throws -> String {
    let words = command.split(separator: " ").map(String.init)
    let ending = try Command.run([Programs.path("ullage")] + words + ["--help"])
    #expect(ending.status == 0 && ending.errors == "")
    return ending.output
  }

  private static let commands = [
    "recompute", "status", "audit", "publish", "database install", "check", "migrate", "map", "explain",
  ]

  @Test("The manual page has the options of --help, and no others", arguments: commands)
  func options(command: String) throws {
    let page = try page("ullage-\(command)")
    let help = try help(command)
    let ours = Set(help.matches(of: #/\n  (?:-[a-z], )?--([a-z-]+)/#).map { String($0.1) }).subtracting([
      "help", "version",
    ])
    // `.It Fl -dry-run`, `.It Fl q , -quiet`
    let manual = Set(page.matches(of: #/\n\.It Fl (?:[a-z] , )?-([a-z-]+)/#).map { String($0.1) })
    #expect(ours == manual && ours.count >= 2)
  }

  @Test("Each exit status of --help is in the manual page; both have examples", arguments: commands)
  func statuses(command: String) throws {
    let page = try page("ullage-\(command)")
    let help = try help(command).replacing(#/\s+/#, with: " ")
    let section = try #require(help.firstMatch(of: #/EXIT STATUS: ([^.]*)\./#)).1
    let ours = section.matches(of: #/(?:^|, )(\d+) /#).map { String($0.1) }
    let manual = page.matches(of: #/\n\.It (\d+)/#).map { String($0.1) }
    #expect(Set(ours).isSubset(of: manual) && Set(manual).subtracting(ours).isSubset(of: ["74"]), "\(ours) \(manual)")
    #expect(help.contains("EXAMPLES: ullage \(command) ") && page.contains(".Sh EXAMPLES"))
  }

  @Test("ullage(1) lists the commands of --help, and no others")
  func overview() throws {
    let ending = try Command.run([Programs.path("ullage"), "--help"])
    let list = try #require(ending.output.components(separatedBy: "SUBCOMMANDS:\n").last)
    let ours = Set(list.matches(of: #/(?:^|\n)  ([a-z]+) /#).map { String($0.1) })
    let manual = Set(try page("ullage").matches(of: #/\n\.It Cm ([a-z]+)\n/#).map { String($0.1) })
    #expect(ours == manual && ours == Set(Self.commands.map { String($0.prefix { $0 != " " }) }))
  }
}
