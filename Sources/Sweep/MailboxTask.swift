// SPDX-License-Identifier: Apache-2.0
package import Posix
package import Quota

/// One Maildir, and the work to do on it.
package struct MailboxTask: Sendable, Equatable {
  /// What is done with a Maildir beside the look at its ledger and permissions.
  package struct Work: OptionSet, Sendable {
    package let rawValue: Int64
    package init(rawValue: Int64) { self.rawValue = rawValue }
    /// Compares the ledger with the messages, instead of only reading it.
    package static let count = Work(rawValue: 1)
    /// Repairs the ledger. Without this option, it is not written to.
    package static let repair = Work(rawValue: 2)
    /// Replaces a wrong ledger even though the mailbox may be in use.
    package static let force = Work(rawValue: 4)
    /// Compares the sizes in names with the files.
    package static let checkSizes = Work(rawValue: 8)
    /// Removes stale files in `tmp/`.
    package static let cleanTmp = Work(rawValue: 16)
    /// Counts even without `count` if the ledger looks suspicious.
    package static let countIfOdd = Work(rawValue: 32)
    /// With `repair`: also corrects the limit in another program's ledger that is less than an hour old.
    package static let limitAtOnce = Work(rawValue: 64)
    /// Syncs the file system of the Maildir, unless it is one of `synchronized`.
    package static let synchronize = Work(rawValue: 128)
  }

  package let base: Path
  /// The directories below the base; none for a mailbox without a usable path.
  package let components: [Path]
  /// Nil for the one in the ledger.
  package let limit: QuotaLimit?
  package internal(set) var work: Work
  /// Counts if the mailbox was changed at this time or later (seconds since 1970); nil for no such reason.
  package internal(set) var suspectTime: Int64?
  /// The file systems that this run has synced.
  package internal(set) var synchronized: [UInt64] = []

  package init(base: Path, components: [Path], limit: QuotaLimit?, work: Work = [], suspectTime: Int64? = nil) {
    self.base = base
    self.components = components
    self.limit = limit
    self.work = work
    self.suspectTime = suspectTime
  }

  /// The Maildir itself.
  package var maildir: Path { components.reduce(base) { $0.appending($1) } }

  /// The path below the base, with a slash at its end; empty without one.
  package var directory: [UInt8] { components.flatMap { $0.bytes + [UInt8(ascii: "/")] } }
}
