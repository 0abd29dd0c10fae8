// SPDX-License-Identifier: Apache-2.0
import CPosix
import Glibc

/// Another process of this program, with a pipe to its standard input and one from its standard output.
///
/// It is to end when its input does.
package final class PipedProcess {
  /// What is written here is its standard input.
  package let input: File
  package let output: File
  private let process: pid_t

  /// Starts /proc/self/exe, so that an upgrade of the program meanwhile changes nothing.
  package init(_ arguments: [Path]) throws(SystemError) {
    let input = try Pipe()
    let output = try Pipe()
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_adddup2(&actions, input.reading.descriptor, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, output.writing.descriptor, 1)
    unsafe posix_spawn_file_actions_addclosefrom_np(&actions, 3)
    let program: Path = "/proc/self/exe"
    let vector = unsafe ([program] + arguments).map { path in unsafe path.withCString { unsafe strdup($0) } } + [nil]
    defer { unsafe vector.forEach { unsafe free($0) } }
    var process: pid_t = 0
    let number = unsafe program.withCString { unsafe posix_spawn(&process, $0, &actions, nil, vector, environ) }
    guard number == 0 else { throw SystemError(.posix_spawn, program.bytes, number) }
    self.process = process
    self.input = input.writing
    self.output = output.reading
  }

  /// Ends the process at once, where it cannot be asked to.
  package func kill() { Glibc.kill(process, SIGKILL) }

  /// Waits for the end of the process, which the caller has asked for.
  ///
  /// - Returns: its exit status, nil when a signal ended it.
  package func wait() throws(SystemError) -> Int32? {
    var status: Int32 = 0
    _ = try systemCall(.waitpid) { unsafe waitpid(process, &status, 0) }
    // WIFEXITED and WEXITSTATUS of wait(2).
    return status & 0x7F == 0 ? status >> 8 & 0xFF : nil
  }

  /// Which ends of `outputs` can be read or have ended, at the latest after `milliseconds`, or none when a signal came.
  package static func waitForOutput(_ descriptors: [Int32], milliseconds: Int32) throws(SystemError) -> [Int32] {
    var requests = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    let ready = unsafe Glibc.poll(&requests, nfds_t(requests.count), milliseconds)
    if ready < 0 {
      guard errno == EINTR else { throw SystemError(.poll, [], errno) }
      return []
    }
    return requests.filter { $0.revents != 0 }.map(\.fd)
  }
}

/// pipe2(2), closed on exec.
private struct Pipe: ~Copyable {
  let reading: File
  let writing: File

  init() throws(SystemError) {
    var ends: [Int32] = [-1, -1]
    _ = try systemCall(.pipe) { unsafe pipe2(&ends, O_CLOEXEC) }
    reading = File(owning: ends[0])
    writing = File(owning: ends[1])
  }
}
