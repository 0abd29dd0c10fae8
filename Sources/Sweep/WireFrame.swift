// SPDX-License-Identifier: Apache-2.0
import Posix

/// A frame: its length in eight bytes, then that many bytes.
enum WireFrame {
  /// Bytes.
  private static let largest = 1 << 28

  static func send(_ bytes: [UInt8], to file: borrowing File) throws(SystemError) {
    var wire = WireWriter()
    wire.write(bytes)
    try file.write(wire.bytes.span)
  }

  /// Nil at the end of the input, also if that is in the middle of a frame.
  static func receive(from file: borrowing File) throws(SystemError) -> [UInt8]? {
    guard let head = try read(8, from: file) else { return nil }
    var reader = WireReader(head)
    let length = reader.int()
    // A library in the process may have written to the pipe, which is unusable from here on.
    guard (0...largest).contains(length) else { return nil }
    return try read(length, from: file)
  }

  private static func read(_ count: Int, from file: borrowing File) throws(SystemError) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let length = try file.read(into: &bytes, from: done)
      guard length > 0 else { return nil }
      done += length
    }
    return bytes
  }
}
