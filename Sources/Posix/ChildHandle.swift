// SPDX-License-Identifier: Apache-2.0
import CPosix

/// Another program as a child of this process. It inherits no descriptor above 2.
struct ChildHandle {
  let process: pid_t

  /// Starts the program (posix_spawn(3)).
  ///
  /// - Parameter setStreams: adds the file actions that set up descriptors 0 to 2.
  init(
    _ program: Path, _ arguments: [Path], _ setStreams: (inout posix_spawn_file_actions_t) -> Void
  ) throws(SystemError) {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe setStreams(&actions)
    // Libraries may have opened descriptors without close-on-exec, as NIO does with sockets.
    unsafe posix_spawn_file_actions_addclosefrom_np(&actions, 3)
    let vector = unsafe ([program] + arguments).map { path in unsafe path.withCString { unsafe strdup($0) } } + [nil]
    defer { unsafe vector.forEach { unsafe free($0) } }
    var process: pid_t = 0
    let number = unsafe program.withCString {
      unsafe posix_spawn(&process, $0, &actions, nil, vector, cposix_environ())
    }
    guard number == 0 else { throw SystemError(.posix_spawn, program.bytes, number) }
    self.process = process
  }

  /// Waits for the process to exit.
  ///
  /// - Returns: the exit status, nil if a signal killed it (wait(2), WIFEXITED and WEXITSTATUS).
  func wait(until deadline: Deadline? = nil) throws(SystemError) -> Int32? {
    var status: Int32 = 0
    _ = try systemCall(.waitpid, until: deadline) { unsafe waitpid(process, &status, 0) }
    return status & 0x7F == 0 ? status >> 8 & 0xFF : nil
  }

  func kill() { CPosix.kill(process, SIGKILL) }
}
