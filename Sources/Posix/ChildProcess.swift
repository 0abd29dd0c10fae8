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
    let process = try spawn(program, arguments, output, errors)
    do {
      let handle = File(owning: try systemCall(.pidfd_open) { cposix_pidfd_open(process) })
      // It becomes readable when the process ends (pidfd_open(2)).
      try poll(handle.descriptor, for: .reading, until: deadline)
    } catch {
      kill(process, SIGKILL)
      _ = try? wait(process, until: deadline)
      throw error
    }
    let status = try wait(process, until: deadline)
    // WIFEXITED and WEXITSTATUS of wait(2).
    return Ending(
      status: status & 0x7F == 0 ? status >> 8 & 0xFF : nil, output: try output.pread(upTo: limit),
      errors: try errors.pread(upTo: limit))
  }

  /// A file without a name, in which a program's output can be of any size and never makes it wait for its reader.
  private static func memoryFile(_ name: String) throws(SystemError) -> File {
    File(owning: try systemCall(.memfd_create) { unsafe memfd_create(name, CPOSIX_MFD_CLOEXEC) })
  }

  private static func spawn(
    _ program: Path, _ arguments: [Path], _ output: borrowing File, _ errors: borrowing File
  ) throws(SystemError) -> pid_t {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, output.descriptor, 1)
    unsafe posix_spawn_file_actions_adddup2(&actions, errors.descriptor, 2)
    // Others may have opened descriptors without close-on-exec: sockets of NIO's.
    unsafe posix_spawn_file_actions_addclosefrom_np(&actions, 3)
    let vector = unsafe ([program] + arguments).map { path in unsafe path.withCString { unsafe strdup($0) } } + [nil]
    defer { unsafe vector.forEach { unsafe free($0) } }
    var process: pid_t = 0
    let number = unsafe program.withCString {
      unsafe posix_spawn(&process, $0, &actions, nil, vector, environ)
    }
    guard number == 0 else { throw SystemError(.posix_spawn, program.bytes, number) }
    return process
  }

  private static func wait(_ process: pid_t, until deadline: Deadline) throws(SystemError) -> Int32 {
    var status: Int32 = 0
    _ = try systemCall(.waitpid, until: deadline) { unsafe waitpid(process, &status, 0) }
    return status
  }
}
