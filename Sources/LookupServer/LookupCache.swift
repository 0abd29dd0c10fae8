// SPDX-License-Identifier: Apache-2.0
import Socketmap

/// Recent answers. It reads no clock: the caller passes the time.
///
/// Its size is bounded: when the younger half is full, it replaces the older half, which is dropped.
struct LookupCache {
  private struct Entry {
    let reply: SocketmapReply
    let time: ContinuousClock.Instant
  }

  private var younger: [SocketmapRequest: Entry] = [:]
  private var older: [SocketmapRequest: Entry] = [:]
  /// Entries in each half.
  private let half: Int
  /// Bytes. An address has at most 320 (RFC 5321 §4.5.3.1); longer ones from a client must not fill memory.
  private static let longestKey = 512

  /// - Parameter capacity: the largest number of answers held.
  init(capacity: Int = 65_536) {
    half = capacity / 2
  }

  /// The answer that was given to `request` less than `age` before `now`.
  func reply(to request: SocketmapRequest, within age: Duration, of now: ContinuousClock.Instant) -> SocketmapReply? {
    guard let entry = younger[request] ?? older[request], now - entry.time < age else { return nil }
    return entry.reply
  }

  mutating func keep(_ reply: SocketmapReply, to request: SocketmapRequest, at now: ContinuousClock.Instant) {
    guard request.key.count <= Self.longestKey else { return }
    if younger.count >= half, younger[request] == nil {
      older = younger
      younger = [:]
    }
    younger[request] = Entry(reply: reply, time: now)
  }

  /// Forgets every answer to a key for which `matches` is true.
  mutating func forget(keys matches: ([UInt8]) -> Bool) {
    younger = younger.filter { !matches($0.key.key) }
    older = older.filter { !matches($0.key.key) }
  }

  mutating func forget(_ request: SocketmapRequest) {
    younger[request] = nil
    older[request] = nil
  }
}
