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
    /// Those without a limit in bytes.
    package var unlimited = 0
    /// Those that hold more than their limit.
    package var overQuota = 0
    package var usage = QuotaUsage.none
    /// A mailbox without a limit of a kind adds nothing to that kind.
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
  private var lastDirectory: [UInt8] = []
  private let top: Int
  private let maxDomains: Int

  /// - Parameters:
  ///   - top: how many of the largest mailboxes are kept.
  ///   - maxDomains: all others are counted as one.
  package init(top: Int = 0, maxDomains: Int = maxDomains) {
    self.top = top
    self.maxDomains = maxDomains
  }

  /// - Parameter directory: of the Maildir. Several rows may lead to one, next to each other; it counts once.
  package mutating func note(_ row: MailboxRow, _ report: MailboxReport, directory: [UInt8]) {
    let name = domain(of: row)
    var sums = domains[name] ?? Sums()
    defer { domains[name] = sums }
    sums.mailboxes += 1
    if let limit = row.knownLimit {
      if limit.bytes == 0 { sums.unlimited += 1 }
      sums.limits += QuotaUsage(bytes: limit.bytes, messages: limit.messages)
    }
    // Nothing has been delivered to a mailbox without a Maildir.
    guard let usage = report.knownUsage ?? (report.state == .absent ? QuotaUsage.none : nil) else {
      return sums.unknown += 1
    }
    if row.limit.isExceeded(by: usage) { sums.overQuota += 1 }
    if let share = row.limit.share(of: usage) {
      fill[Self.fillBounds.firstIndex { share <= $0 } ?? Self.fillBounds.count] += 1
      fillSum += share
    }
    guard directory.isEmpty || directory != lastDirectory else { return }
    lastDirectory = directory
    sums.usage += usage
    guard top > 0 else { return }
    largest.append(Mailbox(name: row.name, usage: usage, limit: row.limit))
    // Sorted only now and then.
    if largest.count >= 2 * top + 1000 { largest = largestMailboxes }
  }

  /// The largest mailboxes, the largest first; an address that is listed several times is one of them at most.
  package var largestMailboxes: [Mailbox] {
    var names: Set<String> = []
    let sorted = largest.sorted { ($0.usage.bytes, $1.name) > ($1.usage.bytes, $0.name) }
    return Array(sorted.filter { names.insert($0.name).inserted }.prefix(top))
  }

  private func domain(of row: MailboxRow) -> String {
    guard let at = row.address.lastIndex(of: UInt8(ascii: "@")) else { return "" }
    let name = displayText(foldCase(Array(row.address[(at + 1)...])))
    return domains.count < maxDomains || domains[name] != nil ? name : Self.otherDomains
  }
}
