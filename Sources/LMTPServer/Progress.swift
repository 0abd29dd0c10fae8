// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Decides, between a thread that works on a request and the event loop that may not wait for it any longer, which of
/// the two has the last word. There is one line in the log for each reply, and no file appears after a reply that says
/// it did not.
final class Progress: Sendable {
  private enum Stage {
    static let working = 0
    /// The message may be in its mailbox, or its verdict in the log, so the thread must be awaited.
    static let concluding = 1
    static let givenUp = 2
  }

  private let stage = Atomic<Int>(Stage.working)

  /// Work begins. No thread is working.
  func begin() { stage.store(Stage.working, ordering: .sequentiallyConsistent) }

  /// Asked before the message is published or a verdict logged: whether that may still be done.
  func mayConclude() -> Bool { change(to: Stage.concluding) }

  /// Gives up what a thread is working on; false if it concludes already.
  func giveUp() -> Bool { change(to: Stage.givenUp) }

  var isGivenUp: Bool { stage.load(ordering: .sequentiallyConsistent) == Stage.givenUp }

  private func change(to new: Int) -> Bool {
    let (_, old) = stage.compareExchange(expected: Stage.working, desired: new, ordering: .sequentiallyConsistent)
    return old == Stage.working || old == new
  }
}
