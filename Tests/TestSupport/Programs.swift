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

  /// With the build that takes the fault plan of `environment`, if there is one: the other would ignore the plan, and
  /// the test would show nothing.
  static func planned(_ arguments: [String], _ environment: [String: String]) -> [String] {
    guard environment["ULLAGE_FAULT"] != nil || environment["ULLAGE_FILE_SYSTEM"] != nil else { return arguments }
    return arguments.map { argument in
      let name = ["ullage-deliver", "ullage", "ullaged"].first { path($0) == argument }
      return name.map { path("\($0)-faults") } ?? argument
    }
  }

  /// The debug build beside the tests, unless another is given: the programs as they are installed, or the build of
  /// `ullage-deliver` that takes fault plans.
  private static func built(_ name: String) throws -> String {
    let variables = [
      "ullage-deliver": "ULLAGE_DELIVER", "ullage-deliver-faults": "ULLAGE_DELIVER_FAULTS", "ullage": "ULLAGE_TOOL",
      "ullaged": "ULLAGE_DAEMON",
    ]
    if let variable = variables[name], let given = ProcessInfo.processInfo.environment[variable] { return given }
    let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    return URL(fileURLWithPath: tests).deletingLastPathComponent().path + "/"
      + name.replacing("-faults", with: "")
  }
}
