// SPDX-License-Identifier: Apache-2.0
import Posix
import Quota
import Text

/// The open `maildirsize` of a Maildir.
///
/// Other programs replace this file and append to it without a lock. What is under the name counts; a descriptor may
/// have lost it. All methods but `readUnlocked` want the Maildir's lock held.
struct Ledger: ~Copyable {
  static let name: Path = "maildirsize"

  let limit: QuotaLimit
  /// A file system that cannot be written to is no error: for who only looks. A delivery defers there, whatever the
  /// ledger says.
  var readsSnapshots = false
  private var file: File?
  private(set) var identity: FileIdentity?
  /// What was read last, and the time of the file's last change before that.
  private var lastRead: (text: LedgerText, modified: Timestamp)?
  /// What the file was when it was opened; nil before.
  private(set) var statusWhenOpened: FileStatus?
  private var modifiedWhenOpened: Timestamp { statusWhenOpened?.modified ?? .distantPast }
  /// The limit in the first line of what was read last, although the rest may be of no use; nil when it has none.
  private(set) var headerLimit: QuotaLimit?
  /// A file that we replaced, to which other programs may still append.
  private var displaced: DisplacedLedger?
  /// What had the name at `mark`, nil for nothing.
  private(set) var marked: FileStatus?
  /// How long it was then, bytes.
  private var markedLength: Int64 = 0

  init(limit: QuotaLimit) {
    self.limit = limit
  }

  var isOpen: Bool { file != nil }

  /// Reads the file that has the name now, opening it anew when it was replaced.
  mutating func read(in maildir: borrowing Maildir) throws(MaildirError) -> Result<LedgerText, LedgerFault> {
    for _ in 0..<8 {
      if !isOpen {
        if let fault = try open(in: maildir.directory) { return .failure(fault) }
      } else {
        guard let status = try named(in: maildir), status.identity == identity else {
          close()
          continue
        }
        // Whoever adds a line makes the file longer.
        if let lastRead, lastRead.modified == status.modified, lastRead.text.bytes.count == status.size {
          return .success(lastRead.text)
        }
      }
      return try contents()
    }
    throw .ledgerUnsteady
  }

  /// A look without the lock, to be confirmed under it.
  mutating func readUnlocked(in maildir: borrowing Maildir) throws(MaildirError) -> Result<LedgerText, LedgerFault> {
    try readUnlocked(in: maildir.directory)
  }

  /// - Parameter directory: a Maildir.
  mutating func readUnlocked(in directory: borrowing File) throws(MaildirError) -> Result<LedgerText, LedgerFault> {
    if !isOpen, let fault = try open(in: directory) { return .failure(fault) }
    let reading = try contents()
    if case .success(let text) = reading { lastRead = (text, modifiedWhenOpened) }
    return reading
  }

  /// Lets go of the file, and of one that it replaced: its late lines do not belong into another program's file.
  mutating func close() {
    file = nil
    identity = nil
    displaced = nil
    lastRead = nil
  }

  /// Whether the total was counted less than 15 minutes ago, so that it may refuse a message.
  ///
  /// Either a single line in a file changed that recently, which is Maildir++'s own rule, or a file that a recount of
  /// ours made that recently, whatever was appended since. A time in the future is not recent.
  func isFresh(_ contents: LedgerContents) throws(MaildirError) -> Bool {
    guard file != nil, !contents.isCompacted else { return false }
    do {
      guard let status = try file?.fstat(Self.name) else { return false }
      if contents.entryCount == 1 && status.modified.isWithin(seconds: 900) { return true }
      // A copy restored with its old time is born later than it was last changed (`wasRestored`).
      guard contents.isOurs, let birth = try file?.birthTime() else { return false }
      return birth.isWithin(seconds: 900) && status.modified >= birth
    } catch { throw .system(error) }
  }

  /// Whether the file was put back from a backup, and nothing has been appended since: it is younger than its last
  /// change. Its total was counted, but not of what is there now.
  func wasRestored() throws(MaildirError) -> Bool {
    do { return try file?.birthTime().map { modifiedWhenOpened < $0 } ?? false } catch { throw .system(error) }
  }

  /// Whether the open file was made less than `seconds` ago; where births are not recorded, whether it was changed.
  func isYounger(than seconds: Int64) throws(MaildirError) -> Bool {
    do {
      guard let status = try file?.fstat(Self.name) else { return true }
      return (try file?.birthTime() ?? status.changed).isWithin(seconds: seconds)
    } catch { throw .system(error) }
  }

  /// Whether an entry or a new status came less than `seconds` ago.
  func wasChanged(within seconds: Int64) throws(MaildirError) -> Bool {
    do {
      guard let status = try file?.fstat(Self.name) else { return true }
      return Timestamp.now < max(status.modified, status.changed).adding(seconds: seconds)
    } catch { throw .system(error) }
  }

  /// Adds a line by one write(2). A part of a line is ended with LF, which makes every reader count anew.
  func append(_ entry: [UInt8]) throws(MaildirError) {
    guard file != nil else { return }
    do {
      let count = try file?.writeOnce(entry.span)
      guard count != entry.count else { return }
      _ = try file?.writeOnce([UInt8(ascii: "\n")].span)
    } catch { throw .system(SystemError(error.call, Self.name.bytes, error.number)) }
    throw .appendedInPart
  }

  /// Repeats a positive entry in the file that replaced ours since it was read: counted twice at worst, never not.
  mutating func appendAgainIfReplaced(_ entry: [UInt8], in maildir: borrowing Maildir) throws(MaildirError) {
    guard isOpen, try named(in: maildir)?.identity != identity else { return }
    close()
    guard try open(in: maildir.directory) == nil else { return }
    try append(entry)
  }

  /// From here on, lines that other programs append to the file that is about to be replaced are carried over, and a
  /// file that another program puts in its place is left there.
  mutating func mark(in maildir: borrowing Maildir) throws(MaildirError) {
    close()
    markedLength = 0
    let fault = try open(in: maildir.directory)
    switch fault {
    case nil:
      do { marked = try file?.fstat(Self.name) } catch { throw .system(error) }
      markedLength = marked?.size ?? 0
    case .missing?: marked = nil
    default: marked = try named(in: maildir)
    }
    // NFS keeps a file that is replaced while it is open under a name of its own in the Maildir.
    if maildir.isOnNetwork { close() }
  }

  /// On a network file system, where the file that is about to be replaced cannot be kept open: the lines that came to
  /// it since `mark`; nil when another program's file has the name now.
  mutating func lateLines(in maildir: borrowing Maildir) throws(MaildirError) -> [UInt8]? {
    guard let marked else { return try named(in: maildir) == nil ? [] : nil }
    defer { close() }
    let fault = try open(in: maildir.directory)
    guard fault == nil else { return try named(in: maildir)?.identity == marked.identity ? [] : nil }
    guard identity == marked.identity else { return nil }
    do {
      let late = try file?.pread(upTo: LedgerContents.largestSize, at: markedLength) ?? []
      return DisplacedLedger.positiveLines(of: late[...])
    } catch { throw .system(error) }
  }

  /// Takes over the file that `replacement` put in this one's place.
  mutating func adopt(
    _ replacement: consuming LedgerReplacement, carryingOver: DisplacedLedger.Lines
  ) throws(MaildirError) {
    let offset = carryingOver == .all ? replacement.summed : markedLength
    do { identity = try replacement.file.fstat(Self.name).identity } catch { throw .system(error) }
    if let old = file.take() {
      displaced = DisplacedLedger(file: old, tmp: replacement.tmp, offset: offset, lines: carryingOver)
    }
    file = consume replacement.file
    lastRead = nil
    carryOver()
  }

  /// Brings lines that arrived at the replaced file into the new one. What fails here is found by the next count.
  mutating func carryOver() {
    guard let lines = displaced?.takeLines(), !lines.isEmpty else { return }
    _ = try? file?.writeOnce(lines.span)
  }

  private mutating func open(in directory: borrowing File) throws(MaildirError) -> LedgerFault? {
    let opened: File
    do throws(SystemError) {
      do {
        opened = try File(openat: directory, Self.name, [.readWrite, .append, .noFollow, .nonBlocking])
      } catch {
        guard readsSnapshots, error.number == Errno.EROFS else { throw error }
        opened = try File(openat: directory, Self.name, [.noFollow, .nonBlocking])
      }
    } catch {
      switch error.number {
      case Errno.ENOENT: return .missing
      case Errno.ELOOP, Errno.ENXIO, Errno.ENODEV, Errno.EISDIR: return .notAFile
      case Errno.EACCES, Errno.EPERM: return .unreadable
      default: throw .system(error)
      }
    }
    do {
      let status = try opened.fstat(Self.name)
      guard status.kind == .regular else { return .notAFile }
      identity = status.identity
      statusWhenOpened = status
    } catch { throw .system(error) }
    file = consume opened
    return nil
  }

  /// What has the ledger's name now, nil for nothing.
  private func named(in maildir: borrowing Maildir) throws(MaildirError) -> FileStatus? {
    do { return try maildir.directory.fstatat(Self.name) } catch {
      guard error.number == Errno.ENOENT else { throw .system(error) }
      return nil
    }
  }

  private mutating func contents() throws(MaildirError) -> Result<LedgerText, LedgerFault> {
    let reading = try text()
    // Another program's append that crosses a page becomes visible in two steps.
    guard case .failure(.torn) = reading else { return reading }
    return try text()
  }

  private mutating func text() throws(MaildirError) -> Result<LedgerText, LedgerFault> {
    let bytes: [UInt8]
    do { bytes = try file?.pread(upTo: LedgerContents.largestSize + 1) ?? [] } catch {
      throw .system(SystemError(error.call, Self.name.bytes, error.number))
    }
    let contents: LedgerContents
    do { contents = try LedgerContents(bytes) } catch {
      headerLimit = LedgerContents.limit(in: bytes)
      return .failure(error)
    }
    headerLimit = contents.limit
    if contents.limit == .none && limit != .none { return .failure(.unlimited) }
    if contents.isLopsided, try !isFresh(contents) { return .failure(.lopsided) }
    return .success(LedgerText(bytes: bytes, contents: contents))
  }
}

/// A ledger as it was read.
struct LedgerText {
  let bytes: [UInt8]
  let contents: LedgerContents
}
