// SPDX-License-Identifier: Apache-2.0
import Aliases
import Cache
import Configuration
import Mailboxes
import Maildir
import Policy
import Posix
import Quota
import Synchronization
import Tables
import Text

/// Finds out whether a mailbox is full.
final class MailboxGauge: Sendable {
  private let settings: Settings
  private let policy: PolicySettings
  private let tables: PolicyTables
  private let credentials: Credentials
  private let names: UniqueName
  /// Whether a count is written into the ledger.
  private let records: Bool
  private let noteCount: @Sendable (Bool) -> Void
  private let glances = Mutex(RecentCache<Path, LedgerGlance>())
  /// Mailboxes whose count took too long. They are not counted for a while: each attempt costs as much as the last one.
  private let failures = Mutex(RecentCache<Path, Void>())

  private static let glanceTime = Duration.seconds(3600)
  private static let failureTime = Duration.seconds(60)

  init(
    _ settings: Settings, _ policy: PolicySettings, _ tables: PolicyTables, as credentials: Credentials, records: Bool,
    noteCount: @escaping @Sendable (Bool) -> Void
  ) {
    self.settings = settings
    self.policy = policy
    self.tables = tables
    self.credentials = credentials
    self.records = records
    self.noteCount = noteCount
    names = UniqueName(host: CurrentProcess.hostName)
  }

  /// What is known of a mailbox at once: nil if its ledger does not say that there is room, which must be confirmed.
  func glance(_ mailbox: Mailbox, _ maildir: Path, leastSize size: Int64) -> Judgement.State? {
    let limit = mailbox.quota.limit
    if let state = Self.stateByLimit(limit, size) { return state }
    guard !settings.countingRule.inboxOnly, let usage = ledgerUsage(maildir, limit) else { return nil }
    return limit.admits(messageOf: max(1, size), beside: usage) ? .room(usage) : nil
  }

  /// What is known of a mailbox, its messages counted if necessary.
  func state(
    of address: [UInt8], _ mailbox: Mailbox, _ maildir: Path, leastSize size: Int64, until deadline: Deadline
  ) -> Judgement.State {
    let limit = mailbox.quota.limit
    let state = Self.stateByLimit(limit, size)
    if case .unlimited? = state { return .unlimited }
    // The ledger where there is one, else SQL.
    let isEstimated = !policy.usageMaps.isEmpty && ledgerUsage(maildir, limit) == nil
    if state != nil || isEstimated {
      if let other = otherOwner(of: mailbox) { return other }
      return state ?? estimate(for: address, limit, until: deadline)
    }
    return counted(mailbox, maildir, max(1, size), until: deadline)
  }

  private static func stateByLimit(_ limit: QuotaLimit, _ size: Int64) -> Judgement.State? {
    if limit == .none { return .unlimited }
    return limit.admitsAlone(messageOf: size) ? nil : .tooSmall
  }

  private func ledgerUsage(_ maildir: Path, _ limit: QuotaLimit) -> QuotaUsage? {
    let now = ContinuousClock.now
    let known = glances.withLock { $0.value(of: maildir, within: Self.glanceTime, of: now) }
    let glance = credentials.acting { LedgerGlance.look(in: maildir, limit: limit, known: known) }
    if let glance { glances.withLock { $0.keep(glance, of: maildir, at: now) } }
    return glance?.usage
  }

  /// What the mailbox is if it is not certain that it is ours. A host without the mailboxes has SQL's word for it.
  private func otherOwner(of mailbox: Mailbox) -> Judgement.State? {
    do throws(MaildirError) {
      _ = try credentials.acting { () throws(MaildirError) in try self.maildir(of: mailbox) }
      return nil
    } catch {
      if case .wrongOwner(let user) = error { return .foreign(user) }
      guard policy.usageMaps.isEmpty else { return nil }
      switch error {
      case .missing, .unmade: return .noMaildir
      default: return .trouble(error.sentence)
      }
    }
  }

  private func maildir(of mailbox: Mailbox) throws(MaildirError) -> Maildir {
    guard let base = Path(settings.mailboxBase) else { throw .baseMissing }
    return try Maildir.open(base: base, components: mailbox.components, owner: credentials.user, absent: .refused)
  }

  /// By the same steps as a delivery: only a total that was counted less than 15 minutes ago refuses.
  private func counted(
    _ mailbox: Mailbox, _ maildir: Path, _ size: Int64, until deadline: Deadline
  ) -> Judgement.State {
    let now = ContinuousClock.now
    let hasFailed = failures.withLock { $0.value(of: maildir, within: Self.failureTime, of: now) } != nil
    let countTime = hasFailed ? 0 : policy.recountTime
    do throws(MaildirError) {
      return try credentials.acting { () throws(MaildirError) in
        try self.admission(mailbox, size, countTime, until: deadline)
      }
    } catch {
      switch error {
      case .missing, .unmade: return .noMaildir
      case .wrongOwner(let user): return .foreign(user)
      case .countUnfinished:
        // Not if another process is counting it, which takes no time here.
        if countTime > 0, ContinuousClock.now - now >= .seconds(countTime) {
          noteCount(false)
          failures.withLock { $0.keep((), of: maildir, at: now) }
        }
        return .uncounted
      default: return .trouble(error.sentence)
      }
    }
  }

  private func admission(
    _ mailbox: Mailbox, _ size: Int64, _ countTime: Int64, until deadline: Deadline
  ) throws(MaildirError) -> Judgement.State {
    var open = OpenMailbox(
      try maildir(of: mailbox), limit: mailbox.quota.limit, rule: settings.countingRule, names: names,
      countTimeLimit: countTime, until: deadline)
    open.recordsCount = records
    // While another process counts it, messages pass.
    open.turnTimeLimit = 0
    defer { if open.wasCounted { noteCount(true) } }
    switch try open.admit(messageOf: size) {
    case .fits(let usage):
      open.unlock()
      return .room(usage)
    case .overQuota(let usage): return .full(usage, counted: open.countedTime ?? .now)
    }
  }

  /// By a figure from SQL, which is no count: only "already full" is believed, and that only if it is fresh.
  private func estimate(for address: [UInt8], _ limit: QuotaLimit, until deadline: Deadline) -> Judgement.State {
    let value: [UInt8]?
    do { value = try tables.usage(of: AddressQuery(address, until: deadline)) } catch {
      return .trouble(error.sentence)
    }
    guard let value else { return .room(nil) }
    let numbers = value.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).map {
      Int64(wholeNumber: $0)
    }
    guard (1...3).contains(numbers.count), let bytes = numbers[0], !numbers.contains(nil) else {
      return .trouble(Array("policy_usage_maps gives \"".utf8) + escaped(value) + Array("\", which is no usage".utf8))
    }
    let usage = QuotaUsage(bytes: bytes, messages: numbers.count > 1 ? numbers[1] ?? 0 : 0)
    guard !limit.admits(messageOf: 1, beside: usage) else { return .room(usage) }
    let time = numbers.count > 2 ? numbers[2] : nil
    let isFresh =
      policy.usageIsLive || time.map { Timestamp(seconds: $0, nanoseconds: 0).isWithin(seconds: 900) } ?? false
    return isFresh ? .fullByEstimate(usage) : .fullByOldEstimate(usage)
  }
}
