// SPDX-License-Identifier: Apache-2.0
import Posix

/// A value that is sent between the tool and its worker processes, which run the same program.
protocol WireValue {
  func write(to wire: inout WireWriter)
  init(from wire: inout WireReader)
}

struct WireWriter {
  private(set) var bytes: [UInt8] = []

  mutating func write(_ number: Int64) {
    for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: number >> Int64(shift))) }
  }

  mutating func write(_ number: Int) { write(Int64(number)) }

  mutating func write(_ flag: Bool) { bytes.append(flag ? 1 : 0) }

  mutating func write(_ text: some Collection<UInt8>) {
    write(text.count)
    bytes += text
  }

  mutating func write(_ text: String) { write(Array(text.utf8)) }

  mutating func write<V: WireValue>(_ value: V) { value.write(to: &self) }

  mutating func write<V: WireValue>(_ value: V?) {
    write(value != nil)
    if let value { write(value) }
  }

  mutating func write<V: WireValue>(_ values: [V]) {
    write(values.count)
    for value in values { write(value) }
  }
}

/// Reads what `WireWriter` wrote; anything else is a bug and ends the process.
struct WireReader {
  private let bytes: [UInt8]
  private var next = 0

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  mutating func number() -> Int64 {
    var number: Int64 = 0
    for index in 0..<8 { number |= Int64(bytes[next + index]) << Int64(index * 8) }
    next += 8
    return number
  }

  mutating func int() -> Int { Int(number()) }

  mutating func flag() -> Bool {
    next += 1
    return bytes[next - 1] == 1
  }

  mutating func text() -> [UInt8] {
    let count = int()
    next += count
    return Array(bytes[next - count..<next])
  }

  mutating func string() -> String { String(decoding: text(), as: UTF8.self) }

  mutating func value<V: WireValue>(_ type: V.Type = V.self) -> V { V(from: &self) }

  mutating func optional<V: WireValue>(_ type: V.Type = V.self) -> V? { flag() ? value() : nil }

  mutating func values<V: WireValue>(_ type: V.Type = V.self) -> [V] { (0..<int()).map { _ in value() } }
}

extension String: WireValue {
  func write(to wire: inout WireWriter) { wire.write(self) }
  init(from wire: inout WireReader) { self = wire.string() }
}

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
