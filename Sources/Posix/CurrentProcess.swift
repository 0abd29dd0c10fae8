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

  /// How many processors this process may use.
  package static var processorCount: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

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

  /// Removes the variables whose names `isMeant` selects (unsetenv(3)). Only for a process with a single thread.
  package static func removeEnvironment(where isMeant: (String) -> Bool) {
    var names: [String] = []
    var next = unsafe environ
    while let entry = unsafe next.pointee {
      names.append(String(unsafe String(cString: entry).prefix { $0 != "=" }))
      unsafe next += 1
    }
    for name in names where isMeant(name) { unsafe unsetenv(name) }
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

  /// Leaves at once: no exit handler of a loaded library runs any more.
  package static func exit(_ status: Int32) -> Never {
    _exit(status)
  }
}
