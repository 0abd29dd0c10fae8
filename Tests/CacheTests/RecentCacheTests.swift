// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Cache

struct RecentCacheTests {
  private let start = ContinuousClock.now

  @Test("A value is given while younger than the given age, counted from the time it is kept with")
  func age() {
    var cache = RecentCache<String, Int>()
    cache.keep(1, of: "a", at: start)
    let held = { cache.value(of: "a", within: .seconds(5), of: start + $0) }
    #expect(held(.zero) == 1 && held(.milliseconds(4999)) == 1 && held(.seconds(5)) == nil)
    #expect(cache.value(of: "a", within: .zero, of: start) == nil)
    #expect(cache.value(of: "b", within: .seconds(5), of: start) == nil)
  }

  @Test("No more values are kept than the capacity; the newer half stays")
  func capacity() {
    var cache = RecentCache<Int, Int>(capacity: 100)
    for number in 0..<1000 { cache.keep(number, of: number, at: start) }
    let held = (0..<1000).filter { cache.value(of: $0, within: .seconds(1), of: start) != nil }
    #expect(held.count <= 100 && held.suffix(50) == Array(950..<1000))
  }

  @Test("Keeping a value of one key again and again evicts nothing")
  func refresh() {
    var cache = RecentCache<String, Int>(capacity: 4)
    cache.keep(0, of: "other", at: start)
    for number in 0..<100 { cache.keep(number, of: "a", at: start) }
    #expect(cache.value(of: "other", within: .seconds(1), of: start) == 0)
  }

  @Test("A forgotten value is removed from both halves")
  func forget() {
    var cache = RecentCache<String, Int>(capacity: 2)
    for (number, key) in ["a", "b", "c", "d"].enumerated() {
      cache.keep(number, of: key, at: start)
      if number < 2 { cache.forget(key) }
    }
    cache.forget { $0 == "c" }
    let held = ["a", "b", "c", "d"].map { cache.value(of: $0, within: .seconds(1), of: start) }
    #expect(held == [nil, nil, nil, 3])
  }
}
