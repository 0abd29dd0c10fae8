// SPDX-License-Identifier: Apache-2.0

/// What a client has sent and the conversation has not handled yet.
package struct ReceivedBytes: Sendable {
  private var bytes: [UInt8] = []
  /// How much of `bytes` has been handled.
  private var handled = 0

  package init() {}

  package mutating func append(_ more: some Sequence<UInt8>) {
    bytes.removeFirst(handled)
    handled = 0
    bytes += more
  }

  /// The bytes that are to be handled.
  package var rest: ArraySlice<UInt8> { bytes[handled...] }

  /// The first `count` bytes have been handled.
  package mutating func drop(_ count: Int) { handled += count }

  /// Takes the bytes up to the first `end`, which is dropped with them; nil if there is none.
  package mutating func take(upTo end: UInt8) -> ArraySlice<UInt8>? {
    guard let index = rest.firstIndex(of: end) else { return nil }
    let taken = bytes[handled..<index]
    handled = index + 1
    return taken
  }
}
