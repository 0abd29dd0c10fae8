// SPDX-License-Identifier: Apache-2.0
import Audit
import Configuration
import Mailboxes
import Maildir
import Posix
import Quota
import Tables

/// The base directory, and the first mailboxes of the list.
struct MailboxCheck {
  let settings: Settings
  let user: CurrentProcess.User?
  /// How many mailboxes are looked at.
  let count: Int

  /// - Returns: one of the Maildirs, for trials.
  func run(_ report: inout CheckReport) throws -> Path? {
    guard checkBase(&report) else { return nil }
    let rows: [MailboxRow]
    do {
      let list = try MailboxList(settings, waiting: nil)
      var taken: [MailboxRow] = []
      while taken.count < count, let row = try list.next() { taken.append(row) }
      rows = taken
    } catch {
      report.add(
        .warning, .mailboxList, error.text, at: "mailbox_list_query",
        reason: "audit, and commands with --all or --domain, need the list; no mailbox was looked at",
        remedy: "set mailbox_list_query and mailbox_list_database; ullage.cf(5)")
      return nil
    }
    guard !rows.isEmpty else {
      report.skip("mailboxes", because: "mailbox_list_query lists none")
      return nil
    }
    return try examine(rows, &report)
  }

  private func checkBase(_ report: inout CheckReport) -> Bool {
    let name = settings.mailboxBase.text
    guard let base = Path(settings.mailboxBase) else { return false }
    do throws(MaildirError) {
      // Empty where a volume is not mounted.
      if !settings.baseMayBeEmpty { try user.acting { () throws(MaildirError) in try Maildir.checkBase(base) } }
    } catch {
      report.add(
        .error, .base, String(decoding: error.text, as: UTF8.self), at: "virtual_mailbox_base",
        reason: "every message is deferred, so that none goes below the mount point of a missing volume",
        remedy: "mount it; or give it to the mail user: chown vmail \(name)")
      return false
    }
    guard user == nil || user.acting({ isAllowed(.writing, to: base) && isAllowed(.execution, to: base) }) else {
      report.add(
        .warning, .base, "\(user?.name ?? "the mail user") may not write to \(name)", at: "virtual_mailbox_base",
        reason: "mail for a new domain is deferred, because its directory cannot be made",
        remedy: "chown \(user?.name ?? "vmail") \(name)")
      return true
    }
    report.good("\(name) is there")
    return true
  }

  private func examine(_ rows: [MailboxRow], _ report: inout CheckReport) throws -> Path? {
    let maker = try JobMaker(settings, work: [])
    let pool = WorkerPool(workers: 1, batchSize: 50, rule: settings.countingRule)
    let rules = AuditRules(repairs: false)
    var rest = rows[...]
    var findings: [Finding] = []
    var strangers: [(mailbox: String, owner: UInt32)] = []
    var sample: Path?
    var present = 0
    try pool.run(next: { rest.popFirst().map(maker.job) }) { job, seen in
      findings += rules.findings(job.row, seen)
      if seen.state == .examined {
        present += 1
        sample = sample ?? job.task.components.reduce(job.task.base) { $0.appending($1) }
      }
      if let owner = job.owner, let user, owner.user != user.id { strangers.append((job.row.name, owner.user)) }
    }
    let count = report.diagnoses.count
    add(strangers, &report)
    add(findings, &report)
    if !report.hasTrouble(since: count) {
      report.good("\(rows.count) mailboxes looked at, \(present) have a Maildir: owners, modes and limits are right")
    }
    return sample
  }

  private func add(_ strangers: [(mailbox: String, owner: UInt32)], _ report: inout CheckReport) {
    guard let first = strangers.first, let user else { return }
    report.add(
      .error, .mailboxRights,
      "\(Self.many(strangers.count)) to \(CurrentProcess.userName(first.owner)), and deliveries run as \(user.name)",
      at: first.mailbox, reason: "mail to them is deferred",
      remedy:
        "chown -R \(user.name) DIRECTORY, or an entry in master.cf with user=\(CurrentProcess.userName(first.owner))")
  }

  private static func many(_ count: Int) -> String { count == 1 ? "a Maildir belongs" : "\(count) Maildirs belong" }

  /// What an audit would find, as far as it is about how things are set up: one diagnosis for each kind.
  private func add(_ findings: [Finding], _ report: inout CheckReport) {
    let kinds: [(Finding.Kind, Diagnosis.Kind, String)] = [
      (.wrongRights, .mailboxRights, "mail to it is deferred, or others can read it"),
      (.brokenMaildir, .brokenMailbox, "mail to it is deferred"), (.badPath, .brokenMailbox, "mail to it is deferred"),
      (.brokenLedger, .brokenMailbox, "the IMAP server shows no quota, or a wrong one, until it is counted anew"),
      (.strayFolderMark, .brokenMailbox, "Courier's programs take the directory above for the mailbox"),
      (
        .headerLimit, .headerLimit,
        "the IMAP server goes by the limit in maildirsize, and shows and enforces another one"
      ),
      (.limitNotEnforced, .limitNotEnforced, "a quota that the database has is not kept"),
    ]
    for (kind, diagnosis, reason) in kinds {
      let some = findings.filter { $0.kind == kind }
      guard let first = some.min(by: { Finding.isWorse($0, $1) }) else { continue }
      let severity: Diagnosis.Severity =
        switch first.severity {
        case .error: .error
        case .warning: .warning
        case .notice: .notice
        }
      let others = some.count > 1 ? " (and \(some.count - 1) more of \(count) mailboxes at most)" : ""
      report.add(
        severity, diagnosis, first.evidence + others, at: first.mailbox,
        reason: first.cause.isEmpty ? reason : "\(reason). Likely: \(first.cause)", remedy: first.remedy)
    }
  }
}
