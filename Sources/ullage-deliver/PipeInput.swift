// SPDX-License-Identifier: Apache-2.0
import Delivery
import Posix

/// The message that pipe(8) writes to our standard input, and a watch on pipe(8) itself.
///
/// A pipe(8) that dies in mid-message looks like the end of the message. The kernel closes a dying process's pipes
/// before it gives its children another parent, so at the end of input itself nothing shows; after the message's
/// fsync, milliseconds later, it does.
struct PipeInput: MessageSource, ~Copyable {
  /// A file ends where it ends; nobody has to live for it.
  private let isRegularFile: Bool
  private let parent: ParentProcess

  init() {
    parent = ParentProcess()
    isRegularFile = StandardStream.inputIsRegularFile
  }

  func read(into buffer: inout MutableSpan<UInt8>, until deadline: Deadline) throws(DeliveryError) -> Int {
    do {
      // Input that trickles in never lets us wait long enough to be interrupted.
      try deadline.check()
      return try StandardStream.read(into: &buffer, until: deadline)
    } catch { throw .input(error) }
  }

  func confirmEnd() throws(DeliveryError) {
    guard isRegularFile || parent.isAlive else { throw .inputCut }
  }
}
