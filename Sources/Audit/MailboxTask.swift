// SPDX-License-Identifier: Apache-2.0
package import Maildir
package import Posix
package import Quota
import Text

/// One Maildir, and the work to do on it.
package struct MailboxTask: Sendable, Equatable {
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
  }

  package let base: Path
  /// The directories below the base.
  package let components: [Path]
  /// Nil for the one in the ledger.
  package let limit: QuotaLimit?
  package var work: Work

  package init(base: Path, components: [Path], limit: QuotaLimit?, work: Work) {
    self.base = base
    self.components = components
    self.limit = limit
    self.work = work
  }
}

/// The result of a task.
package struct MailboxReport: Sendable {
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
  /// Seconds since 1970, nil without a ledger.
  package var ledgerModified: Int64?
  /// Sentences about wrong owners and modes.
  package var wrongRights: [String] = []
  package var hasFolderMark = false
  package var staleFiles = 0
  package var staleBytes: Int64 = 0
  package var removedFiles = 0
  /// Nil if the messages were not counted.
  package var repair: RepairResult?
  /// Folders that could not be read, and so were not counted.
  package var unreadable: [String] = []
  /// The number of messages whose names give a wrong size, and one of them.
  package var wrongSizes = 0
  package var wrongSizeExample = ""

  package init(_ state: State) {
    self.state = state
  }
}

extension MailboxTask: WireValue {
  func write(to wire: inout WireWriter) {
    wire.write(base.bytes)
    wire.write(components)
    wire.write(limit)
    wire.write(work.rawValue)
  }

  init(from wire: inout WireReader) {
    base = wire.value()
    components = wire.values()
    limit = wire.optional()
    work = Work(rawValue: wire.number())
  }
}

extension MailboxReport: WireValue {
  func write(to wire: inout WireWriter) {
    wire.write(state)
    wire.write(isInspected)
    wire.write(usage)
    wire.write(headerLimit)
    wire.write(fault?.rawValue)
    wire.write(isOurs)
    wire.write(ledgerModified ?? -1)
    wire.write(wrongRights)
    wire.write(hasFolderMark)
    wire.write(staleFiles)
    wire.write(staleBytes)
    wire.write(removedFiles)
    wire.write(repair)
    wire.write(unreadable)
    wire.write(wrongSizes)
    wire.write(wrongSizeExample)
  }

  init(from wire: inout WireReader) {
    state = wire.value()
    isInspected = wire.flag()
    usage = wire.optional()
    headerLimit = wire.optional()
    fault = wire.optional(String.self).flatMap { LedgerFault(rawValue: $0) }
    isOurs = wire.flag()
    let modified = wire.number()
    ledgerModified = modified < 0 ? nil : modified
    wrongRights = wire.values()
    hasFolderMark = wire.flag()
    staleFiles = wire.int()
    staleBytes = wire.number()
    removedFiles = wire.int()
    repair = wire.optional()
    unreadable = wire.values()
    wrongSizes = wire.int()
    wrongSizeExample = wire.string()
  }
}

extension MailboxReport.State: WireValue {
  func write(to wire: inout WireWriter) {
    switch self {
    case .examined: wire.write(0)
    case .absent: wire.write(1)
    case .broken(let text):
      wire.write(2)
      wire.write(text)
    case .foreign(let user):
      wire.write(3)
      wire.write(Int64(user))
    case .failed(let text):
      wire.write(4)
      wire.write(text)
    }
  }

  init(from wire: inout WireReader) {
    switch wire.int() {
    case 0: self = .examined
    case 1: self = .absent
    case 2: self = .broken(wire.string())
    case 3: self = .foreign(UInt32(wire.number()))
    default: self = .failed(wire.string())
    }
  }
}

extension Path: WireValue {
  func write(to wire: inout WireWriter) { wire.write(bytes) }

  init(from wire: inout WireReader) {
    guard let path = Path(wire.text()) else { preconditionFailure("NUL in a path on the wire") }
    self = path
  }
}

extension QuotaLimit: WireValue {
  func write(to wire: inout WireWriter) {
    wire.write(bytes)
    wire.write(messages)
  }

  init(from wire: inout WireReader) {
    let bytes = wire.number()
    self.init(bytes: bytes, messages: wire.number())
  }
}

extension QuotaUsage: WireValue {
  func write(to wire: inout WireWriter) {
    wire.write(bytes)
    wire.write(messages)
  }

  init(from wire: inout WireReader) {
    let bytes = wire.number()
    self.init(bytes: bytes, messages: wire.number())
  }
}
