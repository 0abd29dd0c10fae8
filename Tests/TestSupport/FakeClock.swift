// SPDX-License-Identifier: Apache-2.0

/// A clock that is ahead for one program; the times of files stay real (faketime(1)).
package enum FakeClock {
  /// The words before the program and its arguments.
  ///
  /// - Parameter ahead: such as `1h`.
  package static func words(ahead: String) throws -> [String] {
    // libfaketime changes the environment of the first program that loads it, and Swift finds its arguments
    // next to the environment. So the first program is a shell.
    [
      "env", "LD_PRELOAD=\(try library.get())", "FAKETIME=+\(ahead)", "NO_FAKE_STAT=1", "FAKETIME_DISABLE_SHM=1",
      "sh", "-c", "exec \"$@\"", "sh",
    ]
  }

  /// Below the directory of the architecture, such as /usr/lib/x86_64-linux-gnu.
  private static let library = Result {
    let files = try Command.check(["dpkg", "-L", "libfaketime"]).split(separator: "\n")
    guard let file = files.first(where: { $0.hasSuffix("/libfaketime.so.1") }) else {
      throw TestError("the package libfaketime has no libfaketime.so.1")
    }
    return String(file)
  }
}
