// SPDX-License-Identifier: Apache-2.0
package import Posix

/// A message on its way in.
///
/// The source knows how to tell a complete message from a cut one: behind pipe(8), by whether its parent is still alive.
package protocol MessageSource: ~Copyable {
  /// Reads at most `buffer.count` bytes; 0 is the end.
  mutating func read(into buffer: inout MutableSpan<UInt8>, until deadline: Deadline) throws(DeliveryError) -> Int

  /// Throws `inputCut` when the end that was read may not be the message's own.
  func confirmEnd() throws(DeliveryError)
}
