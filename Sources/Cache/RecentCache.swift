// SPDX-License-Identifier: Apache-2.0

/// Recent values by their keys. It reads no clock: the caller passes the time.
///
/// Its size is bounded: when the younger half is full, it replaces the older half, which is dropped.
package struct RecentCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  private struct Entry {
    let value: Value
    let time: ContinuousClock.Instant
  }

  private var younger: [Key: Entry] = [:]
  private var older: [Key: Entry] = [:]
  /// Entries in each half.
  private let half: Int

  /// - Parameter capacity: the largest number of values held.
  package init(capacity: Int = 65_536) {
    half = capacity / 2
  }

  /// The value that was kept for `key` less than `age` before `now`.
  package func value(of key: Key, within age: Duration, of now: ContinuousClock.Instant) -> Value? {
    guard let entry = younger[key] ?? older[key], now - entry.time < age else { return nil }
    return entry.value
  }

  package mutating func keep(_ value: Value, of key: Key, at now: ContinuousClock.Instant) {
    if younger.count >= half, younger[key] == nil {
      older = younger
      younger = [:]
    }
    younger[key] = Entry(value: value, time: now)
  }

  /// Forgets the value of every key for which `matches` is true.
  package mutating func forget(where matches: (Key) -> Bool) {
    younger = younger.filter { !matches($0.key) }
    older = older.filter { !matches($0.key) }
  }

  package mutating func forget(_ key: Key) {
    younger[key] = nil
    older[key] = nil
  }
}
