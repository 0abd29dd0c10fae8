// SPDX-License-Identifier: Apache-2.0
package import Posix

/// An incoming message.
///
/// The source can tell a complete message from a truncated one: for pipe(8), by whether it is still alive.
package protocol MessageSource: ~Copyable {
  /// Reads at most `buffer.count` bytes; 0 means end of input.
  mutating func read(into buffer: inout MutableSpan<UInt8>, until deadline: Deadline) throws(DeliveryError) -> Int

  /// Throws `inputCut` if the input may have ended before the message did.
  func confirmEnd() throws(DeliveryError)
}
