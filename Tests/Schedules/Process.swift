// SPDX-License-Identifier: Apache-2.0

/// What a process does next, and what it remembers. A step is one system call, or several of which no other process can
/// see the difference.
package protocol Process: Hashable {
  /// The number of the process, by which it holds locks, and the bit of its message.
  var number: World.Holder { get }
  var isDone: Bool { get }
  /// The next step, for people.
  var name: String { get }

  /// Gives the files that it has open new numbers.
  mutating func renumber(_ files: inout FileNumbers)

  /// Takes the next step; false, with nothing changed, if it must wait for a lock.
  mutating func step(_ world: inout World) -> Bool
}

/// One value to hash instead of four.
func bytes(_ first: UInt8, _ second: UInt8, _ third: UInt8, _ fourth: UInt8) -> UInt32 {
  UInt32(first) | UInt32(second) << 8 | UInt32(third) << 16 | UInt32(fourth) << 24
}

extension Process {
  package var bit: UInt16 { 1 << UInt16(8 + number) }
}

/// Mistakes that the schedules must find.
package struct Mistakes: OptionSet, Hashable, Sendable {
  package let rawValue: UInt16
  package init(rawValue: UInt16) { self.rawValue = rawValue }

  /// The Maildir is not locked.
  package static let noLock = Mistakes(rawValue: 1)
  /// The entry is written when the message is in `new/` already.
  package static let entryAfterMessage = Mistakes(rawValue: 2)
  /// Nobody looks, after publishing, whether the ledger still has its name.
  package static let noSecondLook = Mistakes(rawValue: 4)
  /// Lines that arrive in a replaced file are not carried over.
  package static let noCarryOver = Mistakes(rawValue: 8)
  /// They are carried over when the file is replaced, but not again when the delivery ends.
  package static let noLateCarryOver = Mistakes(rawValue: 1024)
  /// A sum stays in the place of a ledger that another program has just written.
  package static let sumInPlaceOfOther = Mistakes(rawValue: 16)
  /// A sum is put in the place of a ledger that has just been removed.
  package static let sumInPlaceOfNothing = Mistakes(rawValue: 512)
  /// A refusal rests on a total that nobody has counted.
  package static let noRecount = Mistakes(rawValue: 32)
  /// Directories that changed since they were counted are not counted again under the lock.
  package static let noConfirmation = Mistakes(rawValue: 64)
  /// Nobody looks, after a count was written, for messages that have come meanwhile.
  package static let noThirdLook = Mistakes(rawValue: 256)
  /// That look misses what is as large as what another program has removed.
  package static let looksForGainOnly = Mistakes(rawValue: 2048)
  /// After a failed sync the entry is cancelled although another program has moved the message.
  package static let retractsAlways = Mistakes(rawValue: 128)
}
