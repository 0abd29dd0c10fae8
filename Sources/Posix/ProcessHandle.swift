// SPDX-License-Identifier: Apache-2.0
import CPosix

/// A process, by a descriptor that never comes to mean another one (pidfd_open(2)).
package struct ProcessHandle: ~Copyable, Sendable {
  private let file: File

  /// - Throws: `SystemError` (`ESRCH` if there is no such process, `ENOSYS` before Linux 5.3).
  package init(_ process: Int32) throws(SystemError) {
    file = File(owning: try systemCall(.pidfd_open) { cposix_pidfd_open(process) })
  }

  /// Waits for the process to exit; `ETIMEDOUT` after `deadline`.
  package func waitForExit(until deadline: Deadline) throws(SystemError) {
    try poll(file.descriptor, for: .reading, until: deadline)
  }

  /// Whether the process has exited, reaped or not. True if that cannot be found out.
  package func hasExited() -> Bool {
    do { try waitForExit(until: Deadline(secondsFromNow: 0)) } catch { return error.number != ETIMEDOUT }
    return true
  }
}
