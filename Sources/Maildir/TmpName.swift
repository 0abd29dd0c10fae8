// SPDX-License-Identifier: Apache-2.0
import Posix

/// A name in `tmp/`, removed when it goes out of scope, whatever it names by then.
struct TmpName: ~Copyable {
  /// Relative to the Maildir.
  private let path: Path
  private let directory: Int32

  /// `maildir` must outlive this value.
  init(_ name: Path, in maildir: borrowing Maildir) {
    path = Path("tmp").appending(name)
    directory = maildir.directory.descriptor
  }

  deinit {
    // Often gone by now; what cannot be removed goes after 36 hours (Maildir).
    path.unlink(in: directory)
  }

  /// Makes a file of this name, to be read and appended to.
  func create(in maildir: borrowing Maildir) throws(SystemError) -> File {
    try File(
      openat: maildir.directory, path, [.readWrite, .append, .create, .exclusive, .noFollow], mode: 0o600)
  }

  /// The file that has the name now.
  func status(in maildir: borrowing Maildir) throws(SystemError) -> FileStatus {
    try maildir.directory.fstatat(path)
  }

  /// Renames to `target`, a name relative to the Maildir; where the file system cannot do it in that way, by link(2)
  /// or plainly.
  func rename(
    to target: Path, in maildir: borrowing Maildir, _ how: File.Renaming
  ) throws(SystemError) {
    do { return try maildir.directory.renameat2(path, to: target, how) } catch {
      guard error.number == Errno.EINVAL || error.number == Errno.ENOSYS else { throw error }
    }
    guard how == .withoutReplacing else { return try maildir.directory.renameat2(path, to: target, .replacing) }
    do { try maildir.directory.linkat(path, as: target) } catch {
      // NFS may lose the reply of a call that worked: both names are one file then.
      guard let source = try? maildir.directory.fstatat(path).identity,
        let linked = try? maildir.directory.fstatat(target).identity, source == linked
      else { throw error }
    }
  }
}
