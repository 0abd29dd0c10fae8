// SPDX-License-Identifier: Apache-2.0
import Configuration
import Findings
import Foundation
import Posix
import TestSupport
import Testing

@testable import Check

/// ullage.cf in, findings out.
struct ConfigurationCheckTests {
  private let sandbox: Sandbox
  private static let base = "virtual_mailbox_base = /m\nvirtual_mailbox_maps = static:x/\n"

  init() throws { sandbox = try Sandbox() }

  /// `severity kind evidence` of each finding, without what is right, and whether there are settings.
  private func check(
    _ text: String, mode: mode_t = 0o640, user: User? = nil
  ) throws -> (lines: [String], findings: [Finding], isValid: Bool) {
    try sandbox.write("ullage.cf", text, mode: mode)
    try Command.check(["touch", "-d", "1 hour ago", sandbox("ullage.cf")])
    var check = ConfigurationCheck(name: sandbox("ullage.cf"), user: user)
    let settings = check.run()
    let found = check.found.findings.filter { $0.severity != .good }
    return (
      found.map { "\($0.severity.rawValue) \($0.kind?.rawValue ?? "-") \($0.evidence)" }, found, settings != nil
    )
  }

  @Test("A valid file has no finding")
  func valid() throws {
    let result = try check(Self.base)
    #expect(result.lines == [] && result.isValid)
  }

  @Test(
    "What is wrong with a line, and where it is",
    arguments: [
      ("virtual_trash_cuont = no\n", ["error unknown-parameter unknown parameter virtual_trash_cuont"], false),
      (
        "virtual_trash_name = \".Trash\"\n",
        ["notice quoted-value the value of virtual_trash_name is in double quotes, which are removed"], true
      ),
      ("root = /m\nvirtual_maildir_suffix = $root/\n", ["notice own-name names of your own: root"], true),
      ("mailbox_size_limit = 0\n", ["notice ignored-parameter names with no meaning here: mailbox_size_limit"], true),
      ("virtual_mailbox_limit = many\n", ["error bad-configuration virtual_mailbox_limit"], false),
      ("usage_tabel = quota2\n", ["warning bad-configuration unknown parameter usage_tabel"], true),
      ("nonsense\n", ["error bad-configuration expected name = value"], false),
    ])
  func lines(line: String, lines: [String], isValid: Bool) throws {
    let result = try check(Self.base + line)
    #expect(
      result.lines.count == lines.count && zip(result.lines, lines).allSatisfy { $0.hasPrefix($1) }, "\(result.lines)")
    #expect(result.isValid == isValid)
    #expect(result.findings.allSatisfy { $0.subject.name.contains("ullage.cf, line 3") }, "\(result.findings)")
    #expect(result.findings.allSatisfy { !$0.reason.isEmpty })
  }

  @Test(
    "Who else may write it is a warning, and the remedy takes that away", arguments: [0o666, 0o642, 0o660] as [mode_t])
  func writable(mode: mode_t) throws {
    let result = try check(Self.base, mode: mode)
    #expect(result.findings.map(\.kind) == [.configurationRights] && result.findings.map(\.severity) == [.warning])
    guard case .run(let commands)? = result.findings.first?.remedy else {
      Issue.record("no command")
      return
    }
    for command in commands { try Command.check(command.words) }
    var again = ConfigurationCheck(name: sandbox("ullage.cf"), user: nil)
    #expect(again.run() != nil && !again.found.hasTrouble())
  }

  @Test("A file that is missing says what to do")
  func missing() {
    var check = ConfigurationCheck(name: sandbox("none.cf"), user: nil)
    #expect(check.run() == nil)
    #expect(check.found.findings.map(\.kind) == [.badConfiguration])
    #expect(
      check.found.findings.first?.remedy
        == .advise(
          "let migrate write it, or write it as ullage.cf(5) says",
          [Command("ullage", "migrate", "--from", "/etc/postfix", "--to", sandbox("none.cf"))]))
  }
}
