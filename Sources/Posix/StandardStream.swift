// SPDX-License-Identifier: Apache-2.0
import CPosix

/// The standard streams. pipe(8) opened them, and we never close them.
package enum StandardStream {
  /// Whether standard input is a character device, such as /dev/null or a terminal: no message comes from it.
  package static var inputIsDevice: Bool {
    var status = CPosix.stat()
    return unsafe CPosix.fstat(STDIN_FILENO, &status) == 0 && Int32(bitPattern: status.st_mode) & S_IFMT == S_IFCHR
  }

  package static var inputIsRegularFile: Bool {
    var status = CPosix.stat()
    let result = unsafe CPosix.fstat(STDIN_FILENO, &status)
    return result == 0 && FileKind(mode: status.st_mode) == .regular
  }

  /// Writes to standard error. For tools and services only, never on the delivery path.
  package static func writeError(_ text: String) {
    let bytes = Array(text.utf8)
    _ = unsafe bytes.withUnsafeBytes { unsafe CPosix.write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }

  /// Reads at most `buffer.count` bytes from standard input; 0 means end of input.
  package static func read(
    into buffer: inout MutableSpan<UInt8>, until deadline: Deadline
  ) throws(SystemError) -> Int {
    try unsafe buffer.withUnsafeMutableBytes { bytes throws(SystemError) in
      try systemCall(.read, "standard input", until: deadline) {
        unsafe CPosix.read(STDIN_FILENO, bytes.baseAddress, bytes.count)
      }
    }
  }

  package static var isOutputClosed: Bool { cposix_fcntl(STDOUT_FILENO, F_GETFD, 0) < 0 }

  /// Writes all of `bytes` to standard output, in as many calls as needed.
  package static func writeAll(_ bytes: [UInt8]) throws(SystemError) {
    var done = 0
    while done < bytes.count {
      let rest = bytes.span.extracting(done..<bytes.count)
      do throws(SystemError) {
        done += try unsafe rest.withUnsafeBytes { buffer throws(SystemError) in
          try systemCall(.write, "standard output") {
            unsafe CPosix.write(STDOUT_FILENO, buffer.baseAddress, buffer.count)
          }
        }
      } catch {
        // Another program has made the terminal non-blocking.
        guard error.number == EAGAIN else { throw error }
        try poll(STDOUT_FILENO, for: .writing, until: .never)
      }
    }
  }

  /// Writes `bytes` to standard output by one write(2); false unless all were written.
  package static func write(_ bytes: [UInt8]) -> Bool {
    unsafe bytes.withUnsafeBytes { unsafe CPosix.write(STDOUT_FILENO, $0.baseAddress, $0.count) } == bytes.count
  }
}
