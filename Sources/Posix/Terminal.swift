// SPDX-License-Identifier: Apache-2.0
import Glibc

/// The terminal that a person may have started this process from.
package enum Terminal {
  /// Whether standard error is a terminal.
  package static var hasError: Bool { isatty(STDERR_FILENO) == 1 }

  /// Whether standard output is a terminal.
  package static var hasOutput: Bool { isatty(STDOUT_FILENO) == 1 }

  /// Whether standard input or output is a terminal.
  package static var hasInputOrOutput: Bool { isatty(STDIN_FILENO) == 1 || hasOutput }

  /// Columns of the terminal that standard error is, 80 where it does not say.
  package static var width: Int {
    var size = winsize()
    let result = unsafe ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size)
    return result == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
  }
}
