// SPDX-License-Identifier: Apache-2.0
import CPosix
import Glibc

extension File {
  /// Waits for an exclusive flock(2) on the open file or directory, at most until `deadline` (`ETIMEDOUT`).
  ///
  /// The wait ends in time only while a repeating timer interrupts it (`ProcessStart`).
  package func flockExclusive(until deadline: Deadline) throws(SystemError) {
    _ = try systemCall(.flock, until: deadline) { flock(descriptor, LOCK_EX) }
  }

  /// Gives the lock back by LOCK_UN, which frees it even if a forked child still holds a copy of the descriptor.
  package func flockRelease() {
    flock(descriptor, LOCK_UN)
  }

  /// Waits for an exclusive open-file-description lock on the whole file (fcntl(2)): the kind that NFS, CIFS and FUSE
  /// hand on to their server. It goes when the descriptor is closed.
  package func ofdLockExclusive(until deadline: Deadline) throws(SystemError) {
    var lock = flock()
    lock.l_type = Int16(F_WRLCK)
    lock.l_whence = Int16(SEEK_SET)
    _ = try systemCall(.fcntl, until: deadline) { unsafe fcntl(descriptor, CPOSIX_F_OFD_SETLKW, &lock) }
  }
}
