// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing
import Text

struct ShellWordTests {
  @Test(
    "A word of a printed command is read back unchanged by a shell",
    arguments: ["", "a", "a b", "it's", "it'\u{301}s", "$(x)", "~", "-n", "a;b", "ä"])
  func shellWords(text: String) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", "printf '%s.' \(shellWord(text))"]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    process.waitUntilExit()
    let output = try #require(try pipe.fileHandleForReading.readToEnd())
    #expect(String(decoding: output, as: UTF8.self) == text + ".")
  }
}
