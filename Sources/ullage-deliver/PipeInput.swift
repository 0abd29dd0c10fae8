// SPDX-License-Identifier: Apache-2.0
import Delivery
import Posix

/// The message that pipe(8) writes to our standard input, and a check that pipe(8) itself is alive.
///
/// If pipe(8) dies in mid-message, that looks like the end of the message. The kernel closes a dying
/// process's pipes before it reparents its children, so getppid(2) does not show the death at the end of input.
struct PipeInput: MessageSource, ~Copyable {
  /// A regular file has a definite end, so there is no writer to watch.
  private let isRegularFile: Bool
  /// Something has arrived.
  private var hasBegun = false

  init() {
    ParentProcess.find()
    isRegularFile = StandardStream.inputIsRegularFile
  }

  mutating func read(into buffer: inout MutableSpan<UInt8>, until deadline: Deadline) throws(DeliveryError) -> Int {
    let count: Int
    do {
      // If input arrives byte by byte, read(2) never waits long enough to be interrupted.
      try deadline.check()
      count = try StandardStream.read(into: &buffer, until: deadline)
    } catch { throw .input(error) }
    guard count > 0 || hasBegun else { throw .emptyInput }
    hasBegun = true
    return count
  }

  func confirmEnd() throws(DeliveryError) {
    guard isRegularFile || ParentProcess.current.isAlive else { throw .inputCut }
  }
}
