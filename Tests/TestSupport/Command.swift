// SPDX-License-Identifier: Apache-2.0
package import CPosix
import Foundation
import Synchronization

/// A program that a test runs: started at once, with pipes or files for its standard streams.
package final class Command {
  package struct Ending: Equatable {
    /// The exit status, or minus the number of the signal that ended it.
    package let status: Int32
    package let output: String
    package let errors: String
  }

  package enum Input {
    case bytes([UInt8])
    case file(String)
    /// A pipe that the test writes to.
    case pipe
    case closed
  }

  package let process: Int32
  private var input: Int32 = -1
  private let outputFile: String
  private let errorFile: String

  /// - Parameter asMailUser: drops root's privileges first; does nothing if the tests do not run as root.
  package init(
    _ arguments: [String], input: Input = .bytes([]), environment: [String: String] = [:], asMailUser: Bool = false
  ) throws {
    let name = TestRun.folder(UUID().uuidString)
    outputFile = name + ".out"
    errorFile = name + ".err"
    let arguments = (asMailUser ? MailUser.drop : []) + Programs.planned(arguments, environment)
    var variables = ["PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"]
    variables.merge(environment) { $1 }
    let files = (outputFile, errorFile)
    (process, self.input) = try Self.withoutStartingPrograms { try Self.spawn(arguments, input, files, variables) }
    if case .bytes(let bytes) = input {
      try write(bytes)
      closeInput()
    }
  }

  private static let starting = Mutex(())

  /// Runs `body` while no other test starts a program, which would inherit the descriptors that `body` opens: the
  /// reader of a pipe would wait forever, a script just written could not be run ("Text file busy"), and a file system
  /// could be neither unmounted nor made read-only.
  static func withoutStartingPrograms<R>(_ body: () throws -> R) rethrows -> R {
    try starting.withLock { _ in try body() }
  }

  /// - Returns: the process, and our end of the pipe to its standard input or -1.
  private static func spawn(
    _ arguments: [String], _ input: Input, _ files: (output: String, errors: String), _ variables: [String: String]
  ) throws -> (pid_t, Int32) {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    var pipeEnds: [Int32] = [-1, -1]
    switch input {
    case .bytes, .pipe:
      unsafe pipe(&pipeEnds)
      for end in pipeEnds { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      unsafe posix_spawn_file_actions_adddup2(&actions, pipeEnds[0], 0)
    case .file(let path): unsafe posix_spawn_file_actions_addopen(&actions, 0, path, O_RDONLY, 0)
    case .closed: unsafe posix_spawn_file_actions_addclose(&actions, 0)
    }
    let flags = O_WRONLY | O_CREAT | O_TRUNC
    unsafe posix_spawn_file_actions_addopen(&actions, 1, files.output, flags, 0o600)
    unsafe posix_spawn_file_actions_addopen(&actions, 2, files.errors, flags, 0o600)
    // Foundation opens files without close-on-exec.
    unsafe posix_spawn_file_actions_addclosefrom_np(&actions, 3)
    // The threads of a test block most signals, and a program would inherit that.
    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    var noSignals = sigset_t()
    unsafe sigemptyset(&noSignals)
    unsafe posix_spawnattr_setsigmask(&attributes, &noSignals)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    let argv = unsafe arguments.map { unsafe strdup($0) } + [nil]
    let envp = unsafe variables.map { unsafe strdup("\($0)=\($1)") } + [nil]
    defer { unsafe (argv + envp).forEach { unsafe free($0) } }
    var started: pid_t = 0
    let result = unsafe posix_spawnp(&started, arguments[0], &actions, &attributes, argv, envp)
    if pipeEnds[0] >= 0 { close(pipeEnds[0]) }
    guard result == 0 else { throw TestError("cannot start \(arguments[0]): \(errorText(result))") }
    return (started, pipeEnds[1])
  }

  /// Writes to the program's standard input; a program that does not read it is no error.
  package func write(_ bytes: [UInt8]) throws {
    signal(SIGPIPE, SIG_IGN)
    var rest = bytes[...]
    while !rest.isEmpty {
      let done = unsafe rest.withUnsafeBytes { unsafe Foundation.write(input, $0.baseAddress, $0.count) }
      guard done > 0 else {
        guard errno == EPIPE else { throw TestError("write to a program's input: \(errorText(errno))") }
        return
      }
      rest = rest.dropFirst(done)
    }
  }

  package func closeInput() {
    if input >= 0 { close(input) }
    input = -1
  }

  /// The program has ended; `wait` says how.
  package var hasEnded: Bool {
    var info = unsafe siginfo_t()
    return unsafe waitid(P_PID, id_t(process), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_signo == SIGCHLD
  }

  package func kill(_ signal: Int32) { _ = Foundation.kill(process, signal) }

  /// Waits for the end of the program.
  package func wait() -> Ending {
    closeInput()
    var status: Int32 = 0
    while unsafe waitpid(process, &status, 0) < 0, errno == EINTR {}
    let signal = status & 0x7F
    defer {
      unsafe unlink(outputFile)
      unsafe unlink(errorFile)
    }
    return Ending(
      status: signal == 0 ? status >> 8 & 0xFF : -signal, output: Self.text(outputFile), errors: Self.text(errorFile))
  }

  /// What the program has written to its standard output.
  package var outputSoFar: String { Self.text(outputFile) }

  private static func text(_ file: String) -> String {
    String(decoding: FileManager.default.contents(atPath: file) ?? Data(), as: UTF8.self)
  }

  /// Runs a program to its end.
  @discardableResult
  package static func run(
    _ arguments: [String], input: Input = .bytes([]), environment: [String: String] = [:], asMailUser: Bool = false
  ) throws -> Ending {
    try Command(arguments, input: input, environment: environment, asMailUser: asMailUser).wait()
  }

  /// Runs a program that must succeed, and returns its output.
  @discardableResult
  package static func check(_ arguments: [String], input: Input = .bytes([]), asMailUser: Bool = false) throws -> String
  {
    let ending = try run(arguments, input: input, asMailUser: asMailUser)
    guard ending.status == 0 else {
      throw TestError("\(arguments.joined(separator: " ")): exit \(ending.status): \(ending.output)\(ending.errors)")
    }
    return ending.output
  }
}

/// strerror(3)
package func errorText(_ number: Int32) -> String { unsafe String(cString: strerror(number)) }

/// Something that keeps a test from running; it fails the test.
package struct TestError: Error, CustomStringConvertible {
  package let description: String
  package init(_ description: String) { self.description = description }
}

/// The unprivileged user that deliveries run as: nobody if the tests run as root, else whoever runs them.
package enum MailUser {
  package static let id: uid_t = geteuid() == 0 ? 65534 : geteuid()
  package static let group: gid_t = geteuid() == 0 ? 65534 : getegid()
  package static var drop: [String] {
    geteuid() == 0 ? ["setpriv", "--reuid=\(id)", "--regid=\(group)", "--clear-groups"] : []
  }
}
