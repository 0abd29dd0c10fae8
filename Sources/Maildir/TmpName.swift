// SPDX-License-Identifier: Apache-2.0
import Posix

/// A name in `tmp/`, removed when this value goes out of scope, even if it names another file by then. It is public for
/// the same reason as `File`.
public struct TmpName: ~Copyable {
  /// Relative to the Maildir.
  private let path: Path
  private let maildir: Maildir

  /// Creates `tmp/` if it is missing.
  init(_ name: Path, in maildir: Maildir) throws(MaildirError) {
    try Maildir.makeTmp(in: maildir.directory)
    path = Path("tmp").appending(name)
    self.maildir = maildir
  }

  deinit {
    // Usually gone by now. What remains is removed by the 36-hour clean-up (Maildir).
    maildir.directory.unlinkIfThere(path)
  }

  /// Creates a file with this name, for reading and appending.
  func create() throws(SystemError) -> File {
    try File(
      openat: maildir.directory, path, [.readWrite, .append, .create, .exclusive, .noFollow], mode: 0o600)
  }

  /// The status of the file that has the name now, nil for none.
  func status() throws(SystemError) -> FileStatus? { try maildir.directory.fstatatIfThere(path) }

  /// Renames to `target`, a name relative to the Maildir. If the file system does not support `how`, link(2)
  /// or a plain rename is used.
  func rename(to target: Path, _ how: File.Renaming) throws(SystemError) {
    do { return try maildir.directory.renameat2(path, to: target, how) } catch {
      guard error.number == Errno.EINVAL || error.number == Errno.ENOSYS else { throw error }
    }
    guard how == .withoutReplacing else { return try maildir.directory.renameat2(path, to: target, .replacing) }
    try link(to: target, in: maildir.directory)
  }

  /// Adds a second name in `directory`.
  func link(to target: Path, in directory: borrowing File) throws(SystemError) {
    do { try maildir.directory.linkat(path, to: directory, as: target) } catch {
      // NFS may lose the reply to a call that succeeded: then both names are the same file.
      guard isLinked(as: target, in: directory) else { throw error }
    }
  }

  /// Whether `target` is certainly the same file.
  private func isLinked(as target: Path, in directory: borrowing File) -> Bool {
    do throws(SystemError) {
      guard let source = try status(), let linked = try directory.fstatatIfThere(target) else { return false }
      return source.identity == linked.identity
    } catch { return false }
  }
}
