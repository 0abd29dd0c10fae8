// SPDX-License-Identifier: Apache-2.0
import Posix

/// A new `maildirsize`, written and synced in `tmp/`, that will replace the old one.
///
/// It is synced because a power cut could otherwise leave an empty file, which means "no quota" to Courier.
struct LedgerReplacement: ~Copyable {
  let file: File
  let tmp: TmpName
  /// Bytes of the old file that the new one includes.
  private(set) var summed: Int64 = 0

  private let maildir: Maildir

  /// - Parameter bytes: the whole content, below 4096 bytes.
  static func write(
    _ bytes: [UInt8], in maildir: Maildir, names: UniqueName
  ) throws(MaildirError) -> LedgerReplacement {
    let tmp = try TmpName(names.temporary(), in: maildir)
    let old: FileStatus?
    do { old = try maildir.directory.fstatatIfThere(LedgerFile.name) } catch { throw .system(error) }
    // The mode of another user's file, such as one left by root, is not copied.
    let model = old?.kind == .regular && old?.owner == CurrentProcess.effectiveUser ? old : nil
    let file: File
    do { file = try tmp.create() } catch { throw .system(error) }
    do {
      try setMode(of: file, model?.permissions ?? maildir.permissions, group: model?.group ?? maildir.group)
      try file.write(bytes.span)
      try file.fdatasync(LedgerFile.name)
    } catch { throw .system(error) }
    return LedgerReplacement(file: file, tmp: tmp, maildir: maildir)
  }

  private init(file: consuming File, tmp: consuming TmpName, maildir: Maildir) {
    self.file = file
    self.tmp = tmp
    self.maildir = maildir
  }

  /// Adds the lines that were appended to the old file since it was summed.
  mutating func append(_ lines: ArraySlice<UInt8>, summed: Int) throws(MaildirError) {
    self.summed = Int64(summed)
    do { if !lines.isEmpty { try file.write(Array(lines).span) } } catch { throw .system(error) }
  }

  /// Puts a sum in the place of `expected`.
  ///
  /// If another program has just written a ledger, that one is lost. To put it back would be wrong: in the meantime
  /// there may be a newer one, or entries in ours. So the name is removed, and the next one who needs a total counts.
  /// - Returns: false if another file was there, or none: an administrator has removed it to force a count.
  func install(sumOf expected: FileIdentity) throws(MaildirError) -> Bool {
    do throws(SystemError) {
      guard try exchange() else { return false }
      // Without RENAME_EXCHANGE it is gone, and nothing tells which file it was.
      guard let cameOut = try tmp.status()?.identity, cameOut != expected else { return true }
      maildir.directory.unlinkIfThere(LedgerFile.name)
      return false
    } catch { throw .system(error) }
  }

  /// Puts a counted total in the place of a ledger, if there was one, or of none.
  ///
  /// - Returns: false, with nothing changed, if there was none and now there is another program's.
  func install(counted wasThere: Bool) throws(MaildirError) -> Bool {
    do throws(SystemError) {
      if wasThere, try exchange() { return true }
      try tmp.rename(to: LedgerFile.name, .withoutReplacing)
      return true
    } catch {
      guard error.number == Errno.EEXIST else { throw .system(error) }
      return false
    }
  }

  /// After the exchange, whether that file came out; false if nothing tells, as without RENAME_EXCHANGE.
  func hasReplaced(_ expected: FileIdentity?) -> Bool {
    guard let expected else { return false }
    do { return try tmp.status()?.identity == expected } catch { return false }
  }

  /// Exchanges the names of the old ledger and the new one; false if there is no old one. Without RENAME_EXCHANGE the
  /// new one takes the name in any case.
  private func exchange() throws(SystemError) -> Bool {
    do { try tmp.rename(to: LedgerFile.name, .exchanging) } catch {
      guard error.number == Errno.ENOENT else { throw error }
      return false
    }
    return true
  }

  private static func setMode(of file: borrowing File, _ mode: UInt32, group: UInt32) throws(SystemError) {
    var mode = mode & 0o666 | 0o600
    if try file.fstat().group != group {
      // A group that we are not in cannot be set, so the file gets no group permissions.
      do { try file.fchown(group: group) } catch { mode &= 0o606 }
    }
    try file.fchmod(mode, LedgerFile.name)
  }
}
