// SPDX-License-Identifier: Apache-2.0

/// A value that is sent between the tool and its worker processes, which run the same program.
///
/// Written by hand: Foundation's coders take some 75 µs to encode and decode a task and its report (JSON; property
/// lists more), where a whole mailbox of an audit takes 13.
protocol WireValue {
  func write(to wire: inout WireWriter)
  init(from wire: inout WireReader)
}

/// Writes values as bytes; `WireReader` reads them.
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

  mutating func value<V: WireValue>(_ type: V.Type = V.self) -> V { V(from: &self) }

  mutating func optional<V: WireValue>(_ type: V.Type = V.self) -> V? { flag() ? value() : nil }

  mutating func values<V: WireValue>(_ type: V.Type = V.self) -> [V] { (0..<int()).map { _ in value() } }
}

extension String: WireValue {
  func write(to wire: inout WireWriter) { wire.write(Array(utf8)) }
  init(from wire: inout WireReader) { self.init(decoding: wire.text(), as: UTF8.self) }
}

extension WireValue where Self: RawRepresentable, RawValue == String {
  func write(to wire: inout WireWriter) { wire.write(rawValue) }

  init(from wire: inout WireReader) {
    guard let value = Self(rawValue: wire.value()) else { preconditionFailure("an unknown value on the wire") }
    self = value
  }
}
