// SPDX-License-Identifier: Apache-2.0
import CPosix

/// The terminal from which this process may have been started.
package enum Terminal {
  /// Whether standard error is a terminal.
  package static var hasError: Bool { isatty(STDERR_FILENO) == 1 }

  /// Whether standard output is a terminal.
  package static var hasOutput: Bool { isatty(STDOUT_FILENO) == 1 }

  /// Whether standard input or output is a terminal.
  package static var hasInputOrOutput: Bool { isatty(STDIN_FILENO) == 1 || hasOutput }

  /// The width in columns of the terminal on standard error, 80 if unknown.
  package static var width: Int {
    var size = winsize()
    let result = unsafe cposix_window_size(STDERR_FILENO, &size)
    return result == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
  }
}
