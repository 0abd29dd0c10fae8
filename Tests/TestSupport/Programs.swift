// SPDX-License-Identifier: Apache-2.0
import Foundation
import Synchronization

/// Copies of the programs that the mail user can reach, wherever the project is.
package enum Programs {
  private static let copies = Mutex<[String: String]>([:])

  package static func path(_ name: String) -> String {
    copies.withLock { copies in
      if let copy = copies[name] { return copy }
      do {
        let copy = TestRun.programs(name)
        try Command.check(["install", "-m", "755", built(name), copy])
        copies[name] = copy
        return copy
      } catch { return "cannot copy \(name): \(error)" }
    }
  }

  /// The debug build beside the tests; for `ullage-deliver` another one if ULLAGE_DELIVER names its path.
  private static func built(_ name: String) throws -> String {
    if name == "ullage-deliver", let given = ProcessInfo.processInfo.environment["ULLAGE_DELIVER"] { return given }
    let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    return URL(fileURLWithPath: tests).deletingLastPathComponent().path + "/" + name
  }
}
