// SPDX-License-Identifier: Apache-2.0
package import Configuration
package import Findings
package import Sweep

/// What an audit does.
package struct AuditOptions: Sendable {
  /// How closely mailboxes are examined.
  package enum Level: Int, Sendable, CaseIterable {
    /// Every ledger is compared with the list.
    case ledgers = 0
    /// Also counts a share of the mailboxes, and every suspicious one.
    case counts = 1
    /// Also compares the sizes in names with the files of the mailboxes that are counted.
    case files = 2
  }

  package var level = Level.counts
  /// One mailbox in so many is counted.
  package var share = 7
  package var repairs = false
  package var cleansTmp = false
  /// Count what was changed since the clean point, as after a boot.
  package var isAfterCrash = false
  /// Sync the file systems, so that the beginning of this audit is a clean point.
  package var makesCleanPoint = false
  package var domain: String?
  /// Mailboxes per second, nil for no limit.
  package var rate: Int?
  /// Mailboxes at a time, nil for the number of processors.
  package var workers: Int?
  package var ignored: Set<FindingKind> = []
  /// Whether sums are wanted, and of how many of the largest mailboxes the names.
  package var keepsStatistics = false
  package var top = 0
  /// Tables of the limits of domains.
  package var domainLimits: [TableReference] = []
  /// Why they are unknown; nil if they are not.
  package var domainLimitsProblem: String?

  package init() {}

  /// What must be equal for a run to continue an interrupted one.
  package var fingerprint: String {
    let ignored = ignored.map(\.rawValue).sorted().joined(separator: ",")
    return "level=\(level.rawValue) share=\(share) repair=\(repairs) clean-tmp=\(cleansTmp) domain=\(domain ?? "all")"
      + " ignore=\(ignored)" + (isAfterCrash ? " after-crash" : "")
  }

  /// The work on a mailbox on this night.
  package func work(for row: MailboxRow, night: Int) -> MailboxTask.Work {
    var work: MailboxTask.Work = []
    if level != .ledgers || repairs { work.insert(.countIfOdd) }
    if level != .ledgers, isDue(row, night: night) { work.insert(.count) }
    if level == .files { work.insert(.checkSizes) }
    if repairs { work.insert(.repair) }
    if cleansTmp { work.insert(.cleanTmp) }
    if makesCleanPoint { work.insert(.synchronize) }
    return work
  }

  /// Every mailbox is due once in `share` nights, whatever is added to the list or removed from it.
  private func isDue(_ row: MailboxRow, night: Int) -> Bool {
    // FNV-1a, 64 bits.
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in row.address { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    return Int(hash % UInt64(share)) == night % share
  }
}
