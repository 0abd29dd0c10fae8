// SPDX-License-Identifier: Apache-2.0
import Audit
import Configuration
import Database
import Findings
import Mailboxes
import Maildir
import Posix
import Quota
import Site
import Sweep
import Tables
import Text

/// An existing Maildir and its owner.
struct MaildirSample {
  let path: Path
  let owner: Credentials
}

/// The base directory, and the first mailboxes of the list.
struct MailboxCheck {
  private let site: Site
  private let settings: Settings
  /// How many mailboxes are examined.
  private let count: Int
  /// `TableCheck` has found nothing that keeps a table from answering.
  private let tablesAnswer: Bool
  private(set) var found = FindingList(.mailboxes)

  init(site: Site, settings: Settings, count: Int, tablesAnswer: Bool) {
    self.site = site
    self.settings = settings
    self.count = count
    self.tablesAnswer = tablesAnswer
  }

  /// - Returns: the first mailboxes of the list, and one of the Maildirs, for tests.
  mutating func run() throws -> (rows: [MailboxRow], sample: MaildirSample?) {
    guard checkBase() else { return ([], nil) }
    var rows: [MailboxRow] = []
    do {
      // As the mail user, like the nightly audit.
      rows = try site.actingAsUser { () throws(TableError) in try list() }
    } catch {
      found.add(
        .warning, .mailboxList, error.shown, at: "mailbox_list_query",
        reason:
          "audit, and commands with --all or --domain, need the list, and \(site.user?.name ?? "the mail user")"
          + " cannot read it",
        remedy: listRemedy(for: error))
      // The user we run as may have access.
      do { rows = try list() } catch {
        found.skip("mailboxes", because: error.shown)
        return ([], nil)
      }
    }
    guard !rows.isEmpty else {
      found.skip("mailboxes", because: "the list of them is empty")
      return ([], nil)
    }
    checkLookups(rows)
    checkUnit(rows)
    return (rows, try examine(rows))
  }

  /// The list is the one thing that the lookup service does not give, and that needs no password: PostgreSQL admits a
  /// local user by name.
  private func listRemedy(for error: TableError) -> Remedy {
    guard error.kind == .configuration else { return .advice("give that user access to the database, or start it") }
    guard let table = settings.listDatabase, let user = site.user, let file = Path(table.name),
      TableFiles.exists(table.name.text)
    else { return .advice("set mailbox_list_query and mailbox_list_database; see ullage.cf(5)") }
    guard CurrentProcess.effectiveUser == 0 || isAllowed(.reading, to: file) else { return .runAsRoot }
    let commands = TableFiles.commands(toLet: user, read: [table.name.text])
    guard !commands.isEmpty else {
      return .advice(
        "correct mailbox_list_query, or grant its role SELECT on the tables, as the message says; see ullage.cf(5)")
    }
    guard isLocal(table) else { return .run(commands) }
    let isUsual = settings.listQuery == Array(Parameter.mailbox_list_query.definition.defaultText.utf8)
    let tables = isUsual ? "(username, maildir, quota, active) ON mailbox" : "ON the tables of mailbox_list_query"
    return .advise(
      "let \(user.name) read the list, and nothing else, as \"The list without a password\" in ullage.cf(5) shows, with"
        + " this SQL: CREATE ROLE \"\(user.name)\" LOGIN; GRANT SELECT \(tables) TO \"\(user.name)\"; or let that user"
        + " read the table's file, password included",
      commands)
  }

  /// PostgreSQL admits a user by name only over a socket of the same host.
  private func isLocal(_ table: TableReference) -> Bool {
    do {
      let hosts = try TableDatabase(table, until: Deadline(secondsFromNow: 5)).connection.hosts
      return hosts.allSatisfy { $0.contains { $0.name == "host" && $0.value.first == UInt8(ascii: "/") } }
    } catch { return false }
  }

  /// How many mailboxes are looked up in the tables.
  private static let maxLookups = 10

  /// Looks mailboxes up as a delivery does, and compares them with the list.
  private mutating func checkLookups(_ rows: [MailboxRow]) {
    let lookup = MailboxLookup(settings)
    let named = rows.filter { !$0.address.isEmpty }
    let some = named.filter(\.isSound).prefix(Self.maxLookups)
    // What is wrong in the list may be wrong in the tables, too.
    for row in named.filter({ !$0.isSound }).prefix(Self.maxLookups) + some {
      do {
        let query = AddressQuery(row.address, until: Deadline(secondsFromNow: 20))
        let mailbox = try site.actingAsUser { () throws(MailboxError) in
          try lookup.mailbox(of: query, for: site.user?.credentials)
        }
        if mailbox == nil, row.hasCapitals {
          return found.add(
            .error, .lookup, "its address has capitals; Postfix asks in lower case, and finds nothing", at: row.name,
            reason: "mail to it is refused as for an unknown mailbox", remedy: .lowerCase)
        }
        guard row.isSound, let difference = difference(row, mailbox) else { continue }
        return found.add(
          .warning, .listDiffers, difference, at: row.name,
          reason: "audit, status --all and recompute --all use the list, and deliveries the tables",
          remedy: .advice("set mailbox_list_query so that it gives what the tables give; see ullage.cf(5)"))
      } catch {
        if error.isTemporary, !tablesAnswer { return }
        return found.add(
          .error, .lookup, error.shown, at: row.name, reason: "mail to it is deferred until that is corrected",
          remedy: .advise(
            "correct what the table says of it; this shows the steps",
            [Command("ullage", "map", "--all-steps", "--", row.name, error.parameter.rawValue)]))
      }
    }
    if !some.isEmpty {
      found.good(
        "the tables and the list agree on \(some.count == 1 ? "a mailbox" : "\(some.count) mailboxes")")
    }
  }

  /// Bytes: below this, ordinary mail does not fit into an empty mailbox.
  private static let leastLimit: Int64 = 100_000

  /// A column in MB or kB holds limits into which ordinary messages do not fit.
  private mutating func checkUnit(_ rows: [MailboxRow]) {
    let limits = rows.compactMap { row -> (name: String, bytes: Int64)? in
      switch row.quota.source {
      case .own where row.limit.bytes > 0: (row.name, row.limit.bytes)
      case .setAside(let bytes): (row.name, bytes)
      default: nil
      }
    }
    let small = limits.filter { $0.bytes < Self.leastLimit }
    let isBelowMessages = limits.allSatisfy { $0.bytes < settings.messageSizeLimit }
    guard let smallest = limits.min(by: { $0.bytes < $1.bytes }), isBelowMessages || !small.isEmpty else { return }
    let some = small.count == 1 ? "a limit is" : "\(small.count) of \(limits.count) limits are"
    found.add(
      small.isEmpty ? .notice : .warning, .smallLimit,
      small.isEmpty
        ? "every limit is below message_size_limit, the smallest \(grouped(smallest.bytes)) bytes"
        : "\(some) below \(grouped(Self.leastLimit)) bytes: \(grouped(smallest.bytes))",
      at: smallest.name,
      reason: "a limit is in bytes: if the column is in MB or kB, ordinary mail is refused",
      remedy: .advice(
        "if it is in MB, multiply it, in mailbox_list_query too, as bigint, since an integer overflows:"
          + " quota::bigint * 1048576"))
  }

  private func difference(_ row: MailboxRow, _ mailbox: Mailbox?) -> String? {
    guard let mailbox else { return "the list has it, but virtual_mailbox_maps does not" }
    func text(_ parts: [Path]) -> String { parts.map(\.text).joined(separator: "/") }
    var listed = mailbox.components
    // The audit reports a path that is invalid.
    do { listed = try MailboxLookup.components(of: row.path, suffix: settings.maildirSuffix) } catch {}
    if listed != mailbox.components {
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

  private mutating func checkBase() -> Bool {
    let name = shellWord(settings.mailboxBase.text)
    guard let base = Path(settings.mailboxBase) else { return false }
    do throws(MaildirError) {
      // The base is empty if its volume is not mounted.
      if !settings.baseMayBeEmpty { try site.actingAsUser { () throws(MaildirError) in try Maildir.checkBase(base) } }
    } catch {
      found.add(
        .error, .base, error.shown, at: "virtual_mailbox_base",
        reason: "every message is deferred, so that none is written below the mount point of a missing volume",
        remedy: remedy(for: error))
      return false
    }
    let canWrite = site.actingAsUser { isAllowed(.writing, to: base) && isAllowed(.execution, to: base) }
    guard site.user == nil || canWrite else {
      found.add(
        .warning, .base, "\(site.userName) may not write to \(name)", at: "virtual_mailbox_base",
        reason: "mail for a new domain is deferred, because its directory cannot be created",
        remedy: baseRemedy)
      return true
    }
    found.good("\(name) exists")
    return true
  }

  /// The system's directories directly below the root (hier(7)); an empty one is the root itself.
  private static let systemDirectories: Set = ["", "etc", "home", "mnt", "opt", "root", "srv", "tmp", "usr", "var"]

  /// Lets the mail user enter the base, and write to it. The base may have another mail user, too.
  private var baseRemedy: Remedy {
    let name = PostfixDirectory.absolute(settings.mailboxBase.text)
    let parts = name.split(separator: "/").filter { $0 != "." }
    guard !parts.contains(".."), parts.count > 1 || !Self.systemDirectories.contains(String(parts.first ?? "")) else {
      let closed = site.user.map { TableFiles.closedDirectories(above: name + "/.", to: $0) } ?? []
      return closed.isEmpty
        ? .advice("create the directories of new domains yourself, and give them to \(site.userName)")
        : .run(Command.grant(site.userName, files: [], directories: closed))
    }
    let directories = site.user.map { TableFiles.closedDirectories(above: name, to: $0) } ?? []
    var isOwn = false
    do { isOwn = try Path(name.utf8).map { try stat($0).owner } == site.user?.id } catch {}
    return .run(
      Command.grant(site.userName, files: [], directories: directories)
        + [isOwn ? .chmod("u+rwx", name) : Command("setfacl", "-m", "u:\(site.userName):rwx", name)])
  }

  private func remedy(for error: MaildirError) -> Remedy {
    switch error {
    case .baseMissing: .advice("mount its volume, or create it as a directory of the mail user")
    case .baseEmpty: .advice("mount its volume; on a new server, set mailbox_base_may_be_empty = yes")
    case .system(let error) where error.number == Errno.EACCES: baseRemedy
    default: .advice("correct virtual_mailbox_base, or what is in its place")
    }
  }

  private mutating func examine(_ rows: [MailboxRow]) throws -> MaildirSample? {
    let sweep = try Sweep(settings, .rows(rows), Sweep.Workload(workers: 1, batchSize: 50))
    let rules = AuditRules(repairs: false)
    var findings: [Finding] = []
    var strangers: [(mailbox: String, owner: UInt32, path: Path)] = []
    var sample: MaildirSample?
    var present = 0
    // Only a count meets symlinked folders. A few mailboxes must do: one may hold a million messages.
    var uncounted = Self.maxCounts
    try sweep.run({ _ in
      uncounted -= 1
      return uncounted >= 0 ? .count : []
    }) { visit in
      if case .foreign(let owner) = visit.report.state, site.user != nil {
        strangers.append((visit.row.name, owner, visit.task.maildir))
        return
      }
      findings += rules.findings(visit.row, visit.report)
      if visit.report.state == .examined {
        present += 1
        sample = sample ?? MaildirSample(path: visit.task.maildir, owner: visit.owner ?? Credentials.current)
      }
      if let owner = visit.owner, let user = site.user, owner.user != user.id {
        strangers.append((visit.row.name, owner.user, visit.task.maildir))
      }
    }
    let count = found.findings.count
    add(strangers)
    add(findings, of: rows.count)
    if !found.hasTrouble(since: count) {
      let mailboxes = rows.count == 1 ? "a mailbox" : "\(rows.count) mailboxes"
      found.good("\(mailboxes) checked, \(present) with a Maildir: owners, modes and maildirsize are right")
    }
    return sample
  }

  private static let maxCounts = 10

  private mutating func add(_ strangers: [(mailbox: String, owner: UInt32, path: Path)]) {
    guard let first = strangers.first, let user = site.user else { return }
    let many = strangers.count == 1 ? "a Maildir belongs" : "\(strangers.count) Maildirs belong"
    let owner = User.name(of: first.owner)
    found.add(
      .error, .mailboxRights, "\(many) to \(owner), but deliveries run as \(user.name)",
      at: first.mailbox, reason: "mail to them is deferred",
      remedy: .advise(
        "unless they are to have an entry in master.cf with a user of their own, give them to \(user.name)",
        strangers.map { Command("chown", "-RH", user.name, $0.path.text) }))
  }

  /// One command for all mailboxes with a finding.
  private static func forAll(_ remedy: Remedy?) -> Remedy? {
    switch remedy {
    case .recompute?, .recomputeAgain?: .run(Command("ullage", "recompute", "--all"))
    case .recomputeAndAlign?: .advise(Remedy.align, [Command("ullage", "recompute", "--all")])
    default: remedy
    }
  }

  /// What an audit would find, as far as it concerns the setup: one finding per kind.
  private mutating func add(_ findings: [Finding], of seen: Int) {
    let kinds: [(FindingKind, FindingKind, String)] = [
      (.repeatedBase, .repeatedBase, "mail goes to the base below the base"),
      (.badLimit, .badLimit, "mail to it is deferred until that is corrected"),
      (.nullInList, .nullInList, "a delivery does not find what the list lacks"),
      (.wrongRights, .mailboxRights, "mail to it is deferred, or others can read it"),
      (.brokenMaildir, .brokenMailbox, "mail to it is deferred"), (.badPath, .brokenMailbox, "mail to it is deferred"),
      (.brokenLedger, .brokenMailbox, "the IMAP server shows no quota, or a wrong one, until it is recounted"),
      (.strayFolderMark, .brokenMailbox, "Courier's programs take the parent directory for the mailbox"),
      (
        .headerLimit, .headerLimit,
        "the IMAP server uses the limit in maildirsize, so it shows and enforces a different one"
      ),
      (.limitNotEnforced, .limitNotEnforced, "a quota in the database is not enforced"),
      (.linkedFolder, .linkedFolder, "what is in it is in no total"),
    ]
    // An inbox-only quota has no ledger, so skip the findings about it.
    let ofLedger: [FindingKind] =
      settings.countingRule.inboxOnly ? [.brokenLedger, .headerLimit, .limitNotEnforced] : []
    for (kind, ownKind, reason) in kinds where !ofLedger.contains(kind) {
      let some = findings.filter { $0.kind == kind }
      guard let worst = some.min(by: { Finding.isWorse($0, $1) }) else { continue }
      let others = some.count > 1 ? " (and \(some.count - 1) more of \(seen) mailboxes)" : ""
      found.add(
        worst.severity, ownKind, worst.evidence + others, at: worst.subject.name,
        reason: worst.reason.isEmpty ? reason : "\(reason). Likely: \(worst.reason)",
        remedy: some.count > 1 ? Self.forAll(worst.remedy) : worst.remedy)
    }
  }
}
