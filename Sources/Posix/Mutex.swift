// SPDX-License-Identifier: Apache-2.0
#if hasFeature(Embedded)
  /// A value in place of one that a lock guards: Embedded Swift has no `Synchronization.Mutex` for Linux, and the one
  /// program that is compiled so, `ullage-deliver`, has one thread. The manifest offers no other in that mode.
  package struct Mutex<Value>: ~Copyable, @unchecked Sendable {
    private let cell: Cell

    /// The value outlives calls on a `let`, as it does in a lock.
    private final class Cell {
      var value: Value
      init(_ value: Value) { self.value = value }
    }

    package init(_ value: Value) { cell = Cell(value) }

    package borrowing func withLock<Result, Failure>(
      _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
      try body(&cell.value)
    }
  }
#endif
