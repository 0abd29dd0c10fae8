// SPDX-License-Identifier: Apache-2.0
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Posix

/// Lock waits in any thread. No signal is needed to end them.
struct LocksTests {
  /// The two kinds of lock.
  enum Kind: CaseIterable, Sendable {
    case flock, openFileDescription

    func lock(_ file: borrowing File, until deadline: Deadline) throws(SystemError) {
      switch self {
      case .flock: try file.flockExclusive(until: deadline)
      case .openFileDescription: try file.ofdLockExclusive(until: deadline)
      }
    }
  }

  private let sandbox: Sandbox
  private let path: Path

  init() throws {
    sandbox = try Sandbox()
    try sandbox.write("lock", "")
    path = try #require(Path(sandbox("lock").utf8))
  }

  /// Runs `body` in a thread of its own and returns what it throws.
  private func errorInThread(_ body: @escaping @Sendable () throws -> Void) -> (any Error)? {
    let result = Mutex<(any Error)?>(nil)
    let done = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      do { try body() } catch { result.withLock { $0 = error } }
      done.signal()
    }
    done.wait()
    return result.withLock { $0 }
  }

  @Test("A second thread that waits for a lock gives up at its deadline", arguments: Kind.allCases)
  func deadline(kind: Kind) throws {
    let holder = try File(open: path, .readWrite)
    try kind.lock(holder, until: .never)
    let error = errorInThread { [path] in
      try kind.lock(try File(open: path, .readWrite), until: Deadline(secondsFromNow: 1))
    }
    #expect((error as? SystemError)?.number == ETIMEDOUT)
  }

  @Test("A second thread that waits for a lock gets it when it is released", arguments: Kind.allCases)
  func released(kind: Kind) throws {
    let held = DispatchSemaphore(value: 0)
    let tried = DispatchSemaphore(value: 0)
    let owner = Mutex(0)
    Thread.detachNewThread { [path] in
      do {
        let holder = try File(open: path, .readWrite)
        try kind.lock(holder, until: .never)
        owner.withLock { $0 = 1 }
        held.signal()
        tried.wait()
        owner.withLock { $0 = 0 }
      } catch { Issue.record(error) }
      // The end of the scope closes the file, which releases the lock.
    }
    held.wait()
    let error = errorInThread { [path] in
      let file = try File(open: path, .readWrite)
      // A deadline that has passed allows one attempt.
      #expect(throws: SystemError.self) { try kind.lock(file, until: Deadline(secondsFromNow: 0)) }
      tried.signal()
      try kind.lock(file, until: Deadline(secondsFromNow: 60))
      #expect(owner.withLock { $0 } == 0)
    }
    #expect(error == nil)
  }

  @Test("Of many threads each gets the lock once, and never two at a time", arguments: Kind.allCases)
  func exclusion(kind: Kind) throws {
    let inside = Mutex((now: 0, most: 0, total: 0))
    let done = DispatchGroup()
    for _ in 0..<16 {
      done.enter()
      Thread.detachNewThread { [path] in
        defer { done.leave() }
        do {
          let file = try File(open: path, .readWrite)
          try kind.lock(file, until: Deadline(secondsFromNow: 60))
          inside.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1), $0.total + 1) }
          inside.withLock { $0.now -= 1 }
        } catch { Issue.record(error) }
      }
    }
    done.wait()
    #expect(inside.withLock { $0.most } == 1 && inside.withLock { $0.total } == 16)
  }
}
