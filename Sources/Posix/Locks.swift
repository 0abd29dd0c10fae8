// SPDX-License-Identifier: Apache-2.0
import CPosix

/// Locks with a deadline, which work in any thread and need no signal.
extension File {
  /// Waits for an exclusive flock(2) on the open file or directory, at most until `deadline` (`ETIMEDOUT`).
  package func flockExclusive(until deadline: Deadline) throws(SystemError) {
    try waitForLock(.flock, until: deadline) { flock(descriptor, LOCK_EX | LOCK_NB) }
  }

  /// Releases the lock by LOCK_UN, which works even if a forked child still holds a copy of the descriptor.
  package func flockRelease() {
    flock(descriptor, LOCK_UN)
  }

  /// Waits for an exclusive open-file-description lock on the whole file (fcntl(2)), the kind that NFS, CIFS
  /// and FUSE pass on to their server. Closing the descriptor releases it.
  package func ofdLockExclusive(until deadline: Deadline) throws(SystemError) {
    var lock = flock()
    lock.l_type = Int16(F_WRLCK)
    lock.l_whence = Int16(SEEK_SET)
    try waitForLock(.fcntl, until: deadline) { unsafe cposix_fcntl_lock(descriptor, CPOSIX_F_OFD_SETLK, &lock) }
  }

  /// Retries, with pauses that grow from 0.25 ms to 8 ms.
  ///
  /// A lock is held for less than the first pause, except while a mailbox is counted. Only a signal could end
  /// a blocking call in time, and the kernel delivers the process's timer signal to a thread of its choice.
  private func waitForLock(
    _ call: SystemCall, until deadline: Deadline, _ attempt: () -> Int32
  ) throws(SystemError) {
    var milliseconds = 0.25
    while true {
      do {
        _ = try systemCall(call, nil, until: deadline, attempt)
        return
      } catch {
        guard error.number == EAGAIN else { throw error }
      }
      guard !deadline.hasPassed else { throw SystemError(call, [], ETIMEDOUT) }
      pause(milliseconds: milliseconds)
      milliseconds = min(8, milliseconds * 2)
    }
  }
}
