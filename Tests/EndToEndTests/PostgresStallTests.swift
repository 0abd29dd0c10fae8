// SPDX-License-Identifier: Apache-2.0
import Foundation
import Posix
import Postgres
import TestSupport
import Testing

/// A server that writes before it reads: both sides would wait for each other if the client only wrote.
struct PostgresStallTests {
  @Test("A statement larger than the socket's buffer reaches a server that first sends more than that itself")
  func bulk() throws {
    let sandbox = try Sandbox()
    let listening = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    defer { close(listening) }
    try UnixSocket.bind(listening, to: sandbox(".s.PGSQL.5432"))
    let statement = Array("SELECT '\(String(repeating: "x", count: 4 << 20))'".utf8)
    let served = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      Self.serve(accept(listening, nil, nil), expecting: statement.count)
      served.signal()
    }
    let connection = try PostgresConnection(
      [
        ("dbname", Array("d".utf8)), ("host", Array(sandbox.path.utf8)), ("port", Array("5432".utf8)),
        ("user", Array("u".utf8)), ("gssencmode", Array("disable".utf8)),
      ], until: Deadline(secondsFromNow: 30))
    try connection.execute(statement, until: Deadline(secondsFromNow: 60))
    served.wait()
  }

  /// Authenticates the client, sends 4 MB of notices, and only then reads the statement.
  private static func serve(_ client: Int32, expecting length: Int) {
    let socket = UnixSocket(client)
    _ = socket.receive()
    let ready = message("Z", Array("I".utf8))
    socket.send(message("R", [0, 0, 0, 0]) + ready)
    let notice = message("N", Array("SNOTICE\0C00000\0M".utf8) + [UInt8](repeating: 120, count: 4000) + [0, 0])
    socket.send((0..<1000).flatMap { _ in notice })
    // Its type, its length, the text, and NUL.
    var rest = length + 6
    while rest > 0 {
      let bytes = socket.receive()
      guard !bytes.isEmpty else { return }
      rest -= bytes.count
    }
    socket.send(message("C", Array("SELECT 0\0".utf8)) + ready)
  }

  /// A message of the server (PostgreSQL's manual, "Message Formats").
  private static func message(_ type: Character, _ body: [UInt8]) -> [UInt8] {
    let length = UInt32(body.count + 4)
    return Array("\(type)".utf8) + (0..<4).reversed().map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) } + body
  }
}
