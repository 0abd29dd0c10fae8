// SPDX-License-Identifier: Apache-2.0
import CPosix

/// Runs a program for its output: no shell, /dev/null as input, no inherited descriptors.
package enum ChildProcess {
  /// How the program ended, and what it wrote.
  package struct Ending: Sendable {
    /// The exit status, nil if a signal killed the program.
    package let status: Int32?
    package let output: [UInt8]
    package let errors: [UInt8]
  }

  /// Runs `program`, a path, and waits for it to exit. It is killed if `deadline` passes first (`ETIMEDOUT`).
  ///
  /// - Parameter limit: the number of bytes kept from each stream.
  package static func run(
    _ program: Path, _ arguments: [Path], limit: Int, until deadline: Deadline
  ) throws(SystemError) -> Ending {
    let output = try memoryFile("stdout")
    let errors = try memoryFile("stderr")
    let child = try unsafe ChildHandle(program, arguments) { actions in
      unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
      unsafe posix_spawn_file_actions_adddup2(&actions, output.descriptor, 1)
      unsafe posix_spawn_file_actions_adddup2(&actions, errors.descriptor, 2)
    }
    do {
      try ProcessHandle(child.process).waitForExit(until: deadline)
    } catch {
      child.kill()
      _ = try? child.wait(until: deadline)
      throw error
    }
    return Ending(
      status: try child.wait(until: deadline), output: try content(of: output, limit),
      errors: try content(of: errors, limit))
  }

  /// Reserves no more memory than there is to read.
  private static func content(of file: borrowing File, _ limit: Int) throws(SystemError) -> [UInt8] {
    let size = Int(clamping: try file.fstat().size)
    return size == 0 ? [] : try file.pread(upTo: min(limit, size))
  }

  /// An unnamed file: it takes output of any size, and the child never blocks on a full pipe.
  private static func memoryFile(_ name: String) throws(SystemError) -> File {
    File(owning: try systemCall(.memfd_create) { unsafe memfd_create(name, CPOSIX_MFD_CLOEXEC) })
  }
}
