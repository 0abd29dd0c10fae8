// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

@testable import Posix

/// Stream and datagram sockets with deadlines.
struct SocketTests {
  private let sandbox: Sandbox
  private let path: Path

  init() throws {
    sandbox = try Sandbox()
    path = try #require(Path(sandbox("socket").utf8))
  }

  /// A listening Unix socket whose connections nobody accepts, unless a test does.
  private func listener() throws -> UnixSocket {
    let listener = UnixSocket(socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
    try UnixSocket.bind(listener.descriptor, to: sandbox("socket"))
    return listener
  }

  @Test("Bytes arrive in both directions; the end of the stream is no bytes")
  func stream() throws {
    let listener = try listener()
    let client = try StreamSocket(unix: path, until: Deadline(secondsFromNow: 30))
    let server = UnixSocket(accept(listener.descriptor, nil, nil))
    try client.send(Array("hello".utf8), until: Deadline(secondsFromNow: 30))
    #expect(server.receive() == Array("hello".utf8))
    server.send("answer")
    #expect(try client.receive(upTo: 3, until: Deadline(secondsFromNow: 30)) == Array("ans".utf8))
    #expect(try client.receive(upTo: 100, until: Deadline(secondsFromNow: 30)) == Array("wer".utf8))
    shutdown(server.descriptor, Int32(SHUT_RDWR))
    #expect(try client.receive(upTo: 100, until: Deadline(secondsFromNow: 30)) == [])
  }

  @Test("More bytes than the socket holds are sent in parts, while the peer reads")
  func large() throws {
    let listener = try listener()
    let client = try StreamSocket(unix: path, until: Deadline(secondsFromNow: 30))
    let server = UnixSocket(accept(listener.descriptor, nil, nil))
    let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
    let done = DispatchSemaphore(value: 0)
    let received = Received()
    Thread.detachNewThread {
      while received.bytes.count < 3_000_000, case let part = server.receive(), !part.isEmpty { received.bytes += part }
      done.signal()
    }
    try client.send(bytes, until: Deadline(secondsFromNow: 60))
    done.wait()
    #expect(received.bytes == bytes)
  }

  /// Written by one thread, and read by another after it has ended.
  private final class Received: @unchecked Sendable {
    var bytes: [UInt8] = []
  }

  @Test("Whoever waits for a silent peer gives up at the deadline")
  func silent() throws {
    let listener = try listener()
    let client = try StreamSocket(unix: path, until: Deadline(secondsFromNow: 30))
    let server = UnixSocket(accept(listener.descriptor, nil, nil))
    let reading = #expect(throws: SystemError.self) {
      try client.receive(upTo: 10, until: Deadline(secondsFromNow: 1))
    }
    #expect(reading?.number == ETIMEDOUT)
    let bytes = [UInt8](repeating: 0, count: 10_000_000)
    let writing = #expect(throws: SystemError.self) { try client.send(bytes, until: Deadline(secondsFromNow: 1)) }
    #expect(writing?.number == ETIMEDOUT)
    withExtendedLifetime(server) {}
  }

  @Test("A peer that has hung up is an error of the sender, and no signal")
  func hungUp() throws {
    let listener = try listener()
    let client = try StreamSocket(unix: path, until: Deadline(secondsFromNow: 30))
    _ = UnixSocket(accept(listener.descriptor, nil, nil))
    let error = #expect(throws: SystemError.self) {
      for _ in 0..<3 { try client.send(Array("x".utf8), until: Deadline(secondsFromNow: 30)) }
    }
    #expect(error?.call == .send && error?.number == EPIPE)
  }

  @Test("A missing socket, a file without a listener and a name that is too long are errors that name the path")
  func cannotConnect() throws {
    #expect(throws: SystemError(.connect, path.bytes, ENOENT)) {
      _ = try StreamSocket(unix: path, until: Deadline(secondsFromNow: 30))
    }
    try sandbox.write("socket", "")
    #expect(throws: SystemError(.connect, path.bytes, ECONNREFUSED)) {
      _ = try StreamSocket(unix: path, until: Deadline(secondsFromNow: 30))
    }
    let long = try #require(Path([UInt8](repeating: 97, count: 108)))
    #expect(throws: SystemError(.socket, long.bytes, ENAMETOOLONG)) {
      _ = try StreamSocket(unix: long, until: Deadline(secondsFromNow: 30))
    }
    // The longest name that fits, 107 bytes and the NUL.
    let longest = try #require(Path([UInt8](repeating: 97, count: 107)))
    #expect(throws: SystemError(.connect, longest.bytes, ENOENT)) {
      _ = try StreamSocket(unix: longest, until: Deadline(secondsFromNow: 30))
    }
  }

  @Test("A TCP server is found by name and port; without a listener the error names the host")
  func tcp() throws {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    let listener = UnixSocket(descriptor)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe bind(descriptor, $0, size) == 0 && listen(descriptor, 1) == 0 && getsockname(descriptor, $0, &size) == 0
      }
    }
    try #require(isBound)
    let port = try #require(Path("\(UInt16(bigEndian: address.sin_port))".utf8))
    let client = try StreamSocket(host: "127.0.0.1", port: port, until: Deadline(secondsFromNow: 30))
    let server = UnixSocket(accept(listener.descriptor, nil, nil))
    server.send("x")
    #expect(try client.receive(upTo: 1, until: Deadline(secondsFromNow: 30)) == Array("x".utf8))
    shutdown(listener.descriptor, Int32(SHUT_RDWR))
    #expect(throws: SystemError(.connect, "127.0.0.1".utf8, ECONNREFUSED)) {
      _ = try StreamSocket(host: "127.0.0.1", port: port, until: Deadline(secondsFromNow: 30))
    }
    #expect(throws: SystemError(.getaddrinfo, "127.0.0.1".utf8, ENXIO)) {
      _ = try StreamSocket(host: "127.0.0.1", port: "no such port", until: Deadline(secondsFromNow: 30))
    }
  }

  @Test("A datagram arrives whole; an absent receiver is an error at once, and so is a full one")
  func datagrams() throws {
    let sender = try DatagramSocket(to: path)
    #expect(throws: SystemError(.sendto, [], ENOENT)) { try sender.send(Array("lost".utf8)) }
    let receiver = try LogReceiver(sandbox("socket"))
    try sender.send(Array("one".utf8))
    try sender.send([])
    #expect(receiver.datagrams() == ["one", ""])
    let error = #expect(throws: SystemError.self) {
      for _ in 0..<100_000 { try sender.send([UInt8](repeating: 120, count: 1000)) }
    }
    #expect(error?.number == EAGAIN)
  }
}
