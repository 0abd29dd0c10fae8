// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

/// What the tests themselves rely on.
struct TestSupportTests {
  @Test("A program that a test starts inherits nothing that other tests have open")
  func descriptors() throws {
    let held = unsafe open("/dev/null", O_RDONLY)
    defer { close(held) }
    // 3 is the directory that ls itself reads.
    #expect(try Command.check(["ls", "/proc/self/fd"]) == "0\n1\n2\n3\n")
  }

  @Test("A script can be run as soon as it is written, whatever other tests start meanwhile")
  func scripts() throws {
    let sandbox = try Sandbox()
    DispatchQueue.concurrentPerform(iterations: 8) { number in
      for round in 0..<20 {
        let name = "script-\(number)-\(round)"
        do {
          try sandbox.write(name, "#!/bin/sh\n", mode: 0o755)
          try Command.check([sandbox(name)])
        } catch { Issue.record(error) }
      }
    }
  }
}
