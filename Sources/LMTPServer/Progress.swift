// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Decides, between a thread that works on a delivery and the event loop that may not wait for it any longer, which of
/// the two has the last word. No file appears after a reply that says it did not.
final class Progress: Sendable {
  private enum Stage {
    static let working = 0
    /// The message may be in its mailbox, so the thread's verdict must be awaited.
    static let publishing = 1
    static let givenUp = 2
  }

  private let stage = Atomic<Int>(Stage.working)

  /// A delivery begins. No thread is working.
  func begin() { stage.store(Stage.working, ordering: .sequentiallyConsistent) }

  /// Asked before the message is published: whether that may still be done.
  func mayPublish() -> Bool { change(to: Stage.publishing) }

  /// Gives up what a thread is working on; false if it publishes already.
  func giveUp() -> Bool { change(to: Stage.givenUp) }

  var isGivenUp: Bool { stage.load(ordering: .sequentiallyConsistent) == Stage.givenUp }

  private func change(to new: Int) -> Bool {
    let (_, old) = stage.compareExchange(expected: Stage.working, desired: new, ordering: .sequentiallyConsistent)
    return old == Stage.working || old == new
  }
}
