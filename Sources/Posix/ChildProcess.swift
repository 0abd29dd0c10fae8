// SPDX-License-Identifier: Apache-2.0
import CPosix
import Glibc

/// A program that is run to its end for its output: no shell, nothing to read, nothing of ours left open.
package enum ChildProcess {
  package struct Ending: Sendable {
    /// The exit status, nil when a signal ended the program.
    package let status: Int32?
    package let output: [UInt8]
    package let errors: [UInt8]
  }

  /// Runs `program`, a path, and waits for its end. It is killed when `deadline` comes first (`ETIMEDOUT`).
  ///
  /// - Parameter limit: bytes that are kept of each stream.
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
      let handle = File(owning: try systemCall(.pidfd_open) { cposix_pidfd_open(child.process) })
      // It becomes readable when the process ends (pidfd_open(2)).
      try poll(handle.descriptor, for: .reading, until: deadline)
    } catch {
      child.kill()
      _ = try? child.wait(until: deadline)
      throw error
    }
    return Ending(
      status: try child.wait(until: deadline), output: try output.pread(upTo: limit),
      errors: try errors.pread(upTo: limit))
  }

  /// A file without a name, in which a program's output can be of any size and never makes it wait for its reader.
  private static func memoryFile(_ name: String) throws(SystemError) -> File {
    File(owning: try systemCall(.memfd_create) { unsafe memfd_create(name, CPOSIX_MFD_CLOEXEC) })
  }
}
