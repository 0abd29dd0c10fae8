// SPDX-License-Identifier: Apache-2.0
package import Posix

/// An open Maildir: the directory that holds `new/`, `cur/`, `tmp/`, the folders and the ledger.
///
/// A class, because its ledger, a count and the files in `tmp/` all refer to the same open directory. Only
/// one thread may use it at a time.
package final class Maildir {
  package let path: Path
  package let directory: File
  package let new: File
  /// Whether locks and time stamps may be seen by this host only (NFS, FUSE and similar).
  package let isOnNetwork: Bool
  let permissions: UInt32
  let group: UInt32
  private let identity: FileIdentity
  /// The device of its file system.
  package var device: UInt64 { identity.device }
  private var networkLock: File?

  /// What happens to missing directories.
  package enum Absent: Sendable {
    /// They are created with mode 0700, and synced.
    case made
    /// The same, except that nothing is created in an empty base, which may be an unmounted volume.
    case madeUnlessBaseIsEmpty
    /// `MaildirError.missing` is thrown, for callers that must not create anything.
    case refused
  }

  /// Opens the Maildir `components` below `base`, which itself is never created.
  ///
  /// Below `base` only symlinks that root owns are followed, and none inside the Maildir.
  /// - Throws: `wrongOwner`, before anything is written, if the Maildir is not `owner`'s.
  package static func open(
    base: Path, components: [Path], owner: UInt32, absent: Absent = .madeUnlessBaseIsEmpty
  ) throws(MaildirError) -> Maildir {
    var walk = try MaildirWalk(base: base, absent: absent)
    for component in components.dropLast() { try walk.enter(component) }
    guard let last = components.last else { throw .notADirectory(Array(base.bytes)) }
    let directory = try walk.open(last)
    let path = components.reduce(base) { $0.appending($1) }
    let status: FileStatus
    do { status = try directory.fstat(path) } catch { throw .system(error) }
    guard status.owner == owner else { throw .wrongOwner(status.owner) }
    let isOnNetwork: Bool
    do { isOnNetwork = try directory.isOnNetworkFileSystem() } catch { throw .system(error) }
    let new = try openNew(in: directory, absent)
    return Maildir(path: path, directory: directory, new: new, isOnNetwork: isOnNetwork, status: status)
  }

  /// Throws if `base` is missing, or empty like an unmounted volume: all mailboxes would seem to be gone.
  package static func checkBase(_ base: Path) throws(MaildirError) {
    try MaildirWalk(base: base, absent: .refused).checkBaseIsNotEmpty()
  }

  private init(path: Path, directory: consuming File, new: consuming File, isOnNetwork: Bool, status: FileStatus) {
    self.path = path
    self.directory = directory
    self.new = new
    self.isOnNetwork = isOnNetwork
    permissions = status.permissions
    group = status.group
    identity = status.identity
    networkLock = nil
  }

  /// Waits for the lock that keeps other deliveries from reading and changing the ledger.
  ///
  /// It is a flock on the directory itself, or on a network file system a lock on the file `ullage.lock`. The
  /// file system type decides, not an error: there the flock would succeed, but no other host would see it.
  package func lock(until deadline: Deadline) throws(MaildirError) {
    do {
      guard isOnNetwork else { return try directory.flockExclusive(until: deadline) }
      let file = try File(openat: directory, "ullage.lock", [.readWrite, .create, .noFollow], mode: 0o600)
      try file.ofdLockExclusive(until: deadline)
      networkLock = consume file
    } catch { throw .system(error) }
  }

  package func unlock() {
    if isOnNetwork { networkLock = nil } else { directory.flockRelease() }
  }

  /// Checks that the path still leads here: an administrator may have swapped the mailbox meanwhile.
  package func checkPath() throws(MaildirError) {
    let current: FileIdentity
    do { current = try stat(path).identity } catch { throw .system(error) }
    guard current == identity else { throw .replaced }
  }

  /// Makes `new/` durable. False if the file system cannot sync directories.
  package func synchronizeNew() throws(SystemError) -> Bool {
    try new.fsyncDirectory("new")
  }

  /// Opens `new/` and makes sure that `cur/` exists. `tmp/` is created with the first file in it.
  private static func openNew(in directory: borrowing File, _ absent: Absent) throws(MaildirError) -> File {
    if try !isThere("cur", in: directory) {
      guard absent != .refused else { throw .missingPart(Array("cur".utf8)) }
      try make("cur", in: directory)
    }
    do { return try File(openat: directory, "new", [.directory, .noFollow]) } catch {
      guard [Errno.ENOENT, Errno.ENOTDIR, Errno.ELOOP].contains(error.number) else { throw .system(error) }
    }
    // If it is missing, it is created; if it is not a directory, this fails.
    if try !isThere("new", in: directory) {
      guard absent != .refused else { throw .missingPart(Array("new".utf8)) }
      try make("new", in: directory)
    }
    do { return try File(openat: directory, "new", [.directory, .noFollow]) } catch { throw .system(error) }
  }

  private static func isThere(_ name: Path, in directory: borrowing File) throws(MaildirError) -> Bool {
    let kind: FileKind
    do { kind = try directory.fstatat(name).kind } catch {
      guard error.number == Errno.ENOENT else { throw .system(error) }
      return false
    }
    switch kind {
    case .directory: return true
    case .symlink: throw .symlinkInside(Array(name.bytes))
    default: throw .notADirectory(Array(name.bytes))
    }
  }

  /// Creates `tmp/` if it is missing.
  static func makeTmp(in directory: borrowing File) throws(MaildirError) {
    if try !isThere("tmp", in: directory) { try make("tmp", in: directory) }
  }

  /// Creates a directory of mode 0700 and makes its name durable. An existing one is accepted.
  static func make(_ name: Path, in parent: borrowing File) throws(MaildirError) {
    do {
      try parent.mkdirat(name, mode: 0o700)
      try File(openat: parent, name, [.directory, .noFollow]).fchmod(0o700, name)
      _ = try parent.fsyncDirectory()
    } catch {
      guard error.number == Errno.EEXIST else { throw .system(error) }
    }
  }
}

extension File {
  /// Makes the names in this directory durable. False if the file system cannot sync directories.
  package func fsyncDirectory(_ name: Path? = nil) throws(SystemError) -> Bool {
    do { try fsync(name) } catch {
      guard error.number == Errno.EINVAL || error.number == Errno.ENOTSUP else { throw error }
      return false
    }
    return true
  }
}
