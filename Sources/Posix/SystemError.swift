// SPDX-License-Identifier: Apache-2.0
import CPosix
import Text

/// A failed system call: what a log line needs, and nothing secret.
package struct SystemError: ExplainedError, Equatable, Sendable {
  package let call: SystemCall
  /// The name that the call was about; empty if there is none.
  package let name: [UInt8]
  /// `errno`; also `ETIMEDOUT` if a deadline passed while the call waited.
  package let number: Int32

  package init(_ call: SystemCall, _ name: some Sequence<UInt8> = [], _ number: Int32) {
    self.call = call
    self.name = Array(name)
    self.number = number
  }

  /// `openat tmp: No such file or directory`
  package var sentence: [UInt8] {
    let subject = name.isEmpty ? [] : [UInt8(ascii: " ")] + name
    let isLocked = number == ETIMEDOUT && (call == .flock || call == .fcntl)
    let message = isLocked ? "another process keeps it locked" : Self.message(number)
    return Array(call.rawValue.utf8) + subject + Array(": ".utf8) + Array(message.utf8)
  }

  private static func message(_ number: Int32) -> String {
    guard let text = unsafe strerror(number) else { return "error \(number)" }
    return unsafe String(cString: text)
  }
}

/// The wrapped calls by their C names, for error texts and the fault plan.
package enum SystemCall: String, Sendable {
  case open, openat, read, pread, write, lseek, fsync, fdatasync, syncfs, fstat, fstatat, statx, fstatfs, fchmod, fchown
  case mkdirat, unlinkat, linkat, readlinkat, rename, renameat2, getdents64, flock, fcntl, poll
  case socket, setsockopt, bind, listen, connect, getaddrinfo, send, sendto, recv
  case memfd_create, pidfd_open, process_mrelease, posix_spawn, waitpid, pipe, setgroups, setresgid, setresuid
  case deadline
}

/// Runs a system call: consults the fault plan, retries EINTR until `deadline`, throws -1 as `SystemError`.
///
/// Without a deadline EINTR is retried forever, so only calls that end by themselves may omit it.
func systemCall<Result: SignedInteger>(
  _ call: SystemCall, _ name: Path? = nil, until deadline: Deadline? = nil, _ body: () -> Result
) throws(SystemError) -> Result {
  while true {
    var number: Int32 = 0
    #if DEBUG
      number = FaultPlan.current.error(for: call)
    #endif
    if number == 0 {
      let result = body()
      if result >= 0 { return result }
      number = cposix_errno()
    }
    guard number == EINTR else { throw SystemError(call, name.map { Array($0.bytes) } ?? [], number) }
    if let deadline, deadline.hasPassed { throw SystemError(call, name.map { Array($0.bytes) } ?? [], ETIMEDOUT) }
  }
}
