// SPDX-License-Identifier: Apache-2.0
import Posix
import Quota

/// The `maildirsize` of a Maildir, whichever file has that name now.
///
/// Other programs replace this file and append to it without a lock. The file that has the name counts; an
/// open one may be older. `read` (except in a dry run) and `install` require the Maildir's lock.
struct Ledger: ~Copyable {
  let limit: QuotaLimit
  /// See `LedgerFile.open`.
  var mayBeReadOnly = false
  private let maildir: Maildir
  private var file: LedgerFile?
  /// The status of the open file when it was opened.
  private var status: FileStatus?
  /// The text read last, and the file's mtime when it was opened.
  private var lastRead: (text: LedgerText, modified: Timestamp)?
  /// A file that we replaced, to which other programs may still append.
  private var displaced: DisplacedLedger?
  private var snapshot: Snapshot?
  /// Whether the counted total that was installed last has replaced exactly the file of the snapshot.
  private(set) var hasReplacedSnapshot = false

  /// The file that had the name when a count began.
  struct Snapshot {
    /// Nil if there was none.
    let status: FileStatus?
    /// Bytes.
    var length: Int64 { status?.kind == .regular ? status?.size ?? 0 : 0 }
  }

  init(of maildir: Maildir, limit: QuotaLimit) {
    self.maildir = maildir
    self.limit = limit
  }

  var identity: FileIdentity? { status?.identity }

  /// Whether a directory has the ledger's name, which only an administrator can fix.
  var snapshotIsDirectory: Bool { snapshot?.status?.kind == .directory }

  /// Reads the file that has the name now, reopening it if it was replaced.
  mutating func read() throws(MaildirError) -> Result<LedgerText, LedgerFault> {
    for _ in 0..<8 {
      if file == nil {
        if let fault = try open() { return .failure(fault) }
      } else {
        guard let status = try named(), status.identity == identity else {
          close()
          continue
        }
        // Every entry makes the file longer.
        if let lastRead, lastRead.modified == status.modified, lastRead.text.bytes.count == status.size {
          return .success(lastRead.text)
        }
      }
      return try contents()
    }
    throw .ledgerUnsteady
  }

  /// Reads without the lock; the result must be confirmed under it.
  mutating func readUnlocked() throws(MaildirError) -> Result<LedgerText, LedgerFault> {
    if file == nil, let fault = try open() { return .failure(fault) }
    let text = try contents()
    if case .success(let text) = text, let modified = status?.modified { lastRead = (text, modified) }
    return text
  }

  /// Closes the file and the one that it replaced, whose late lines do not belong in another program's file.
  mutating func close() {
    file = nil
    status = nil
    displaced = nil
    lastRead = nil
  }

  func countedTime(_ contents: LedgerContents) throws(MaildirError) -> Timestamp? { try file?.countedTime(contents) }
  func wasRestored() throws(MaildirError) -> Bool { try file?.wasRestored() ?? false }
  func isYounger(than seconds: Int64) throws(MaildirError) -> Bool { try file?.isYounger(than: seconds) ?? true }
  func wasChanged(within seconds: Int64) throws(MaildirError) -> Bool { try file?.wasChanged(within: seconds) ?? true }

  /// Adds a line to the open file; does nothing if there is none.
  func append(_ entry: [UInt8]) throws(MaildirError) {
    try file?.append(entry)
    // The client of a network file system keeps the entry in memory until the file is closed. If it lost its power
    // before, there would be a message without an entry, and another host would go beyond the limit.
    if maildir.isOnNetwork { try file?.synchronize() }
  }

  /// Repeats a positive entry if our file has been replaced: at worst counted twice, never missed.
  mutating func appendAgainIfReplaced(_ entry: [UInt8]) throws(MaildirError) {
    guard file != nil, try named()?.identity != identity else { return }
    close()
    guard try open() == nil else { return }
    try append(entry)
  }

  /// Remembers the file that is about to be replaced. Lines that other programs append to it from now on are
  /// carried over, and a file that another program puts in its place stays there.
  mutating func takeSnapshot() throws(MaildirError) {
    close()
    switch try open() {
    case nil: snapshot = Snapshot(status: status)
    case .missing?: snapshot = Snapshot(status: nil)
    default: snapshot = Snapshot(status: try named())
    }
    // The NFS client renames an open file that is replaced to `.nfsXXXX` in the same directory.
    if maildir.isOnNetwork { close() }
  }

  /// Replaces the ledger by `replacement`, a counted total.
  ///
  /// - Returns: the sum of the lines that were carried over. Nil, with nothing changed, if there was no ledger, and
  ///   another program has made one meanwhile; on a network file system also if one has replaced that of the snapshot.
  mutating func install(counted replacement: consuming LedgerReplacement) throws(MaildirError) -> QuotaUsage? {
    let late = maildir.isOnNetwork ? try lateLines() : []
    guard let late, try replacement.install(counted: snapshot?.status != nil) else { return nil }
    hasReplacedSnapshot = replacement.hasReplaced(snapshot?.status?.identity)
    let carried = try adopt(replacement, carryingOver: .positive)
    if !late.isEmpty { try append(late) }
    return carried
  }

  /// Replaces the open file by `replacement`, its sum, unless another program has replaced or removed it meanwhile.
  mutating func install(compacted replacement: consuming LedgerReplacement) throws(MaildirError) {
    guard let old = identity else { return }
    if maildir.isOnNetwork { close() }
    guard try replacement.install(sumOf: old) else { return close() }
    _ = try adopt(replacement, carryingOver: .all)
  }

  /// Copies lines appended to the replaced file into the new one. The next count makes up for a failure.
  ///
  /// - Returns: their sum.
  @discardableResult mutating func carryOver() -> QuotaUsage {
    guard let lines = displaced?.takeLines(), !lines.isEmpty else { return .none }
    do { try append(lines) } catch { return .none }
    do { return try LedgerContents(Array("0S\n".utf8) + lines).usage } catch { return .none }
  }

  /// The lines appended since the snapshot to the file about to be replaced; nil if another program's file
  /// has the name now. For network file systems, on which the file cannot be kept open.
  private mutating func lateLines() throws(MaildirError) -> [UInt8]? {
    guard let old = snapshot?.status else { return try named() == nil ? [] : nil }
    defer { close() }
    guard try open() == nil else { return try named()?.identity == old.identity ? [] : nil }
    guard identity == old.identity else { return nil }
    do {
      let late = try file?.bytes(from: snapshot?.length ?? 0) ?? []
      return DisplacedLedger.positiveLines(of: late[...])
    } catch { throw .system(error) }
  }

  private mutating func adopt(
    _ replacement: consuming LedgerReplacement, carryingOver lines: DisplacedLedger.Lines
  ) throws(MaildirError) -> QuotaUsage {
    let offset = lines == .all ? replacement.summed : snapshot?.length ?? 0
    let new = try LedgerFile(written: replacement.file)
    if let old = file.take() {
      displaced = DisplacedLedger(file: old, tmp: replacement.tmp, offset: offset, lines: lines)
    }
    status = new.status
    file = consume new
    lastRead = nil
    return carryOver()
  }

  private mutating func open() throws(MaildirError) -> LedgerFault? {
    switch try LedgerFile.open(in: maildir.directory, mayBeReadOnly: mayBeReadOnly) {
    case .success(let opened):
      status = opened.status
      file = consume opened
    case .failure(let fault): return fault
    }
    return nil
  }

  /// The file that has the ledger's name now, nil for none.
  private func named() throws(MaildirError) -> FileStatus? {
    do { return try maildir.directory.fstatatIfThere(LedgerFile.name) } catch { throw .system(error) }
  }

  private func contents() throws(MaildirError) -> Result<LedgerText, LedgerFault> {
    try file?.read(limit: limit).text ?? .failure(.missing)
  }
}
