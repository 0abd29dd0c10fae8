// SPDX-License-Identifier: Apache-2.0
import CPosix

/// Another process of this program, with a pipe to its standard input and one from its standard output.
///
/// It must exit at end of input.
package final class PipedProcess {
  /// Its standard input: what is written here.
  package let input: File
  package let output: File
  private let child: ChildHandle

  /// Starts /proc/self/exe, so that an upgrade of the program in the meantime makes no difference.
  package init(_ arguments: [Path]) throws(SystemError) {
    let input = try Pipe()
    let output = try Pipe()
    child = try unsafe ChildHandle("/proc/self/exe", arguments) { actions in
      unsafe posix_spawn_file_actions_adddup2(&actions, input.reading.descriptor, 0)
      unsafe posix_spawn_file_actions_adddup2(&actions, output.writing.descriptor, 1)
    }
    self.input = input.writing
    self.output = output.reading
  }

  /// Kills the process, if it cannot be told to exit.
  package func kill() { child.kill() }

  /// Reaps the process, after the caller has told it to exit.
  ///
  /// - Returns: its exit status, nil if a signal killed it.
  package func wait() throws(SystemError) -> Int32? { try child.wait() }

  /// The indices of the `processes` whose output can be read or has ended, after at most `milliseconds`.
  /// Empty if there is none, or if a signal arrived.
  package static func waitForOutput(
    of processes: [PipedProcess], milliseconds: Int32
  ) throws(SystemError) -> [Int] {
    var requests = processes.map { pollfd(fd: $0.output.descriptor, events: Int16(POLLIN), revents: 0) }
    let ready = unsafe CPosix.poll(&requests, nfds_t(requests.count), milliseconds)
    if ready < 0 {
      guard cposix_errno() == EINTR else { throw SystemError(.poll, [], cposix_errno()) }
      return []
    }
    return requests.indices.filter { requests[$0].revents != 0 }
  }
}

/// A pipe whose ends are closed on exec (pipe2(2)).
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
