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

  /// Whether the process has exited, reaped or not, or is exiting. True if that cannot be found out.
  package func isGone() -> Bool {
    do { try waitForExit(until: Deadline(secondsFromNow: 0)) } catch { return error.number != ETIMEDOUT || isExiting() }
    return true
  }

  /// An exiting process gives its memory back before it closes its files, and can be waited for after that.
  /// process_mrelease(2) says so: `EINVAL` means a process that uses its memory, `ESRCH` one that has none, and
  /// `EAGAIN` one that is killed and still uses it. What the call is made for, to take the memory of a killed process
  /// at once, does no harm. Linux before 5.15 has no such call, and a sandbox may forbid it.
  private func isExiting() -> Bool {
    do { _ = try systemCall(.process_mrelease) { cposix_process_mrelease(file.descriptor) } } catch {
      return error.number == ESRCH || error.number == EAGAIN
    }
    return true
  }
}
