// SPDX-License-Identifier: Apache-2.0
import Posix
import Quota

/// The `maildirsize` of a Maildir, whichever file has that name.
///
/// Other programs replace this file and append to it without a lock. The file that has the name counts; an open descriptor
/// may have lost it. All methods except `readUnlocked` require the Maildir's lock.
struct Ledger: ~Copyable {
  let limit: QuotaLimit
  /// See `LedgerFile.open`.
  var mayBeReadOnly = false
  private let maildir: Maildir
  private var file: LedgerFile?
  /// The open file's, when it was opened.
  private var status: FileStatus?
  /// The text read last, and the file's mtime just before it was read.
  private var lastRead: (text: LedgerText, modified: Timestamp)?
  /// A file that we replaced, to which other programs may still append.
  private var displaced: DisplacedLedger?
  private var snapshot: Snapshot?

  /// What had the name when a count began.
  struct Snapshot {
    /// Nil for nothing.
    let status: FileStatus?
    /// Bytes.
    var length: Int64 { status?.kind == .regular ? status?.size ?? 0 : 0 }
  }

  init(of maildir: Maildir, limit: QuotaLimit) {
    self.maildir = maildir
    self.limit = limit
  }

  var identity: FileIdentity? { status?.identity }

  /// A directory has the ledger's name, which only an administrator can put right.
  var snapshotIsDirectory: Bool { snapshot?.status?.kind == .directory }

  /// Reads the file that has the name now, opening it again when it was replaced.
  mutating func read() throws(MaildirError) -> Result<LedgerText, LedgerFault> {
    for _ in 0..<8 {
      if file == nil {
        if let fault = try open() { return .failure(fault) }
      } else {
        guard let status = try named(), status.identity == identity else {
          close()
          continue
        }
        // An entry makes the file longer.
        if let lastRead, lastRead.modified == status.modified, lastRead.text.bytes.count == status.size {
          return .success(lastRead.text)
        }
      }
      return try contents()
    }
    throw .ledgerUnsteady
  }

  /// Reads without the lock; what it says is to be confirmed under it.
  mutating func readUnlocked() throws(MaildirError) -> Result<LedgerText, LedgerFault> {
    if file == nil, let fault = try open() { return .failure(fault) }
    let text = try contents()
    if case .success(let text) = text, let modified = status?.modified { lastRead = (text, modified) }
    return text
  }

  /// Closes the file, and one that it replaced: its late lines do not belong in another program's file.
  mutating func close() {
    file = nil
    status = nil
    displaced = nil
    lastRead = nil
  }

  func isFresh(_ contents: LedgerContents) throws(MaildirError) -> Bool { try file?.isFresh(contents) ?? false }
  func wasRestored() throws(MaildirError) -> Bool { try file?.wasRestored() ?? false }
  func isYounger(than seconds: Int64) throws(MaildirError) -> Bool { try file?.isYounger(than: seconds) ?? true }
  func wasChanged(within seconds: Int64) throws(MaildirError) -> Bool { try file?.wasChanged(within: seconds) ?? true }

  /// Adds a line to the open file; nothing where there is none.
  func append(_ entry: [UInt8]) throws(MaildirError) { try file?.append(entry) }

  /// Repeats a positive entry in the file that replaced ours since it was read: at worst counted twice, never missed.
  mutating func appendAgainIfReplaced(_ entry: [UInt8]) throws(MaildirError) {
    guard file != nil, try named()?.identity != identity else { return }
    close()
    guard try open() == nil else { return }
    try append(entry)
  }

  /// From here on, lines that other programs append to the file that is about to be replaced are carried over, and a
  /// file that another program puts in its place stays there.
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

  /// Puts `replacement`, a counted total, in the place of the file of the snapshot.
  ///
  /// - Returns: false, and nothing has changed, when another program's file has the name now.
  mutating func install(counted replacement: consuming LedgerReplacement) throws(MaildirError) -> Bool {
    let late = maildir.isOnNetwork ? try lateLines() : []
    guard let late, try replacement.install(inPlaceOf: snapshot?.status?.identity) else { return false }
    try adopt(replacement, carryingOver: .positive)
    if !late.isEmpty { try append(late) }
    return true
  }

  /// Puts `replacement`, the sum of the open file, in its place, unless another program has replaced that meanwhile.
  mutating func install(compacted replacement: consuming LedgerReplacement) throws(MaildirError) {
    let old = identity
    if maildir.isOnNetwork { close() }
    guard try replacement.install(inPlaceOf: old) else { return }
    try adopt(replacement, carryingOver: .all)
  }

  /// Brings lines that arrived at the replaced file into the new one. What fails here is found by the next count.
  mutating func carryOver() {
    guard let lines = displaced?.takeLines(), !lines.isEmpty else { return }
    do { try append(lines) } catch {}
  }

  /// On a network file system, where the file that is about to be replaced cannot be kept open: the lines that were
  /// appended to it since the snapshot; nil when another program's file has the name now.
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
  ) throws(MaildirError) {
    let offset = lines == .all ? replacement.summed : snapshot?.length ?? 0
    let new = try LedgerFile(written: replacement.file)
    if let old = file.take() {
      displaced = DisplacedLedger(file: old, tmp: replacement.tmp, offset: offset, lines: lines)
    }
    status = new.status
    file = consume new
    lastRead = nil
    carryOver()
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
