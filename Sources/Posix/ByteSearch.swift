// SPDX-License-Identifier: Apache-2.0
import CPosix

/// The index of the first `byte` in `bytes` from `start` on, nil if there is none (memchr(3)).
package func firstIndex(of byte: UInt8, in bytes: Span<UInt8>, from start: Int) -> Int? {
  unsafe bytes.withUnsafeBytes { buffer in
    guard start < buffer.count, let first = buffer.baseAddress,
      let found = unsafe memchr(first + start, Int32(byte), buffer.count - start)
    else { return nil }
    return unsafe UnsafeRawPointer(found) - first
  }
}
