// SPDX-License-Identifier: Apache-2.0
import CPosix

/// This process, as the kernel sees it.
package enum CurrentProcess {
  /// The arguments after the program's name, byte for byte. (`CommandLine.arguments` replaces invalid UTF-8, and does
  /// not exist in Embedded Swift.)
  package static var arguments: [[UInt8]] {
    var arguments: [[UInt8]] = []
    for index in 1..<max(1, Int(cposix_argument_count())) {
      guard let text = unsafe cposix_argument(Int32(index)) else { break }
      arguments.append(unsafe Array(UnsafeRawBufferPointer(start: text, count: Int(strlen(text)))))
    }
    return arguments
  }

  package static let identifier: Int32 = getpid()
  package static var parent: Int32 { getppid() }
  package static var effectiveUser: UInt32 { geteuid() }

  /// The number of processors that are online, at least 1.
  package static var processorCount: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

  /// How many descriptors this process may have open (getrlimit(2), RLIMIT_NOFILE).
  package static var descriptorLimit: Int { max(16, Int(sysconf(Int32(_SC_OPEN_MAX)))) }

  /// Raises that number to what the service manager allows (setrlimit(2)).
  package static func raiseDescriptorLimit() {
    var limit = rlimit()
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard unsafe getrlimit(resource, &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    // If it fails, fewer clients are served at once.
    unsafe setrlimit(resource, &limit)
  }

  /// getenv(3); empty if the variable is not set.
  package static func environment(_ name: String) -> String {
    guard let value = unsafe getenv(name) else { return "" }
    return unsafe String(cString: value)
  }

  /// getcwd(3); `/` if the directory has been removed.
  package static var directory: String {
    guard let text = unsafe getcwd(nil, 0) else { return "/" }
    defer { unsafe free(text) }
    return unsafe String(cString: text)
  }

  /// Removes the variables that `isMeant` selects by name (unsetenv(3)). Only for a single-threaded process.
  package static func removeEnvironment(where isMeant: (String) -> Bool) {
    var names: [String] = []
    var next = unsafe cposix_environ()
    while let entry = unsafe next?.pointee {
      names.append(String(unsafe String(cString: entry).prefix { $0 != "=" }))
      unsafe next = next?.advanced(by: 1)
    }
    for name in names where isMeant(name) { unsafe unsetenv(name) }
  }

  /// Dies of SIGPIPE, as any filter does when its reader is gone.
  package static func endByBrokenPipe() -> Never {
    signal(SIGPIPE, cposix_SIG_DFL())
    kill(getpid(), SIGPIPE)
    _exit(128 + SIGPIPE)
  }

  /// gethostname(2), or `localhost` if the host has no name.
  package static var hostName: [UInt8] {
    var name = [UInt8](repeating: 0, count: 256)
    let result = unsafe name.withUnsafeMutableBytes { buffer -> Int32 in
      guard let start = buffer.baseAddress else { return -1 }
      return unsafe gethostname(start.assumingMemoryBound(to: CChar.self), 255)
    }
    let bytes = Array(name.prefix { $0 != 0 })
    return result == 0 && !bytes.isEmpty ? bytes : Array("localhost".utf8)
  }

  /// Exits at once, without running the exit handlers of loaded libraries.
  package static func exit(_ status: Int32) -> Never {
    _exit(status)
  }
}
