// SPDX-License-Identifier: Apache-2.0
package import Posix

/// A message with `Delivered-To:` added to it.
package struct HeadedSource<Source: MessageSource & ~Copyable>: MessageSource, ~Copyable {
  private var source: Source
  /// Until the header has been inserted.
  private var insertion: DeliveredToHeader.Insertion?
  /// The start of the message with the header, from `offset` on to be read.
  private var start: [UInt8] = []
  private var offset = 0

  /// - Parameters:
  ///   - source: of which nothing has been read.
  ///   - header: nil for the message as it is.
  package init(_ source: consuming Source, adding header: DeliveredToHeader?) {
    self.source = source
    insertion = header.map { DeliveredToHeader.Insertion($0) }
  }

  package mutating func read(
    into buffer: inout MutableSpan<UInt8>, until deadline: Deadline
  ) throws(DeliveryError) -> Int {
    if insertion != nil { try readStart(until: deadline) }
    guard offset < start.count else { return try source.read(into: &buffer, until: deadline) }
    let count = min(buffer.count, start.count - offset)
    for index in 0..<count { buffer[index] = start[offset + index] }
    offset += count
    return count
  }

  private mutating func readStart(until deadline: Deadline) throws(DeliveryError) {
    // pipe(8) writes blocks of this size.
    var block = [UInt8](repeating: 0, count: 4096)
    while insertion != nil {
      var span = block.mutableSpan
      let count = try source.read(into: &span, until: deadline)
      guard let start = insertion?.take(block[..<count], isLast: count == 0) else { continue }
      self.start = start
      insertion = nil
    }
  }

  package func confirmEnd() throws(DeliveryError) { try source.confirmEnd() }
}
