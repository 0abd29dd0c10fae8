// SPDX-License-Identifier: Apache-2.0
import Foundation
import Synchronization

/// A client's end of a Unix stream socket, or a server's.
package final class UnixSocket: Sendable {
  package let descriptor: Int32

  /// - Parameter descriptor: it is closed when this value goes.
  package init(_ descriptor: Int32) { self.descriptor = descriptor }

  package init(connectingTo path: String) throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    // A test that would wait forever fails instead.
    var limit = timeval(tv_sec: 30, tv_usec: 0)
    unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    guard unsafe Self.withAddress(path, { unsafe connect(descriptor, $0, $1) }) == 0 else {
      throw TestError("connect \(path): \(errorText(errno))")
    }
  }

  deinit { close(descriptor) }

  /// Sends the bytes; a peer that has hung up is no error.
  package func send(_ bytes: [UInt8]) {
    _ = unsafe Foundation.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
  }

  package func send(_ text: String) { send(Array(text.utf8)) }

  /// Sends as many of the bytes as there is room for.
  ///
  /// - Returns: how many; 0 if there is no room for so many milliseconds.
  package func sendSome(_ bytes: [UInt8], within milliseconds: Int32) -> Int {
    var descriptors = [pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)]
    guard unsafe poll(&descriptors, 1, milliseconds) == 1 else { return 0 }
    return max(0, unsafe Foundation.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)))
  }

  /// What arrives next; empty when the peer has hung up.
  package func receive() -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 200_000)
    let count = unsafe recv(descriptor, &buffer, buffer.count, 0)
    return Array(buffer.prefix(max(0, count)))
  }

  /// Something has arrived.
  package var hasBytes: Bool {
    var byte: UInt8 = 0
    return unsafe recv(descriptor, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) > 0
  }

  /// Sends one socketmap request; returns the reply without its frame, nil if the peer hangs up.
  package func ask(_ map: String, _ key: String) -> String? {
    let request = "\(map) \(key)"
    send("\(request.utf8.count):\(request),")
    var received = ""
    repeat {
      let bytes = receive()
      guard !bytes.isEmpty else { return nil }
      received += String(decoding: bytes, as: UTF8.self)
    } while !received.hasSuffix(",")
    return String(received.drop { $0 != ":" }.dropFirst().dropLast())
  }

  /// Makes `descriptor` a listening socket at `path`.
  package static func bind(_ descriptor: Int32, to path: String) throws {
    guard unsafe withAddress(path, { unsafe Foundation.bind(descriptor, $0, $1) }) == 0, listen(descriptor, 100) == 0
    else { throw TestError("listen on \(path): \(errorText(errno))") }
    unsafe chmod(path, 0o666)
  }

  static func withAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
    return unsafe withUnsafePointer(to: &address) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }
}

/// A socketmap server whose answers the test makes up, byte by byte. It ends with the test.
package final class MadeUpServer: Sendable {
  /// The raw bytes to answer a request with, and whether to hang up afterwards.
  package typealias Answer = @Sendable (_ request: String) -> (bytes: String, hangsUp: Bool)

  package let path: String
  private let sandbox: Sandbox
  private let listening: UnixSocket
  private let current: Mutex<Answer>
  private let asked = Mutex<[String]>([])

  /// The requests received so far.
  package var requests: [String] { asked.withLock { $0 } }

  package init(_ answer: @escaping Answer) throws {
    sandbox = try Sandbox()
    path = sandbox("socket")
    current = Mutex(answer)
    let listening = UnixSocket(socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
    let path = path
    try UnixSocket.bind(listening.descriptor, to: path)
    self.listening = listening
    let thread = Thread { [weak self] in
      while case let client = accept(listening.descriptor, nil, nil), client >= 0 {
        _ = fcntl(client, F_SETFD, FD_CLOEXEC)
        let socket = UnixSocket(client)
        Thread { [weak self] in Self.serve(socket, self) }.start()
      }
    }
    thread.start()
  }

  deinit { shutdown(listening.descriptor, Int32(SHUT_RDWR)) }

  package func answer(_ answer: @escaping Answer) { current.withLock { $0 = answer } }

  private static func serve(_ socket: UnixSocket, _ server: @autoclosure () -> MadeUpServer?) {
    while case let bytes = socket.receive(), !bytes.isEmpty {
      // Requests are short and arrive whole: the client writes one or several of them at once.
      var rest = String(decoding: bytes, as: UTF8.self)[...]
      while let colon = rest.firstIndex(of: ":"), let length = Int(rest[..<colon]) {
        let request = String(rest[colon...].dropFirst().prefix(length))
        rest = rest[colon...].dropFirst(length + 2)
        guard let server = server() else { return }
        server.asked.withLock { $0.append(request) }
        let answer = server.current.withLock { $0 }(request)
        socket.send(answer.bytes)
        if answer.hangsUp { return }
      }
    }
  }
}

/// A reply framed as a netstring.
package func netstring(_ text: String) -> String { "\(text.utf8.count):\(text)," }
