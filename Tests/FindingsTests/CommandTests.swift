// SPDX-License-Identifier: Apache-2.0
import Findings
import Testing

/// Commands that are printed for pasting.
struct CommandTests {
  @Test("Words are quoted where the shell would take them apart")
  func line() {
    #expect(Command("chown", "vmail", "/srv/my mail/$x").line == "chown vmail '/srv/my mail/$x'")
    #expect(Command("echo", "it's", "").line == "echo 'it'\\''s' ''")
  }

  @Test("Several commands stop at the first that fails")
  func lines() {
    #expect(Command.line([.chmod("o-w", "/a"), .chown("root", "/a")]) == "chmod o-w /a && chown root /a")
    #expect(Command.line([]) == "")
  }

  @Test("Access is granted to a user by name: to pass through directories, and to read files")
  func grant() {
    let commands = Command.grant("vmail", files: ["/a/b", "/a/c"], directories: ["/a"])
    #expect(commands.map(\.line) == ["setfacl -m u:vmail:x /a", "setfacl -m u:vmail:r /a/b /a/c"])
    #expect(Command.grant("vmail", files: [], directories: []) == [])
    #expect(Command.enable("a.socket", "a.service").line == "systemctl enable --now a.socket a.service")
  }
}
