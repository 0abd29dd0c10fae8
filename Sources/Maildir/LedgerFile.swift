// SPDX-License-Identifier: Apache-2.0
import Posix
package import Quota

/// A ledger as read from the file.
package struct LedgerText: Sendable {
  package let bytes: [UInt8]
  package let contents: LedgerContents
}

/// The result of reading a ledger.
package struct LedgerReading: Sendable {
  package let text: Result<LedgerText, LedgerFault>
  /// The limit in the first line, even if the rest is invalid; nil if there is none.
  package let headerLimit: QuotaLimit?

  static func fault(_ fault: LedgerFault) -> LedgerReading {
    LedgerReading(text: .failure(fault), headerLimit: nil)
  }

  package var fault: LedgerFault? { if case .failure(let fault) = text { fault } else { nil } }
}

/// An open `maildirsize`. Another program may have put a new file under that name since it was opened.
struct LedgerFile: ~Copyable {
  static let name: Path = "maildirsize"

  let file: File
  /// The status when it was opened.
  let status: FileStatus

  /// - Parameter mayBeReadOnly: accept a read-only file system, for callers that only read. A delivery defers there.
  static func open(
    in directory: borrowing File, mayBeReadOnly: Bool
  ) throws(MaildirError) -> Result<LedgerFile, LedgerFault> {
    let file: File
    do throws(SystemError) {
      do {
        file = try File(openat: directory, name, [.readWrite, .append, .noFollow, .nonBlocking])
      } catch {
        guard mayBeReadOnly, error.number == Errno.EROFS else { throw error }
        file = try File(openat: directory, name, [.noFollow, .nonBlocking])
      }
    } catch {
      switch error.number {
      case Errno.ENOENT: return .failure(.missing)
      case Errno.ELOOP, Errno.ENXIO, Errno.ENODEV, Errno.EISDIR: return .failure(.notAFile)
      case Errno.EACCES, Errno.EPERM: return .failure(.unreadable)
      default: throw .system(error)
      }
    }
    let status: FileStatus
    do { status = try file.fstat(name) } catch { throw .system(error) }
    guard status.kind == .regular else { return .failure(.notAFile) }
    return .success(LedgerFile(file: file, status: status))
  }

  private init(file: consuming File, status: FileStatus) {
    self.file = file
    self.status = status
  }

  /// Takes ownership of a file that was just written.
  init(written file: consuming File) throws(MaildirError) {
    let status: FileStatus
    do { status = try file.fstat(Self.name) } catch { throw .system(error) }
    self.init(file: file, status: status)
  }

  /// - Parameter limit: the mailbox's limit. If it has one, a header without a limit is a fault.
  func read(limit: QuotaLimit) throws(MaildirError) -> LedgerReading {
    let reading = try readOnce(limit)
    // Another program's append that crosses a page becomes visible in two steps.
    guard reading.fault == .torn else { return reading }
    return try readOnce(limit)
  }

  private func readOnce(_ limit: QuotaLimit) throws(MaildirError) -> LedgerReading {
    let bytes: [UInt8]
    do { bytes = try file.pread(upTo: LedgerContents.largestSize + 1) } catch {
      throw .system(SystemError(error.call, Self.name.bytes, error.number))
    }
    let contents: LedgerContents
    do { contents = try LedgerContents(bytes) } catch {
      return LedgerReading(text: .failure(error), headerLimit: LedgerContents.limit(in: bytes))
    }
    var text: Result<LedgerText, LedgerFault> = .success(LedgerText(bytes: bytes, contents: contents))
    if contents.limit == .none && limit != .none { text = .failure(.unlimited) }
    if case .success = text, contents.isLopsided, try !isFresh(contents) { text = .failure(.lopsided) }
    return LedgerReading(text: text, headerLimit: contents.limit)
  }

  /// The bytes from `offset` on.
  func bytes(from offset: Int64) throws(SystemError) -> [UInt8] {
    try file.pread(upTo: LedgerContents.largestSize, at: offset)
  }

  /// Whether the total was counted less than 15 minutes ago, so that it suffices for refusing a message.
  func isFresh(_ contents: LedgerContents) throws(MaildirError) -> Bool {
    try countedTime(contents)?.isWithin(seconds: 900) ?? false
  }

  /// When the total was counted, nil if that is unknown.
  ///
  /// Either the file has a single entry, so it was counted when it was changed, which is Maildir++'s own rule, or a
  /// recount of ours created it, whatever was appended since. A time in the future is no time.
  func countedTime(_ contents: LedgerContents) throws(MaildirError) -> Timestamp? {
    guard !contents.isCompacted else { return nil }
    var time: Timestamp?
    do {
      let status = try file.fstat(Self.name)
      let now = Timestamp.now
      if contents.entryCount == 1, status.modified <= now { time = status.modified }
      // A file restored from a backup with its old mtime has a birth time after its mtime (`wasRestored`).
      if contents.hasCountedMark, time == nil, let birth = try file.birthTime(), status.modified >= birth,
        birth <= now
      {
        time = birth
      }
    } catch { throw .system(error) }
    return time
  }

  /// Whether the file was restored from a backup, and nothing has been appended since: its birth time is
  /// after its mtime. Its total was counted, but not from the messages that are there now.
  func wasRestored() throws(MaildirError) -> Bool {
    do { return try file.birthTime().map { status.modified < $0 } ?? false } catch { throw .system(error) }
  }

  /// Whether the file was created less than `seconds` ago, or changed if birth times are not recorded.
  func isYounger(than seconds: Int64) throws(MaildirError) -> Bool {
    do {
      let status = try file.fstat(Self.name)
      return (try file.birthTime() ?? status.changed).isWithin(seconds: seconds)
    } catch { throw .system(error) }
  }

  /// Whether the file was changed less than `seconds` ago, or in the future, by its ctime.
  func wasChanged(within seconds: Int64) throws(MaildirError) -> Bool {
    do { return Timestamp.now < (try file.fstat(Self.name)).changed.adding(seconds: seconds) } catch {
      throw .system(error)
    }
  }

  /// Adds a line by one write(2). A partial line is ended with LF, which makes every reader recount.
  func append(_ entry: [UInt8]) throws(MaildirError) {
    do {
      let count = try file.writeOnce(entry.span)
      guard count != entry.count else { return }
      _ = try file.writeOnce([UInt8(ascii: "\n")].span)
    } catch { throw .system(SystemError(error.call, Self.name.bytes, error.number)) }
    throw .appendedInPart
  }

  /// Makes the entries durable (fdatasync(2)), on a network file system on its server.
  func synchronize() throws(MaildirError) {
    do { try file.fdatasync(Self.name) } catch { throw .system(error) }
  }
}
