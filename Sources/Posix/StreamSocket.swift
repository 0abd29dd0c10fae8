// SPDX-License-Identifier: Apache-2.0
import CPosix

/// A connection to a local or remote server. Every wait has a deadline, except that of the resolver.
package struct StreamSocket: ~Copyable {
  private let file: File

  /// Connects to the Unix socket `path`.
  package init(unix path: Path, until deadline: Deadline) throws(SystemError) {
    var address = try sockaddr_un(path)
    let file = try Self.open(AF_UNIX, until: deadline)
    _ = try systemCall(.connect, path, until: deadline) {
      unsafe withUnsafePointer(to: &address) {
        unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe CPosix.connect(file.descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
    }
    self.file = file
  }

  /// Connects by TCP to the first address of `host` that answers; each gets at most 5 seconds.
  ///
  /// - Throws: `SystemError` (`ENXIO` for an unknown host or port). The resolver cannot be interrupted.
  package init(host: Path, port: Path, until deadline: Deadline) throws(SystemError) {
    var hints = unsafe addrinfo()
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    let status = unsafe host.withCString { name in
      unsafe port.withCString { unsafe getaddrinfo(name, $0, &hints, &list) }
    }
    guard status == 0 else { throw SystemError(.getaddrinfo, host.bytes, ENXIO) }
    defer { unsafe freeaddrinfo(list) }
    var failure = SystemError(.getaddrinfo, host.bytes, ENXIO)
    var next = unsafe list
    while let entry = unsafe next {
      do {
        let share = deadline.slice(seconds: 5)
        let candidate = try Self.open(unsafe entry.pointee.ai_family, until: share)
        _ = try systemCall(.connect, host, until: share) {
          unsafe CPosix.connect(candidate.descriptor, entry.pointee.ai_addr, entry.pointee.ai_addrlen)
        }
        self.file = candidate
        return
      } catch { failure = error }
      unsafe next = entry.pointee.ai_next
    }
    throw failure
  }

  /// Sends all the bytes.
  package func send(_ bytes: [UInt8], until deadline: Deadline) throws(SystemError) {
    var done = 0
    while done < bytes.count {
      try poll(file.descriptor, for: .writing, until: deadline)
      done += try unsafe bytes.span.extracting(done..<bytes.count).withUnsafeBytes { buffer throws(SystemError) in
        try systemCall(.send) {
          unsafe CPosix.send(
            file.descriptor, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
        }
      }
    }
  }

  /// Waits for bytes and returns at most `count` of them; none at the end of the stream.
  package func receive(upTo count: Int, until deadline: Deadline) throws(SystemError) -> [UInt8] {
    // A peer that sends byte by byte would never let poll(2) time out, so check the deadline here.
    try deadline.check()
    try poll(file.descriptor, for: .reading, until: deadline)
    var bytes = [UInt8](repeating: 0, count: count)
    var span = bytes.mutableSpan
    let length = try unsafe span.withUnsafeMutableBytes { buffer throws(SystemError) in
      try systemCall(.recv) { unsafe recv(file.descriptor, buffer.baseAddress, buffer.count, 0) }
    }
    bytes.removeLast(count - length)
    return bytes
  }

  /// A socket whose connect(2) ends by `deadline`: a server's queue may be full, or its host silent.
  private static func open(_ family: Int32, until deadline: Deadline) throws(SystemError) -> File {
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    let file = File(owning: try systemCall(.socket) { socket(family, type, 0) })
    let milliseconds = max(1, Int(deadline.milliseconds))
    var limit = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
    _ = try systemCall(.setsockopt) {
      unsafe setsockopt(file.descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }
    return file
  }
}

extension sockaddr_un {
  /// - Throws: `SystemError` (`ENAMETOOLONG` if the path does not fit into a socket address).
  init(_ path: Path) throws(SystemError) {
    self.init()
    sun_family = sa_family_t(AF_UNIX)
    let capacity = MemoryLayout.size(ofValue: sun_path)
    guard path.terminated.count <= capacity else { throw SystemError(.socket, path.bytes, ENAMETOOLONG) }
    unsafe withUnsafeMutableBytes(of: &sun_path) { unsafe $0.copyBytes(from: path.terminated) }
  }
}
