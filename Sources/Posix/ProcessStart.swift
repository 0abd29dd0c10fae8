// SPDX-License-Identifier: Apache-2.0
import CPosix

/// What each of our programs sets up first.
package enum ProcessStart {
  /// Makes descriptors 0 to 2 harmless: text on standard error would reach the sender of a refused message
  /// ahead of our reply, and a closed descriptor would be reused for the next file opened.
  package static func silenceStandardError() {
    openStandardStreams(replacing: 2)
  }

  /// Opens /dev/null on each of the descriptors 0 to 2 that is closed.
  ///
  /// - Parameter silenced: a descriptor that is replaced even if it is open.
  package static func openStandardStreams(replacing silenced: Int32? = nil) {
    var null = unsafe cposix_open("/dev/null", O_RDWR | O_CLOEXEC, 0)
    // If /dev/null cannot be opened, open `/` with O_PATH: every read or write on it fails.
    if null < 0 { null = unsafe cposix_open("/", CPOSIX_O_PATH | O_CLOEXEC, 0) }
    for descriptor in Int32(0)...2 where descriptor == silenced || cposix_fcntl(descriptor, F_GETFD, 0) < 0 {
      dup2(null, descriptor)
    }
    if null > 2 { close(null) }
  }

  /// Interrupts every blocking call with EINTR once a second, so that its caller can check the clock.
  ///
  /// The handler is empty: clean-up is ordinary unwinding. The timer repeats, because a single signal could
  /// arrive between the clock check and the call. Blocked and ignored signals stay so across exec(3).
  package static func interruptWaitsEverySecond() {
    var alarm = sigset_t()
    unsafe sigemptyset(&alarm)
    unsafe sigaddset(&alarm, SIGALRM)
    var action = sigaction()
    unsafe action.__sigaction_handler.sa_handler = { _ in }
    unsafe sigaction(SIGALRM, &action, nil)
    unsafe sigprocmask(SIG_UNBLOCK, &alarm, nil)
    let second = timeval(tv_sec: 1, tv_usec: 0)
    var timer = itimerval(it_interval: second, it_value: second)
    unsafe setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &timer, nil)
  }

  /// Turns SIGPIPE and SIGXFSZ into the ordinary errors EPIPE and EFBIG.
  package static func ignoreWriteSignals() {
    signal(SIGPIPE, cposix_SIG_IGN())
    signal(SIGXFSZ, cposix_SIG_IGN())
  }

  /// Keeps Swift's Dispatch from logging on its own: at each start without the right to raise a thread's priority, a
  /// line that looks like a crash. Before the first thread.
  package static func silenceDispatch() {
    unsafe setenv("LIBDISPATCH_LOG", "NO", 1)
  }

  /// Limits access to files that this process creates from now on to owner and group. This matters above all
  /// for a socket, which exists from bind(2) on and gets mode 0660.
  package static func keepOthersOut() {
    umask(0o117)
  }

  /// The same, but the owner keeps every right: one thread enters a directory as soon as another one has made it.
  package static func keepOthersOutOfDirectories() {
    umask(0o007)
  }
}
