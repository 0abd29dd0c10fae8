// SPDX-License-Identifier: Apache-2.0
import CPosix
import Synchronization

/// SIGINT and SIGTERM set a flag, which long loops poll in order to stop cleanly. The second signal of the
/// same kind kills the process.
package enum Interruption {
  private static let signal = Atomic<Int32>(0)

  /// The signal received, 0 for none.
  package static var received: Int32 { signal.load(ordering: .relaxed) }

  package static func listen() {
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    for number in [SIGINT, SIGTERM] {
      unsafe sigaddset(&signals, number)
      var action = sigaction()
      unsafe action.__sigaction_handler.sa_handler = { Interruption.signal.store($0, ordering: .relaxed) }
      // Without SA_RESTART, blocking calls return EINTR. With SA_RESETHAND, the next signal kills.
      action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND))
      unsafe sigaction(number, &action, nil)
    }
    // A blocked signal stays blocked across exec.
    unsafe sigprocmask(SIG_UNBLOCK, &signals, nil)
  }

  /// For a helper process: the terminal signals its parent as well, and the parent decides.
  package static func ignore() {
    CPosix.signal(SIGINT, cposix_SIG_IGN())
    CPosix.signal(SIGTERM, cposix_SIG_IGN())
  }
}
