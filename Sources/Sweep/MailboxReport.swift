// SPDX-License-Identifier: Apache-2.0
package import Maildir
package import Quota

/// The result of a task.
package struct MailboxReport: Sendable, Equatable {
  /// How far the work on a mailbox came.
  package enum State: Sendable, Equatable {
    case examined
    /// There is no Maildir.
    case absent
    /// Mail cannot be delivered to it; a sentence.
    case broken(String)
    /// It belongs to this user, and we may not work on it.
    case foreign(UInt32)
    /// It could not be examined; a sentence.
    case failed(String)
  }

  package var state: State
  /// The ledger and the permissions were inspected, whatever happened afterwards.
  package var isInspected = false
  /// According to the ledger, nil if that is unusable.
  package var usage: QuotaUsage?
  /// In the ledger's first line.
  package var headerLimit: QuotaLimit?
  package var fault: LedgerFault?
  /// The ledger was made by Ullage.
  package var isOurs = false
  /// The mailbox was changed at `MailboxTask.suspectTime` or later.
  package var isSuspect = false
  /// The file system of the Maildir has been synced, if the task wanted that.
  package var isSynchronized = true
  /// The file system that was synced for this task; nil if none was.
  package var synchronizedDevice: UInt64?
  /// Seconds since 1970, nil without a ledger.
  package var ledgerModified: Int64?
  package var rightsFaults: [RightsFault] = []
  /// The Maildir itself contains a file `maildirfolder`.
  package var hasFolderMark = false
  /// The number of files in `tmp/` that are older than 36 hours, and their bytes.
  package var staleFiles = 0
  package var staleBytes: Int64 = 0
  /// How many of them were removed.
  package var removedFiles = 0
  /// Nil if the messages were not counted.
  package var repair: RepairResult?
  /// Folders that could not be read, and so were not counted.
  package var unreadable: [String] = []
  /// Folders that are symlinks, and so were not counted.
  package var linked: [String] = []
  /// The number of messages whose names give a wrong size, and one of them.
  package var wrongSizes = 0
  package var wrongSizeExample = ""

  package init(_ state: State) {
    self.state = state
  }

  /// What the ledger says after the work, or what was counted where it is unusable; nil if neither is known.
  package var knownUsage: QuotaUsage? { repair?.after ?? usage ?? repair?.counted }

  /// Something was left out: a folder that could not be read, or whatever an error prevented.
  package var isIncomplete: Bool { !unreadable.isEmpty || repair != nil && state != .examined }
}
