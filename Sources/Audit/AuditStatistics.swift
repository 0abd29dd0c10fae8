// SPDX-License-Identifier: Apache-2.0
package import Quota
package import Sweep
import Text

/// How full the mailboxes are that an audit has looked at, by domain and in all.
///
/// It takes as much memory as there are domains, up to `maxDomains`, and not as there are mailboxes.
package struct AuditStatistics: Sendable {
  /// The sums of some mailboxes.
  package struct Sums: Sendable, Equatable {
    package var mailboxes = 0
    /// Those whose usage is unknown; they hold nothing in the other sums.
    package var unknown = 0
    /// Those without a limit.
    package var unlimited = 0
    /// Those that hold more than their limit.
    package var overQuota = 0
    package var usage = QuotaUsage.none
    /// Those that have no limit of a kind count nothing.
    package var limits = QuotaUsage.none
  }

  /// A mailbox, what it holds and may hold.
  package struct Mailbox: Sendable, Equatable {
    package let name: String
    package let usage: QuotaUsage
    package let limit: QuotaLimit
  }

  /// The shares of the limit up to which mailboxes are counted together.
  package static let fillBounds = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1]

  /// How many domains an audit tells apart.
  package static let maxDomains = 10_000
  /// Stands for the domains beyond `maxDomains`.
  package static let otherDomains = "(others)"

  /// In lower case.
  package private(set) var domains: [String: Sums] = [:]
  /// Mailboxes with a limit, by how full they are: up to each of `fillBounds`, and more.
  package private(set) var fill = [Int](repeating: 0, count: fillBounds.count + 1)
  /// The sum of the shares of the limit.
  package private(set) var fillSum = 0.0
  private var largest: [Mailbox] = []
  private let top: Int
  private let maxDomains: Int

  /// - Parameters:
  ///   - top: how many of the largest mailboxes are kept.
  ///   - maxDomains: all others are counted as one.
  package init(top: Int = 0, maxDomains: Int = maxDomains) {
    self.top = top
    self.maxDomains = maxDomains
  }

  package mutating func note(_ visit: Visit) {
    let name = domain(of: visit.row)
    var sums = domains[name] ?? Sums()
    defer { domains[name] = sums }
    sums.mailboxes += 1
    let limit = visit.row.limit
    if limit == .none { sums.unlimited += 1 }
    sums.limits += QuotaUsage(bytes: limit.bytes, messages: limit.messages)
    // Nothing has been delivered to a mailbox without a Maildir.
    guard let usage = visit.report.knownUsage ?? (visit.report.state == .absent ? QuotaUsage.none : nil) else {
      return sums.unknown += 1
    }
    sums.usage += usage
    if limit.isExceeded(by: usage) { sums.overQuota += 1 }
    if let share = limit.share(of: usage) {
      fill[Self.fillBounds.firstIndex { share <= $0 } ?? Self.fillBounds.count] += 1
      fillSum += share
    }
    guard top > 0 else { return }
    largest.append(Mailbox(name: visit.row.name, usage: usage, limit: limit))
    // Sorted only now and then.
    if largest.count >= 2 * top + 1000 { largest = largestMailboxes }
  }

  /// The largest mailboxes, the largest first.
  package var largestMailboxes: [Mailbox] {
    Array(largest.sorted { ($0.usage.bytes, $1.name) > ($1.usage.bytes, $0.name) }.prefix(top))
  }

  private func domain(of row: MailboxRow) -> String {
    guard let at = row.address.lastIndex(of: UInt8(ascii: "@")) else { return "" }
    let name = displayText(foldCase(Array(row.address[(at + 1)...])))
    return domains.count < maxDomains || domains[name] != nil ? name : Self.otherDomains
  }
}
