// SPDX-License-Identifier: Apache-2.0
import Foundation
import Synchronization

/// A Debian system in a directory, made by debootstrap(8) from the mirror that apt uses here. It is removed
/// with the test.
package final class DebianRoot {
  package let sandbox: Sandbox
  package var path: String { sandbox("root") }

  /// Copies a system that is made once.
  ///
  /// - Parameter packages: installed from the mirror.
  package init(installing packages: [String] = []) throws {
    sandbox = try Sandbox()
    try Command.check(["chown", "root:root", sandbox.path])
    try Command.check(["cp", "-a", "--reflink=auto", try Self.original.withLock { try $0.directory() }, path])
    if !packages.isEmpty {
      try install(packages)
    }
  }

  /// Programs that run from here have been stopped by the test that started them.
  deinit { try? Self.remove(sandbox.path) }

  private static func remove(_ directory: String) throws {
    try Command.check(["rm", "-rf", "--one-file-system", directory])
  }

  private static let original = Mutex(Original())

  private struct Original {
    private var sandbox: Sandbox?

    mutating func directory() throws -> String {
      if let sandbox { return sandbox("root") }
      let made = try Sandbox()
      try Command.check(["chown", "root:root", made.path])
      // It outlives every test.
      atexit { DebianRoot.removeOriginal() }
      sandbox = made
      try Command.check([Project.path("scripts/make-root"), made("root"), "systemd-standalone-sysusers"])
      return made("root")
    }

    func remove() {
      if let sandbox { try? DebianRoot.remove(sandbox.path) }
    }
  }

  private static func removeOriginal() { original.withLock { $0.remove() } }

  /// Runs a command in the root, with /proc and /dev.
  package func run(_ arguments: [String], input: Command.Input = .bytes([])) throws -> Command.Ending {
    try Command.run([Project.path("scripts/run-in-root"), path] + arguments, input: input)
  }

  /// Runs lines of bash(1).
  @discardableResult
  package func shell(_ script: String) throws -> String {
    let ending = try run(["bash", "-ec", script])
    guard ending.status == 0 else {
      throw TestError("\(script): status \(ending.status): \(ending.output)\(ending.errors)")
    }
    return ending.output
  }

  package func install(_ packages: [String]) throws {
    try shell("apt-get install -y -qq --no-install-recommends \(packages.joined(separator: " ")) >/dev/null")
  }

  /// Copies a file of this machine to the same place below /root.
  package func add(_ file: String) throws -> String {
    try Command.check(["cp", file, "\(path)/root/"])
    return "/root/" + URL(fileURLWithPath: file).lastPathComponent
  }

  package func write(_ name: String, _ text: String, mode: UInt32 = 0o644) throws {
    try Command.check(
      ["install", "-D", "-m", String(mode, radix: 8), "/dev/stdin", "\(path)\(name)"], input: .bytes(Array(text.utf8)))
  }

  package func text(_ name: String) -> String? { sandbox.text("root\(name)") }
}

/// The packages that scripts/test builds from these sources with scripts/package: this version, and the
/// same sources as the next version.
package enum BuiltPackage: String {
  case this = "0.1.0", next = "0.1.0+next"

  package var file: String {
    get throws {
      guard let directory = ProcessInfo.processInfo.environment["ULLAGE_PACKAGES"] else {
        throw TestError("ULLAGE_PACKAGES is not set; run scripts/test")
      }
      let files = try FileManager.default.contentsOfDirectory(atPath: directory)
      guard let name = files.first(where: { $0.hasPrefix("ullage_\(rawValue)_") && $0.hasSuffix(".deb") }) else {
        throw TestError("there is no package of version \(rawValue) in \(directory)")
      }
      return "\(directory)/\(name)"
    }
  }
}
