// SPDX-License-Identifier: Apache-2.0
import Delivery
import Posix

/// The message that pipe(8) writes to our standard input, and a check that pipe(8) itself is alive.
///
/// If pipe(8) dies in mid-message, that looks like the end of the message. The kernel closes a dying
/// process's pipes before it reparents its children, so the death does not show at end of input. It does
/// show after the message's fsync, milliseconds later.
struct PipeInput: MessageSource, ~Copyable {
  /// A regular file has a definite end, so there is no writer to watch.
  private let isRegularFile: Bool
  /// To be inserted, until the start of the message has been read.
  private var header: DeliveredToHeader?
  /// The start of the message with the header, from `offset` on to be read.
  private var start: [UInt8] = []
  private var offset = 0

  init() {
    ParentProcess.find()
    isRegularFile = StandardStream.inputIsRegularFile
  }

  /// Adds a header to the message, before anything of it has been read.
  mutating func insert(_ header: DeliveredToHeader) { self.header = header }

  mutating func read(into buffer: inout MutableSpan<UInt8>, until deadline: Deadline) throws(DeliveryError) -> Int {
    if let header {
      self.header = nil
      start = try readStart(adding: header, until: deadline)
    }
    guard offset < start.count else { return try readInput(into: &buffer, until: deadline) }
    let count = min(buffer.count, start.count - offset)
    for index in 0..<count { buffer[index] = start[offset + index] }
    offset += count
    return count
  }

  /// The first block of the message, with `header`. pipe(8) writes blocks of this size.
  private func readStart(
    adding header: DeliveredToHeader, until deadline: Deadline
  ) throws(DeliveryError) -> [UInt8] {
    var insertion = DeliveredToHeader.Insertion(header)
    var isEmpty = true
    var block = [UInt8](repeating: 0, count: 4096)
    while true {
      var span = block.mutableSpan
      let count = try readInput(into: &span, until: deadline)
      // A header alone is no message.
      if count == 0 && isEmpty { return [] }
      isEmpty = false
      if let start = insertion.take(block[..<count], isLast: count == 0) { return start }
    }
  }

  private func readInput(
    into buffer: inout MutableSpan<UInt8>, until deadline: Deadline
  ) throws(DeliveryError) -> Int {
    do {
      // If input arrives byte by byte, read(2) never waits long enough to be interrupted.
      try deadline.check()
      return try StandardStream.read(into: &buffer, until: deadline)
    } catch { throw .input(error) }
  }

  func confirmEnd() throws(DeliveryError) {
    guard isRegularFile || ParentProcess.current.isAlive else { throw .inputCut }
  }
}
