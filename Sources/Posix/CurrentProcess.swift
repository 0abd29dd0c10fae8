// SPDX-License-Identifier: Apache-2.0
import CPosix
import Glibc

/// This process, as the kernel sees it.
package enum CurrentProcess {
  /// The arguments after the program's name, byte for byte. (`CommandLine.arguments` replaces what is not UTF-8.)
  package static var arguments: [[UInt8]] {
    var arguments: [[UInt8]] = []
    for index in 1..<max(1, Int(CommandLine.argc)) {
      guard let text = unsafe CommandLine.unsafeArgv[index] else { break }
      arguments.append(unsafe Array(UnsafeRawBufferPointer(start: text, count: Int(strlen(text)))))
    }
    return arguments
  }

  package static let identifier: Int32 = getpid()
  package static var parent: Int32 { getppid() }
  package static var effectiveUser: UInt32 { geteuid() }
  package static var effectiveGroup: UInt32 { getegid() }

  /// getenv(3), empty when it is not set.
  package static func environment(_ name: String) -> String {
    guard let value = unsafe getenv(name) else { return "" }
    return unsafe String(cString: value)
  }

  /// getcwd(3), `/` when that has been removed.
  package static var directory: String {
    guard let text = unsafe getcwd(nil, 0) else { return "/" }
    defer { unsafe free(text) }
    return unsafe String(cString: text)
  }

  /// Removes the variables by which libpq finds files and servers that are not named to it: `HOME`, and all `PG…`.
  ///
  /// Only for a process with a single thread.
  package static func removeDatabaseEnvironment() {
    var names: [String] = ["HOME"]
    var next = unsafe environ
    while let entry = unsafe next.pointee {
      let text = unsafe String(cString: entry)
      if text.hasPrefix("PG") { names.append(String(text.prefix { $0 != "=" })) }
      unsafe next += 1
    }
    for name in names { unsafe unsetenv(name) }
  }

  /// Whether a person reads what goes to standard error.
  package static var hasErrorTerminal: Bool { isatty(STDERR_FILENO) == 1 }

  /// Whether a person may be watching: standard input or output is a terminal.
  package static var hasTerminal: Bool { isatty(STDIN_FILENO) == 1 || isatty(STDOUT_FILENO) == 1 }

  /// Whether standard output is a terminal.
  package static var hasOutputTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

  /// Columns of the terminal that standard error is, 80 where it does not say.
  package static var terminalWidth: Int {
    var size = winsize()
    let result = unsafe ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size)
    return result == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
  }

  /// Ends as a program does that writes into a pipe which nobody reads any more.
  package static func endByBrokenPipe() -> Never {
    signal(SIGPIPE, SIG_DFL)
    kill(getpid(), SIGPIPE)
    _exit(128 + SIGPIPE)
  }

  /// gethostname(2), or `localhost` when the kernel has no name for us.
  package static var hostName: [UInt8] {
    var name = [UInt8](repeating: 0, count: 256)
    let result = unsafe name.withUnsafeMutableBytes { buffer -> Int32 in
      guard let start = buffer.baseAddress else { return -1 }
      return unsafe gethostname(start.assumingMemoryBound(to: CChar.self), 255)
    }
    let bytes = Array(name.prefix { $0 != 0 })
    return result == 0 && !bytes.isEmpty ? bytes : Array("localhost".utf8)
  }

  /// /proc/self/fd, through which an unnamed file gets its name: open as long as this process lives, nil where /proc is
  /// not mounted.
  package static let descriptors: Int32? = {
    let descriptor = unsafe open("/proc/self/fd", CPOSIX_O_PATH | CPOSIX_O_DIRECTORY | O_CLOEXEC)
    return descriptor < 0 ? nil : descriptor
  }()

  /// Leaves at once: no exit handler of a loaded library runs any more.
  package static func exit(_ status: Int32) -> Never {
    _exit(status)
  }
}

/// Standard input and output, which pipe(8) opened for us and which are never closed by us.
package enum StandardStream {
  /// Standard input is /dev/null, or another device, so that there is no message to be lost.
  package static var inputIsNull: Bool {
    var status = Glibc.stat()
    return unsafe Glibc.fstat(STDIN_FILENO, &status) == 0 && status.st_mode & S_IFMT == S_IFCHR
  }

  package static var inputIsRegularFile: Bool {
    var status = Glibc.stat()
    let result = unsafe Glibc.fstat(STDIN_FILENO, &status)
    return result == 0 && FileKind(mode: status.st_mode) == .regular
  }

  /// Writes to standard error, for a program with a person or a service manager behind it; never on the delivery path.
  package static func writeError(_ text: String) {
    let bytes = Array(text.utf8)
    _ = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }

  /// Reads at most `buffer.count` bytes of standard input; 0 is its end.
  package static func read(
    into buffer: inout MutableSpan<UInt8>, until deadline: Deadline
  ) throws(SystemError) -> Int {
    try unsafe buffer.withUnsafeMutableBytes { bytes throws(SystemError) in
      try systemCall(.read, "standard input", until: deadline) {
        unsafe Glibc.read(STDIN_FILENO, bytes.baseAddress, bytes.count)
      }
    }
  }

  package static var isOutputClosed: Bool { fcntl(STDOUT_FILENO, F_GETFD) < 0 }

  /// Writes all of `bytes`, by as many calls as it takes.
  package static func writeAll(_ bytes: [UInt8]) throws(SystemError) {
    var done = 0
    while done < bytes.count {
      let rest = bytes.span.extracting(done..<bytes.count)
      done += try unsafe rest.withUnsafeBytes { buffer throws(SystemError) in
        try systemCall(.write, "standard output") {
          unsafe Glibc.write(STDOUT_FILENO, buffer.baseAddress, buffer.count)
        }
      }
    }
  }

  /// Writes the whole of `bytes` by one write(2); false when it did not take them.
  package static func write(_ bytes: [UInt8]) -> Bool {
    unsafe bytes.withUnsafeBytes { unsafe Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) } == bytes.count
  }
}
