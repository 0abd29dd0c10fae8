// SPDX-License-Identifier: Apache-2.0
import Configuration
import Posix
import TestSupport
import Testing
import Text

@testable import Tables

/// The client side of the socketmap protocol, with a server that may send anything.
struct SocketmapTableTests {
  private func table(_ server: MadeUpServer) throws -> [TableReference] {
    [try #require(TableReference(Array("socketmap:unix:\(server.path):the map".utf8)))]
  }

  private func lookup(
    _ server: MadeUpServer, _ key: String = "you@example.org", seconds: Int64 = 20
  ) throws -> Result<String?, TableError> {
    let table = try table(server)
    return Result { () throws(TableError) in
      try TableSet().lookup(TableQuery(Array(key.utf8), until: Deadline(secondsFromNow: seconds)), in: table)?.text
    }
  }

  @Test("The request is the map, a blank and the key (socketmap_table(5))")
  func request() throws {
    let server = try MadeUpServer { request in (netstring("OK [\(request)]"), false) }
    #expect(try lookup(server, "a b").get() == "[the map a b]")
  }

  @Test(
    "Each reply has its meaning; temporary and permanent errors never mean not found (socketmap_table(5))",
    arguments: [
      ("OK v", .success("v")), ("OK ", .success("")), ("NOTFOUND ", .success(nil)), ("TEMP why", .failure(.temporary)),
      ("TIMEOUT why", .failure(.temporary)), ("PERM why", .failure(.configuration)),
    ] as [(String, Result<String?, KindOfError>)])
  func replies(reply: String, expected: Result<String?, KindOfError>) throws {
    let server = try MadeUpServer { _ in (netstring(reply), false) }
    let answer = try lookup(server)
    #expect(answer.mapError { KindOfError($0.kind) } == expected)
    if case .failure(let error) = answer { #expect(error.shown.contains("why")) }
  }

  enum KindOfError: Error, Equatable {
    case temporary, configuration
    init(_ kind: TableError.Kind) { self = kind == .temporary ? .temporary : .configuration }
  }

  @Test(
    "A reply that is malformed, cut or too long is a temporary error, never an answer",
    arguments: [
      "", "5:OK v,", "4:OK v;", "4:OK v,4:OK w,", "4:OK v,x", "OK v", "4:ok v,", "0:,", "5:FOUND,", "999999:OK",
      "99999999999999999999:", ":", "-4:OK v,", "04:OK v,", "4:OK ", "8:NOTFOUND", "\u{0}", "200000:",
    ])
  func liars(bytes: String) throws {
    let server = try MadeUpServer { _ in (bytes, true) }
    #expect(throws: TableError.self) { try lookup(server).get() }
    if case .failure(let error) = try lookup(server) { #expect(error.kind == .temporary) }
  }

  @Test("A reply in pieces is reassembled, up to 100,000 bytes (Postfix, socketmap_max_reply_size)")
  func longReply() throws {
    let value = String(repeating: "x", count: 99_997)
    let server = try MadeUpServer { _ in (netstring("OK \(value)"), false) }
    #expect(try lookup(server).get() == value)
    server.answer { _ in (netstring("OK \(value)y"), false) }
    #expect(throws: TableError.self) { try lookup(server).get() }
  }

  @Test("A server that sends nothing, or half a reply, is abandoned at the deadline", arguments: ["", "4:OK"])
  func silence(bytes: String) throws {
    let server = try MadeUpServer { _ in (bytes, false) }
    let answer = try lookup(server, seconds: 1)
    guard case .failure(let error) = answer else {
      Issue.record("an answer came: \(answer)")
      return
    }
    #expect(error.kind == .temporary && error.shown.contains("in time"))
  }

  @Test("One connection serves many requests; after a hang-up the request is repeated once, and only once")
  func restart() throws {
    let server = try MadeUpServer { _ in (netstring("OK v"), true) }
    let set = TableSet()
    let table = try table(server)
    for _ in 0..<3 {
      // The server hangs up after each answer, so that the kept connection is dead each time.
      #expect(try set.lookup(TableQuery([1], until: Deadline(secondsFromNow: 20)), in: table)?.text == "v")
    }
    server.answer { _ in ("", true) }
    let before = server.requests.count
    #expect(throws: TableError.self) { try lookup(server).get() }
    #expect(server.requests.count - before == 2)
  }

  @Test("A key longer than any server accepts is not found, and no server is queried")
  func longKey() throws {
    let server = try MadeUpServer { _ in (netstring("OK v"), false) }
    #expect(try lookup(server, String(repeating: "x", count: 5000)).get() == nil)
    #expect(server.requests == [])
  }

  @Test("It is queried only for whole addresses, as by Postfix")
  func partialKeys() throws {
    let server = try MadeUpServer { _ in (netstring("OK v"), false) }
    #expect(try TableSet().lookup(TableQuery([1], isPartial: true, until: .never), in: table(server)) == nil)
    #expect(server.requests == [])
  }
}
