// SPDX-License-Identifier: Apache-2.0
import CPosix

/// What fstat(2) reports about a file.
package struct FileStatus: Sendable {
  package let identity: FileIdentity
  package let kind: FileKind
  /// The permission bits, including the set-id and sticky bits.
  package let permissions: UInt32
  package let owner: UInt32
  package let group: UInt32
  /// Bytes.
  package let size: Int64
  /// The number of hard links.
  package let links: Int64
  package let modified: Timestamp
  package let changed: Timestamp

  init(_ status: stat) {
    identity = FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    kind = FileKind(mode: status.st_mode)
    permissions = status.st_mode & 0o7777
    owner = status.st_uid
    group = status.st_gid
    size = Int64(status.st_size)
    links = Int64(status.st_nlink)
    modified = Timestamp(status.st_mtim)
    changed = Timestamp(status.st_ctim)
  }
}

/// Identifies a file regardless of its name.
package struct FileIdentity: Sendable, Hashable {
  package let device: UInt64
  package let inode: UInt64
}

/// What a directory entry is (inode(7)).
package enum FileKind: Sendable {
  case regular, directory, symlink, other
  /// The directory listing does not say; use fstatat(2).
  case unknown

  init(mode: UInt32) {
    switch Int32(bitPattern: mode) & S_IFMT {
    case S_IFREG: self = .regular
    case S_IFDIR: self = .directory
    case S_IFLNK: self = .symlink
    default: self = .other
    }
  }

  /// From `d_type` of getdents64(2).
  init(entryType: UInt8) {
    switch entryType {
    case 0: self = .unknown
    case 4: self = .directory
    case 8: self = .regular
    case 10: self = .symlink
    default: self = .other
    }
  }
}

extension File {
  package func fstat(_ name: Path? = nil) throws(SystemError) -> FileStatus {
    var status = stat()
    _ = try systemCall(.fstat, name) { unsafe CPosix.fstat(descriptor, &status) }
    return FileStatus(status)
  }

  /// The status of `name` in this directory. A symlink is followed only if `following` is true.
  package func fstatat(_ name: Path, following: Bool = false) throws(SystemError) -> FileStatus {
    var status = stat()
    _ = try systemCall(.fstatat, name) {
      unsafe name.withCString {
        unsafe CPosix.fstatat(descriptor, $0, &status, following ? 0 : AT_SYMLINK_NOFOLLOW)
      }
    }
    return FileStatus(status)
  }

  /// Like `fstatat`, but nil if there is no such file (any more).
  package func fstatatIfThere(_ name: Path, following: Bool = false) throws(SystemError) -> FileStatus? {
    do { return try fstatat(name, following: following) } catch {
      guard error.number == Errno.ENOENT else { throw error }
      return nil
    }
  }

  /// When the inode was created, or nil if the file system does not record it (statx(2), STATX_BTIME).
  package func birthTime() throws(SystemError) -> Timestamp? {
    var status = CPosix.statx()
    _ = try systemCall(.statx) {
      unsafe statx(descriptor, "", Int32(CPOSIX_AT_EMPTY_PATH), UInt32(STATX_BTIME), &status)
    }
    guard status.stx_mask & UInt32(STATX_BTIME) != 0 else { return nil }
    return Timestamp(seconds: status.stx_btime.tv_sec, nanoseconds: Int64(status.stx_btime.tv_nsec))
  }

  /// Whether locks and time stamps on this file's file system may be local to one host, or stale: NFS, CIFS,
  /// 9p, FUSE and every type not known to be coherent (statfs(2), linux/magic.h).
  package func isOnNetworkFileSystem() throws(SystemError) -> Bool {
    #if DEBUG
      if FaultPlan.current.treatsEveryFileSystemAsNetwork { return true }
    #endif
    var status = CPosix.statfs()
    _ = try systemCall(.fstatfs) { unsafe fstatfs(descriptor, &status) }
    return !Self.localFileSystems.contains(UInt32(truncatingIfNeeded: status.f_type))
  }

  /// File systems on which every host that mounts them sees a flock(2) on a directory.
  private static let localFileSystems: [UInt32] = [
    0xEF53,  // ext2, ext3, ext4
    0x5846_5342,  // xfs
    0x9123_683E,  // btrfs
    0xF2F5_2010,  // f2fs
    0x2FC1_2FC1,  // zfs
    0xCA45_1A4E,  // bcachefs
    0x0102_1994,  // tmpfs
    0x794C_7630,  // overlayfs
    0x00C3_6400,  // ceph
    0x0116_1970,  // gfs2
    0x7461_636F,  // ocfs2
  ]
}

/// The status of the file that `path` leads to.
///
/// - Parameter following: if false, the status is that of a symlink itself which is the last part of the path.
package func stat(_ path: Path, following: Bool = true) throws(SystemError) -> FileStatus {
  var status = stat()
  _ = try systemCall(.fstatat, path) {
    unsafe path.withCString { unsafe fstatat(AT_FDCWD, $0, &status, following ? 0 : AT_SYMLINK_NOFOLLOW) }
  }
  return FileStatus(status)
}

/// A kind of access to a file.
package enum Access: Int32, Sendable {
  case reading = 4
  case writing = 2
  /// Running a program, or searching a directory.
  case execution = 1
}

/// Whether our effective user may access the file that `path` leads to. Access control lists and read-only
/// file systems are taken into account (faccessat(2), AT_EACCESS).
package func isAllowed(_ access: Access, to path: Path) -> Bool {
  let flags = Int32(0x200)  // AT_EACCESS
  return unsafe path.withCString { unsafe faccessat(AT_FDCWD, $0, access.rawValue, flags) } == 0
}
