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

  /// The debug build beside the tests. For `ullage-deliver` two others can be given: one that is as installed, and one
  /// that takes fault plans.
  private static func built(_ name: String) throws -> String {
    let variables = ["ullage-deliver": "ULLAGE_DELIVER", "ullage-deliver-faults": "ULLAGE_DELIVER_FAULTS"]
    if let variable = variables[name], let given = ProcessInfo.processInfo.environment[variable] { return given }
    let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    return URL(fileURLWithPath: tests).deletingLastPathComponent().path + "/"
      + name.replacing("-faults", with: "")
  }
}
