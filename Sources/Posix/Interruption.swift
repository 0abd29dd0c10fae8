// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization

/// SIGINT and SIGTERM as a wish: whoever works looks whether it was expressed, and comes to an orderly end. The second
/// one ends the process at once.
package enum Interruption {
  private static let signal = Atomic<Int32>(0)

  /// The signal that came, 0 for none.
  package static var received: Int32 { signal.load(ordering: .relaxed) }

  package static func listen() {
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    for number in [SIGINT, SIGTERM] {
      unsafe sigaddset(&signals, number)
      var action = sigaction()
      unsafe action.__sigaction_handler.sa_handler = { Interruption.signal.store($0, ordering: .relaxed) }
      // Without SA_RESTART: waits come back. With SA_RESETHAND: the next one is deadly.
      action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND))
      unsafe sigaction(number, &action, nil)
    }
    // A blocked signal survives exec.
    unsafe sigprocmask(SIG_UNBLOCK, &signals, nil)
  }

  /// For a helper process: its parent gets the signal too, and decides.
  package static func ignore() {
    Glibc.signal(SIGINT, SIG_IGN)
    Glibc.signal(SIGTERM, SIG_IGN)
  }
}
