// SPDX-License-Identifier: Apache-2.0
import Configuration
import Mailboxes
import Maildir
import Posix
import Quota
import Text

/// Turns mailboxes into jobs: finds out where each Maildir is and, if we run as root, who owns it.
struct JobMaker: ~Copyable {
  private let base: Path
  private let suffix: [UInt8]
  private let minimumUser: Int64
  private let isRoot = CurrentProcess.effectiveUser == 0
  private var finder = MaildirFinder()

  /// For mailboxes below the configured base.
  ///
  /// - Throws: if the base is missing, or empty as an unmounted volume is.
  init(_ settings: Settings) throws(MaildirError) {
    guard let base = Path(settings.mailboxBase) else { throw .baseMissing }
    if !settings.baseMayBeEmpty { try Maildir.checkBase(base) }
    self.init(base: base, settings)
  }

  /// For a Maildir that need not be below the configured base.
  init(base: Path, _ settings: Settings) {
    self.base = base
    suffix = settings.maildirSuffix
    minimumUser = settings.minimumUser
  }

  /// For a row of the list.
  mutating func job(_ row: MailboxRow) -> MailboxJob {
    do throws(MailboxError) {
      return job(row, components: try MailboxLookup.components(of: row.path, suffix: suffix), limit: row.knownLimit)
    } catch {
      let reason = if case .badPath(_, let reason) = error { reason } else { error.shown }
      return MailboxJob(
        row.with(.path(reason)), MailboxTask(base: base, components: [], limit: row.limit),
        settled: MailboxReport(.broken("its path in the list: \(reason)")))
    }
  }

  /// For a mailbox whose location is unknown; `reason` is a sentence.
  func failed(_ row: MailboxRow, _ reason: String) -> MailboxJob {
    MailboxJob(row, MailboxTask(base: base, components: [], limit: nil), settled: MailboxReport(.failed(reason)))
  }

  /// - Parameter limit: nil for the one in the ledger.
  mutating func job(_ row: MailboxRow, components: [Path], limit: QuotaLimit?) -> MailboxJob {
    let task = MailboxTask(base: base, components: components, limit: limit)
    guard isRoot else { return MailboxJob(row, task) }
    do throws(MaildirError) {
      let status = try finder.status(base: base, components: components)
      guard Int64(status.owner) >= max(1, minimumUser) else {
        return MailboxJob(row, task, settled: MailboxReport(.foreign(status.owner)))
      }
      // No worker ever runs with root's group.
      let group = status.group != 0 ? status.group : Group.primary(of: status.owner)
      return MailboxJob(row, task, owner: Credentials(user: status.owner, group: group))
    } catch {
      return MailboxJob(row, task, settled: MailboxReport(MailboxExaminer.state(for: error)))
    }
  }
}
