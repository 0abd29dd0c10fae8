// SPDX-License-Identifier: Apache-2.0
import Conversation
import Socketmap
import Testing

@testable import LookupServer

/// The conversation with one client, bytes in and actions out.
struct LookupSessionTests {
  private static let request = Array("9:map a@b.c,".utf8)
  private static let asked = ConversationAction.answer(
    SocketmapRequest(map: Array("map".utf8), key: Array("a@b.c".utf8)))

  /// A session that has received `text`.
  private static func session(_ text: String) -> LookupSession {
    var session = LookupSession()
    session.receive(text.utf8)
    return session
  }

  @Test("A request is handed out once it is complete, however its bytes arrive", arguments: 1...12)
  func pieces(of size: Int) {
    var session = LookupSession()
    var rest = Self.request[...]
    while rest.count > size {
      session.receive(rest.prefix(size))
      rest = rest.dropFirst(size)
      #expect(session.next(isDraining: false) == .read)
    }
    session.receive(rest)
    #expect(session.next(isDraining: false) == Self.asked)
  }

  @Test("One request is answered at a time, in the order in which they came")
  func order() {
    var session = Self.session("5:m one,5:m two,5:m th")
    #expect(session.next(isDraining: false) == .answer(SocketmapRequest(Array("m one".utf8))!))
    #expect(session.isAnswering)
    session.receive("r,".utf8)
    #expect(session.next(isDraining: false) == .wait)
    #expect(session.answered(.found(Array("1".utf8))) == Array("4:OK 1,".utf8))
    #expect(!session.isAnswering)
    #expect(session.next(isDraining: false) == .answer(SocketmapRequest(Array("m two".utf8))!))
    #expect(session.answered(.notFound) == Array("9:NOTFOUND ,".utf8))
    #expect(session.next(isDraining: false) == .answer(SocketmapRequest(Array("m thr".utf8))!))
    #expect(session.answered(.temporary(Array("later".utf8))) == Array("10:TEMP later,".utf8))
    #expect(session.next(isDraining: false) == .read)
  }

  @Test(
    "Whatever is not a request closes the connection",
    arguments: ["hello", "05:m one,", "5:m oneX", "99999:", "3:map,", ","])
  func nonsense(_ text: String) {
    var session = Self.session(text)
    #expect(session.next(isDraining: false) == .close)
  }

  @Test("A request of the greatest length is answered, one byte more is not")
  func longest() {
    let key = String(repeating: "k", count: SocketmapRequest.longest - 2)
    var longest = Self.session("4096:m \(key),")
    #expect(longest.next(isDraining: false) == .answer(SocketmapRequest(map: Array("m".utf8), key: Array(key.utf8))))
    var longer = Self.session("4097:m \(key)k,")
    #expect(longer.next(isDraining: false) == .close)
  }

  @Test("A service that ends answers the request that it has begun, and no other")
  func draining() {
    var session = Self.session("5:m one,5:m two,5:m")
    #expect(session.next(isDraining: false) == .answer(SocketmapRequest(Array("m one".utf8))!))
    #expect(session.next(isDraining: true) == .wait)
    #expect(session.answered(.notFound) == Array("9:NOTFOUND ,".utf8))
    #expect(session.next(isDraining: true) == .close)
    var idle = Self.session("")
    #expect(idle.next(isDraining: true) == .close)
  }
}
