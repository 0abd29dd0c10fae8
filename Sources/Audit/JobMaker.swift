// SPDX-License-Identifier: Apache-2.0
package import Configuration
import Mailboxes
package import Maildir
package import Posix
package import Quota

/// Turns mailboxes into jobs: finds the Maildir and, for root, its owner.
package final class JobMaker {
  private let base: Path
  private let suffix: [UInt8]
  private let minimumUser: Int64
  private let work: MailboxTask.Work
  private let isRoot = CurrentProcess.effectiveUser == 0
  private var finder = MaildirFinder()

  /// - Throws: if the base is missing, or empty like the mount point of a missing volume.
  package convenience init(_ settings: Settings, work: MailboxTask.Work) throws(MaildirError) {
    guard let base = Path(settings.mailboxBase) else { throw .baseMissing }
    if !settings.baseMayBeEmpty { try Maildir.checkBase(base) }
    self.init(base: base, settings, work: work)
  }

  /// For directories that need not be below the configured base.
  package init(base: Path, _ settings: Settings, work: MailboxTask.Work) {
    self.base = base
    self.work = work
    suffix = settings.maildirSuffix
    minimumUser = settings.minimumUser
  }

  /// For a row of the list.
  package func job(_ row: MailboxRow) -> MailboxJob {
    do throws(MailboxError) {
      return job(row, components: try MailboxLookup.components(of: row.path, suffix: suffix), limit: row.limit)
    } catch {
      let reason = if case .badPath(_, let reason) = error { reason } else { "it is invalid" }
      return MailboxJob(
        row.with(.path(reason)), MailboxTask(base: base, components: [], limit: row.limit, work: work), owner: nil,
        known: MailboxReport(.broken("its path in the list: \(reason)")))
    }
  }

  /// For a mailbox whose location is unknown; `reason` is a sentence.
  package func failed(_ row: MailboxRow, _ reason: String) -> MailboxJob {
    MailboxJob(
      row, MailboxTask(base: base, components: [], limit: nil, work: work), owner: nil,
      known: MailboxReport(.failed(reason)))
  }

  /// - Parameter limit: nil for the one in the ledger.
  package func job(_ row: MailboxRow, components: [Path], limit: QuotaLimit?) -> MailboxJob {
    let task = MailboxTask(base: base, components: components, limit: limit, work: work)
    guard isRoot else { return MailboxJob(row, task, owner: nil) }
    do throws(MaildirError) {
      let status = try finder.status(base: base, components: components)
      guard Int64(status.owner) >= max(1, minimumUser) else {
        return MailboxJob(row, task, owner: nil, known: MailboxReport(.foreign(status.owner)))
      }
      // No worker ever runs with root's group.
      let group = status.group != 0 ? status.group : Group.primary(of: status.owner)
      return MailboxJob(row, task, owner: Credentials(user: status.owner, group: group))
    } catch {
      return MailboxJob(row, task, owner: nil, known: MailboxReport(MailboxExaminer.state(for: error, task)))
    }
  }
}
