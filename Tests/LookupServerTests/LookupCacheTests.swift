// SPDX-License-Identifier: Apache-2.0
import Socketmap
import Testing

@testable import LookupServer

struct LookupCacheTests {
  private let start = ContinuousClock.now

  private func request(_ key: String) -> SocketmapRequest {
    SocketmapRequest(map: Array("m".utf8), key: Array(key.utf8))
  }

  @Test("An answer is used while younger than the given age, counted from the start of its query")
  func age() {
    var cache = LookupCache()
    cache.keep(.found([1]), to: request("a"), at: start)
    let held = { cache.reply(to: request("a"), within: .seconds(5), of: start + $0) }
    #expect(held(.zero) == .found([1]) && held(.milliseconds(4999)) == .found([1]) && held(.seconds(5)) == nil)
    #expect(cache.reply(to: request("a"), within: .zero, of: start) == nil)
    #expect(cache.reply(to: request("b"), within: .seconds(5), of: start) == nil)
  }

  @Test("Map and key together identify an answer")
  func maps() {
    var cache = LookupCache()
    cache.keep(.notFound, to: SocketmapRequest(map: [1], key: [2]), at: start)
    #expect(cache.reply(to: SocketmapRequest(map: [2], key: [1]), within: .seconds(1), of: start) == nil)
  }

  @Test("No more answers are cached than the capacity; the newer half stays")
  func capacity() {
    var cache = LookupCache(capacity: 100)
    for number in 0..<1000 { cache.keep(.notFound, to: request("\(number)"), at: start) }
    let held = (0..<1000).filter { cache.reply(to: request("\($0)"), within: .seconds(1), of: start) != nil }
    #expect(held.count <= 100 && held.suffix(50) == Array(950..<1000))
  }

  @Test("Caching one key again and again evicts nothing")
  func refresh() {
    var cache = LookupCache(capacity: 4)
    cache.keep(.notFound, to: request("other"), at: start)
    for _ in 0..<100 { cache.keep(.found([1]), to: request("a"), at: start) }
    #expect(cache.reply(to: request("other"), within: .seconds(1), of: start) == .notFound)
  }

  @Test("A key longer than any address is not cached")
  func longKey() {
    var cache = LookupCache()
    let long = request(String(repeating: "x", count: 513))
    cache.keep(.notFound, to: long, at: start)
    #expect(cache.reply(to: long, within: .seconds(1), of: start) == nil)
  }

  @Test("A forgotten answer is removed from both halves")
  func forget() {
    var cache = LookupCache(capacity: 2)
    cache.keep(.found([1]), to: request("a"), at: start)
    cache.keep(.found([2]), to: request("b"), at: start)
    cache.forget(request("a"))
    cache.forget(request("b"))
    #expect(cache.reply(to: request("a"), within: .seconds(1), of: start) == nil)
    #expect(cache.reply(to: request("b"), within: .seconds(1), of: start) == nil)
  }
}
