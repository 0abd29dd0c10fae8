// SPDX-License-Identifier: Apache-2.0
import Maildir
import Posix
import Quota

/// What a worker process is told first.
struct WorkerSetup: WireValue, Equatable {
  /// The user and the group that it switches to; nil to keep its own.
  let owner: Credentials?
  let rule: CountingRule

  init(owner: Credentials?, rule: CountingRule) {
    self.owner = owner
    self.rule = rule
  }

  func write(to wire: inout WireWriter) {
    wire.write(owner)
    wire.write(rule.profile)
    wire.write(rule.uncountedFolders.count)
    for folder in rule.uncountedFolders { wire.write(folder) }
    wire.write(rule.leavesOutSubfolders)
    wire.write(rule.inboxOnly)
  }

  init(from wire: inout WireReader) {
    owner = wire.optional()
    let profile = wire.value(CountingProfile.self)
    let folders = (0..<wire.int()).map { _ in wire.text() }
    let leavesOutSubfolders = wire.flag()
    rule = CountingRule(
      profile: profile, uncountedFolders: folders, leavesOutSubfolders: leavesOutSubfolders, inboxOnly: wire.flag())
  }
}

extension MailboxTask: WireValue {
  func write(to wire: inout WireWriter) {
    wire.write(base)
    wire.write(components)
    wire.write(limit)
    wire.write(work.rawValue)
    wire.write(suspectTime != nil)
    wire.write(suspectTime ?? 0)
    wire.write(synchronized.count)
    for device in synchronized { wire.write(Int64(bitPattern: device)) }
  }

  init(from wire: inout WireReader) {
    base = wire.value()
    components = wire.values()
    limit = wire.optional()
    work = Work(rawValue: wire.number())
    let isSuspect = wire.flag()
    let time = wire.number()
    suspectTime = isSuspect ? time : nil
    synchronized = (0..<wire.int()).map { _ in UInt64(bitPattern: wire.number()) }
  }
}

extension MailboxReport: WireValue {
  func write(to wire: inout WireWriter) {
    wire.write(state)
    wire.write(isInspected)
    wire.write(usage)
    wire.write(headerLimit)
    wire.write(fault)
    wire.write(isOurs)
    wire.write(isSuspect)
    wire.write(isSynchronized)
    wire.write(synchronizedDevice != nil)
    wire.write(Int64(bitPattern: synchronizedDevice ?? 0))
    wire.write(ledgerModified ?? -1)
    wire.write(rightsFaults)
    wire.write(hasFolderMark)
    wire.write(staleFiles)
    wire.write(staleBytes)
    wire.write(removedFiles)
    wire.write(repair)
    wire.write(unreadable)
    wire.write(linked)
    wire.write(wrongSizes)
    wire.write(wrongSizeExample)
  }

  init(from wire: inout WireReader) {
    state = wire.value()
    isInspected = wire.flag()
    usage = wire.optional()
    headerLimit = wire.optional()
    fault = wire.optional()
    isOurs = wire.flag()
    isSuspect = wire.flag()
    isSynchronized = wire.flag()
    let hasDevice = wire.flag()
    let device = UInt64(bitPattern: wire.number())
    synchronizedDevice = hasDevice ? device : nil
    let modified = wire.number()
    ledgerModified = modified < 0 ? nil : modified
    rightsFaults = wire.values()
    hasFolderMark = wire.flag()
    staleFiles = wire.int()
    staleBytes = wire.number()
    removedFiles = wire.int()
    repair = wire.optional()
    unreadable = wire.values()
    linked = wire.values()
    wrongSizes = wire.int()
    wrongSizeExample = wire.value()
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
    case 2: self = .broken(wire.value())
    case 3: self = .foreign(UInt32(wire.number()))
    default: self = .failed(wire.value())
    }
  }
}

extension RightsFault: WireValue {
  func write(to wire: inout WireWriter) {
    wire.write(part)
    let (kind, first, second): (Int, UInt32, UInt32) =
      switch problem {
      case .writableByAll(let mode): (0, mode, 0)
      case .closedToOwner(let mode): (1, mode, 0)
      case .foreign(let owner, let expected): (2, owner, expected)
      }
    wire.write(kind)
    wire.write(Int64(first))
    wire.write(Int64(second))
  }

  init(from wire: inout WireReader) {
    let part = wire.value(Part.self)
    let kind = wire.int()
    let (first, second) = (UInt32(wire.number()), UInt32(wire.number()))
    switch kind {
    case 0: self.init(part, .writableByAll(mode: first))
    case 1: self.init(part, .closedToOwner(mode: first))
    default: self.init(part, .foreign(owner: first, expected: second))
    }
  }
}

extension RepairResult: WireValue {
  func write(to wire: inout WireWriter) {
    wire.write(before)
    wire.write(fault)
    wire.write(counted)
    wire.write(after)
    wire.write(action)
    wire.write(cause)
  }

  init(from wire: inout WireReader) {
    let before = wire.optional(QuotaUsage.self)
    let fault = wire.optional(LedgerFault.self)
    let counted = wire.value(QuotaUsage.self)
    let after = wire.optional(QuotaUsage.self)
    let action = wire.value(Action.self)
    self.init(before: before, fault: fault, counted: counted, after: after, action: action, cause: wire.optional())
  }
}

extension DriftCause: WireValue {
  func write(to wire: inout WireWriter) {
    switch self {
    case .unknown: wire.write(0)
    case .trashedMessages: wire.write(1)
    case .trash: wire.write(2)
    case .replaced: wire.write(3)
    case .profile(let profile):
      wire.write(4)
      wire.write(profile)
    case .damaged(let fault):
      wire.write(5)
      wire.write(fault)
    case .unsized: wire.write(6)
    }
  }

  init(from wire: inout WireReader) {
    switch wire.int() {
    case 1: self = .trashedMessages
    case 2: self = .trash
    case 3: self = .replaced
    case 4: self = .profile(wire.value())
    case 5: self = .damaged(wire.value())
    case 6: self = .unsized
    default: self = .unknown
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

extension Credentials: WireValue {
  func write(to wire: inout WireWriter) {
    wire.write(Int64(user))
    wire.write(Int64(group))
  }

  init(from wire: inout WireReader) {
    let user = UInt32(wire.number())
    self.init(user: user, group: UInt32(wire.number()))
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

extension CountingProfile: WireValue {}
extension LedgerFault: WireValue {}
extension RepairResult.Action: WireValue {}
extension RightsFault.Part: WireValue {}
