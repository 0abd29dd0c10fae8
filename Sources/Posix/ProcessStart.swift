// SPDX-License-Identifier: Apache-2.0
import CPosix
import Glibc

/// What a program of ours sets up before anything else.
package enum ProcessStart {
  /// Keeps descriptors 0 to 2 harmless: whatever is written to standard error would reach the sender of a refused
  /// message in front of our verdict, and a closed descriptor would be given to the next file opened.
  package static func silenceStandardError() {
    openStandardStreams(replacing: 2)
  }

  /// Opens /dev/null in place of those of descriptors 0 to 2 that are closed.
  ///
  /// - Parameter silenced: one that is replaced although it is open.
  package static func openStandardStreams(replacing silenced: Int32? = nil) {
    var null = unsafe open("/dev/null", O_RDWR | O_CLOEXEC)
    // Without /dev: a place in the tree, which refuses every read and write.
    if null < 0 { null = unsafe open("/", CPOSIX_O_PATH | O_CLOEXEC) }
    for descriptor in Int32(0)...2 where descriptor == silenced || fcntl(descriptor, F_GETFD) < 0 {
      dup2(null, descriptor)
    }
    if null > 2 { close(null) }
  }

  /// Makes every call that waits come back with EINTR once a second, so that its caller can look at the clock.
  ///
  /// The handler is empty: cleaning up is ordinary unwinding. The timer repeats, because a single signal may come
  /// between a look at the clock and the call. Both a blocked signal and an ignored one survive exec(3).
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
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
  }

  /// Lets owner and group, and nobody else, use what this process makes from now on: a socket above all, which exists
  /// from the moment of bind(2) on.
  package static func keepOthersOut() {
    umask(0o007)
  }
}
