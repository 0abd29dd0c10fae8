// SPDX-License-Identifier: Apache-2.0
import CPosix

/// The names in a directory, read with as few getdents64(2) calls as possible.
///
/// One call returns a snapshot even while another program renames files: it holds the directory's lock. So
/// the buffer grows until the whole listing fits, up to 8 MiB. One value can list many directories.
package struct DirectoryListing: ~Copyable {
  private var buffer = [UInt8](repeating: 0, count: 32 << 10)
  private static let largest = 8 << 20
  /// A header of 19 bytes, a name of 255 and its NUL, rounded up to a multiple of 8 (getdents64(2)).
  private static let longestEntry = 280

  package init() {}

  /// Calls `body` with the name and kind of each entry of `directory`, except `.` and `..`.
  ///
  /// - Parameter size: `st_size` of the directory, a hint for the initial buffer size.
  package mutating func forEach(
    in directory: borrowing File, size: Int64, _ body: (Span<UInt8>, FileKind) throws(SystemError) -> Void
  ) throws(SystemError) {
    grow(to: Int(clamping: size) > Self.largest / 2 ? Self.largest : Int(size) * 2)
    while true {
      let length = try fill(directory, from: 0)
      let more = buffer.count - length >= Self.longestEntry ? try fill(directory, from: length) : 1
      if more == 0 {
        return try visit(length, body)
      }
      if buffer.count < Self.largest {
        grow(to: buffer.count * 4)
        try directory.rewind()
        continue
      }
      try visit(length + (buffer.count - length >= Self.longestEntry ? more : 0), body)
      while case let next = try fill(directory, from: 0), next > 0 { try visit(next, body) }
      return
    }
  }

  private mutating func grow(to size: Int) {
    let size = min(size, Self.largest)
    if size > buffer.count { buffer = [UInt8](repeating: 0, count: size) }
  }

  private mutating func fill(_ directory: borrowing File, from offset: Int) throws(SystemError) -> Int {
    let descriptor = directory.descriptor
    var span = buffer.mutableSpan
    return try unsafe span.withUnsafeMutableBytes { bytes throws(SystemError) in
      try systemCall(.getdents64) {
        unsafe getdents64(descriptor, bytes.baseAddress?.advanced(by: offset), bytes.count - offset)
      }
    }
  }

  /// `struct linux_dirent64`: inode (8 bytes), offset (8), record length (2), type (1), name with NUL.
  private func visit(
    _ length: Int, _ body: (Span<UInt8>, FileKind) throws(SystemError) -> Void
  ) throws(SystemError) {
    let bytes = buffer.span
    var start = 0
    while start + 19 <= length {
      let next = start + (Int(bytes[start + 16]) | Int(bytes[start + 17]) << 8)
      var end = start + 19
      while bytes[end] != 0 { end += 1 }
      let name = bytes.extracting(start + 19..<end)
      if !Self.isDotOrDotDot(name) { try body(name, FileKind(entryType: bytes[start + 18])) }
      start = next
    }
  }

  private static func isDotOrDotDot(_ name: Span<UInt8>) -> Bool {
    guard name[0] == UInt8(ascii: ".") else { return false }
    return name.count == 1 || name.count == 2 && name[1] == UInt8(ascii: ".")
  }
}
