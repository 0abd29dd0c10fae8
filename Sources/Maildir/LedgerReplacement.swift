// SPDX-License-Identifier: Apache-2.0
import Posix

/// A new `maildirsize`, written and made durable in `tmp/`, that is to take the old one's place.
///
/// It is synced because an empty file, which a power cut may leave of one that was not, means "no quota" to Courier.
struct LedgerReplacement: ~Copyable {
  let file: File
  let tmp: TmpName
  /// Bytes of the old file that the new one has taken in.
  private(set) var summed: Int64 = 0

  /// - Parameter bytes: the whole content, below 4096 bytes.
  static func write(
    _ bytes: [UInt8], in maildir: borrowing Maildir, names: UniqueName
  ) throws(MaildirError) -> LedgerReplacement {
    try Maildir.makeTmp(in: maildir.directory)
    let tmp = TmpName(names.temporary(), in: maildir)
    let old = try? maildir.directory.fstatat(Ledger.name)
    // Another user's mode, for instance root's left-over, is no model.
    let model = old?.kind == .regular && old?.owner == CurrentProcess.effectiveUser ? old : nil
    let file: File
    do { file = try tmp.create(in: maildir) } catch { throw .system(error) }
    do {
      try setMode(of: file, model?.permissions ?? maildir.permissions, group: model?.group ?? maildir.group)
      try file.write(bytes.span)
      try file.fdatasync(Ledger.name)
    } catch { throw .system(error) }
    return LedgerReplacement(file: file, tmp: tmp)
  }

  private init(file: consuming File, tmp: consuming TmpName) {
    self.file = file
    self.tmp = tmp
  }

  /// Adds the lines that came to the old file since it was summed.
  mutating func append(_ lines: ArraySlice<UInt8>, summed: Int) throws(MaildirError) {
    self.summed = Int64(summed)
    do { if !lines.isEmpty { try file.write(Array(lines).span) } } catch { throw .system(error) }
  }

  /// Puts the new file in the place of `expected`, or of nothing when that is nil.
  ///
  /// - Returns: false, and nothing has changed, when another program's file stood there.
  func install(inPlaceOf expected: FileIdentity?, in maildir: borrowing Maildir) throws(MaildirError) -> Bool {
    do throws(SystemError) {
      guard let expected else { return try install(inPlaceOfNothing: maildir) }
      do throws(SystemError) { try tmp.rename(to: Ledger.name, in: maildir, .exchanging) } catch {
        // Removed a moment ago, which is how administrators make programs count.
        guard error.number == Errno.ENOENT else { throw error }
        return try install(inPlaceOfNothing: maildir)
      }
      // Where files cannot change places, the old one is gone, and nothing is left to look at.
      guard let cameOut = try? tmp.status(in: maildir).identity, cameOut != expected else { return true }
      try tmp.rename(to: Ledger.name, in: maildir, .exchanging)
      return false
    } catch { throw .system(error) }
  }

  private func install(inPlaceOfNothing maildir: borrowing Maildir) throws(SystemError) -> Bool {
    do { try tmp.rename(to: Ledger.name, in: maildir, .withoutReplacing) } catch {
      guard error.number == Errno.EEXIST else { throw error }
      return false
    }
    return true
  }

  private static func setMode(of file: borrowing File, _ mode: UInt32, group: UInt32) throws(SystemError) {
    var mode = mode & 0o666 | 0o600
    if try file.fstat().group != group {
      // A group that we are not in cannot be given: then nobody gets the group's rights.
      do { try file.fchown(group: group) } catch { mode &= 0o606 }
    }
    try file.fchmod(mode, Ledger.name)
  }
}
