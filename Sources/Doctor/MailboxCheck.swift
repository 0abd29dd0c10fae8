// SPDX-License-Identifier: Apache-2.0
import Audit
import Configuration
import Mailboxes
import Maildir
import Posix
import Quota
import Reports
import Tables
import Text

/// An existing Maildir and its owner.
struct MaildirSample {
  let path: Path
  let owner: Credentials
}

/// The base directory, and the first mailboxes of the list.
struct MailboxCheck {
  let settings: Settings
  let user: User?
  /// How many mailboxes are examined.
  let count: Int
  let configurationFile: String

  /// - Returns: the first mailboxes of the list, and one of the Maildirs, for tests.
  func run(_ report: inout CheckReport) throws -> (rows: [MailboxRow], sample: MaildirSample?) {
    guard checkBase(&report) else { return ([], nil) }
    var rows: [MailboxRow] = []
    do {
      // As the mail user, like the nightly audit.
      rows = try user.acting { () throws(TableError) in try list() }
    } catch {
      let isOther = error.kind == .configuration
      report.add(
        .warning, .mailboxList, error.shown, at: "mailbox_list_query",
        reason:
          "audit, and commands with --all or --domain, need the list, and \(user?.name ?? "the mail user") cannot read it",
        remedy: isOther
          ? "set mailbox_list_query and mailbox_list_database, or let that user read the table's file; see ullage.cf(5)"
          : "give that user access to the database, or start it")
      // The user we run as may have access.
      rows = (try? list()) ?? []
    }
    guard !rows.isEmpty else {
      report.skip("mailboxes", because: "there is no list of them, or it is empty")
      return ([], nil)
    }
    checkLookups(rows, &report)
    return (rows, try examine(rows, &report))
  }

  /// How many mailboxes are looked up in the tables.
  private static let most = 10

  /// Looks mailboxes up as a delivery does, and compares them with the list.
  private func checkLookups(_ rows: [MailboxRow], _ report: inout CheckReport) {
    let directory = MailboxLookup(settings)
    let some = rows.filter { !$0.address.isEmpty && $0.isSound }.prefix(Self.most)
    for row in some {
      do {
        let mailbox = try user.acting { () throws(MailboxError) in
          try directory.mailbox(
            of: row.address, for: user?.credentials, until: Deadline(secondsFromNow: 20))
        }
        guard let difference = difference(row, mailbox) else { continue }
        return report.add(
          .warning, .listDiffers, difference, at: row.name,
          reason: "audit, status --all and recompute --all use the list, and deliveries the tables",
          remedy: "set mailbox_list_query so that it gives what the tables give; see ullage.cf(5)")
      } catch {
        // `TableCheck` has reported a table that does not answer.
        if error.isTemporary { return }
        return report.add(
          .error, .lookup, error.shown, at: row.name, reason: "mail to it is deferred until that is corrected",
          remedy: "ullage map \(shellWord(row.name)) \(error.parameter.rawValue) --all-steps")
      }
    }
    if !some.isEmpty {
      report.good(
        "the tables and the list agree on \(some.count == 1 ? "a mailbox" : "\(some.count) mailboxes")")
    }
  }

  private func difference(_ row: MailboxRow, _ mailbox: Mailbox?) -> String? {
    guard let mailbox else { return "the list has it, but virtual_mailbox_maps does not" }
    let listed = try? MailboxLookup.components(of: row.path, suffix: settings.maildirSuffix)
    func text(_ parts: [Path]) -> String { parts.map(\.text).joined(separator: "/") }
    if let listed, listed != mailbox.components {
      return "its path is \(text(listed)) in the list and \(text(mailbox.components)) in virtual_mailbox_maps"
    }
    guard mailbox.quota.limit.bytes == row.limit.bytes else {
      return "its limit is \(row.limit.bytes) bytes in the list and \(mailbox.quota.limit.bytes) bytes for deliveries"
    }
    return nil
  }

  private func list() throws(TableError) -> [MailboxRow] {
    let list = try MailboxList(settings, waiting: nil)
    var rows: [MailboxRow] = []
    while rows.count < count, let row = try list.next() { rows.append(row) }
    return rows
  }

  private func checkBase(_ report: inout CheckReport) -> Bool {
    let name = shellWord(settings.mailboxBase.text)
    guard let base = Path(settings.mailboxBase) else { return false }
    do throws(MaildirError) {
      // The base is empty if its volume is not mounted.
      if !settings.baseMayBeEmpty { try user.acting { () throws(MaildirError) in try Maildir.checkBase(base) } }
    } catch {
      report.add(
        .error, .base, error.shown, at: "virtual_mailbox_base",
        reason: "every message is deferred, so that none is written below the mount point of a missing volume",
        remedy: "mount it, or make the mail user its owner: chown \(user?.name ?? "vmail") \(name)")
      return false
    }
    guard user == nil || user.acting({ isAllowed(.writing, to: base) && isAllowed(.execution, to: base) }) else {
      report.add(
        .warning, .base, "\(user?.name ?? "the mail user") may not write to \(name)", at: "virtual_mailbox_base",
        reason: "mail for a new domain is deferred, because its directory cannot be created",
        remedy: "chown \(user?.name ?? "vmail") \(name)")
      return true
    }
    report.good("\(name) exists")
    return true
  }

  private func examine(_ rows: [MailboxRow], _ report: inout CheckReport) throws -> MaildirSample? {
    let maker = try JobMaker(settings, work: [])
    let pool = WorkerPool(workers: 1, batchSize: 50, rule: settings.countingRule)
    let rules = AuditRules(repairs: false)
    var rest = rows[...]
    var findings: [Finding] = []
    var strangers: [(mailbox: String, owner: UInt32)] = []
    var sample: MaildirSample?
    var present = 0
    try pool.run(next: { rest.popFirst().map(maker.job) }) { job, seen in
      findings += rules.findings(job.row, seen)
      if seen.state == .examined {
        present += 1
        let owner = job.owner ?? Credentials.current
        sample =
          sample ?? MaildirSample(path: job.task.components.reduce(job.task.base) { $0.appending($1) }, owner: owner)
      }
      if let owner = job.owner, let user, owner.user != user.id { strangers.append((job.row.name, owner.user)) }
    }
    let count = report.diagnoses.count
    add(strangers, &report)
    add(findings, of: rows.count, &report)
    if !report.hasTrouble(since: count) {
      let mailboxes = rows.count == 1 ? "a mailbox" : "\(rows.count) mailboxes"
      report.good("\(mailboxes) checked, \(present) with a Maildir: owners, modes and maildirsize are right")
    }
    return sample
  }

  private func add(_ strangers: [(mailbox: String, owner: UInt32)], _ report: inout CheckReport) {
    guard let first = strangers.first, let user else { return }
    report.add(
      .error, .mailboxRights,
      "\(Self.many(strangers.count)) to \(User.name(of: first.owner)), but deliveries run as \(user.name)",
      at: first.mailbox, reason: "mail to them is deferred",
      remedy:
        "chown -R \(user.name) DIRECTORY, or an entry in master.cf with user=\(User.name(of: first.owner))")
  }

  private static func many(_ count: Int) -> String { count == 1 ? "a Maildir belongs" : "\(count) Maildirs belong" }

  /// What an audit would find, as far as it concerns the setup: one diagnosis per kind.
  private func add(_ findings: [Finding], of seen: Int, _ report: inout CheckReport) {
    let kinds: [(Finding.Kind, Diagnosis.Kind, String)] = [
      (.wrongRights, .mailboxRights, "mail to it is deferred, or others can read it"),
      (.brokenMaildir, .brokenMailbox, "mail to it is deferred"), (.badPath, .brokenMailbox, "mail to it is deferred"),
      (.brokenLedger, .brokenMailbox, "the IMAP server shows no quota, or a wrong one, until it is recounted"),
      (.strayFolderMark, .brokenMailbox, "Courier's programs take the parent directory for the mailbox"),
      (
        .headerLimit, .headerLimit,
        "the IMAP server uses the limit in maildirsize, so it shows and enforces a different one"
      ),
      (.limitNotEnforced, .limitNotEnforced, "a quota in the database is not enforced"),
    ]
    // An inbox-only quota has no ledger, so skip the findings about it.
    let ofLedger: [Finding.Kind] =
      settings.countingRule.inboxOnly ? [.brokenLedger, .headerLimit, .limitNotEnforced] : []
    for (kind, diagnosis, reason) in kinds where !ofLedger.contains(kind) {
      let some = findings.filter { $0.kind == kind }
      guard let first = some.min(by: { Finding.isWorse($0, $1) }) else { continue }
      let severity: Diagnosis.Severity =
        switch first.severity {
        case .error: .error
        case .warning: .warning
        case .notice: .notice
        }
      let others = some.count > 1 ? " (and \(some.count - 1) more of \(seen) mailboxes)" : ""
      report.add(
        severity, diagnosis, first.evidence + others, at: first.mailbox,
        reason: first.cause.isEmpty ? reason : "\(reason). Likely: \(first.cause)", remedy: remedy(first))
    }
  }

  /// The audit's remedy, with the configuration file that was checked.
  private func remedy(_ finding: Finding) -> String {
    guard configurationFile != Ullage.configurationFile else { return finding.remedy }
    return finding.remedy.replacing(
      "ullage recompute ", with: "ullage recompute --config=\(shellWord(configurationFile)) ")
  }
}
