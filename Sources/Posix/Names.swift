// SPDX-License-Identifier: Apache-2.0
import CPosix

/// The calls that create, remove and rename names in a directory.
extension File {
  package func mkdirat(_ name: Path, mode: UInt32) throws(SystemError) {
    _ = try systemCall(.mkdirat, name) { unsafe name.withCString { unsafe CPosix.mkdirat(descriptor, $0, mode) } }
  }

  package func unlinkat(_ name: Path) throws(SystemError) {
    _ = try systemCall(.unlinkat, name) { unsafe name.withCString { unsafe CPosix.unlinkat(descriptor, $0, 0) } }
  }

  /// Gives the unnamed `file` a name in this directory, through /proc/self/fd (open(2), O_TMPFILE).
  package func linkat(unnamed file: borrowing File, as name: Path) throws(SystemError) {
    let source = "/proc/self/fd/\(file.descriptor)"
    _ = try systemCall(.linkat, name) {
      unsafe name.withCString { unsafe CPosix.linkat(AT_FDCWD, source, descriptor, $0, AT_SYMLINK_FOLLOW) }
    }
  }

  /// Whether `linkat(unnamed:as:)` can work: /proc is mounted.
  package static var canNameUnnamedFiles: Bool { isAllowed(.execution, to: "/proc/self/fd") }

  /// Adds `other`, relative to `directory`, as a second name of the file `name`, relative to this one.
  package func linkat(_ name: Path, to directory: borrowing File, as other: Path) throws(SystemError) {
    let target = directory.descriptor
    _ = try systemCall(.linkat, other) {
      unsafe name.withCString { source in
        unsafe other.withCString { unsafe CPosix.linkat(descriptor, source, target, $0, 0) }
      }
    }
  }

  /// What happens to an existing file with the new name.
  package enum Renaming: UInt32, Sendable {
    /// It is replaced.
    case replacing = 0
    /// The call fails with EEXIST.
    case withoutReplacing = 1
    /// The two files swap names.
    case exchanging = 2
  }

  /// Renames below this directory; EINVAL if the file system does not support `how` (NFS: only `replacing`).
  package func renameat2(_ name: Path, to other: Path, _ how: Renaming) throws(SystemError) {
    #if DEBUG
      if how != .replacing, FaultPlan.current.treatsEveryFileSystemAsNetwork {
        throw SystemError(.renameat2, other.bytes, EINVAL)
      }
    #endif
    _ = try systemCall(.renameat2, other) {
      unsafe name.withCString { source in
        unsafe other.withCString { unsafe CPosix.renameat2(descriptor, source, descriptor, $0, how.rawValue) }
      }
    }
  }

  /// Removes the name and ignores errors: for use in a `deinit`, which cannot report any.
  package func unlinkIfThere(_ name: Path) {
    do { try unlinkat(name) } catch {}
  }
}

extension Path {
  /// Sets the permissions of what has this name (chmod(2)).
  package func setPermissions(_ mode: UInt32) throws(SystemError) {
    _ = try systemCall(.fchmod, self) { unsafe withCString { unsafe chmod($0, mode) } }
  }

  /// Removes the name (unlink(2)).
  package func remove() throws(SystemError) {
    _ = try systemCall(.unlinkat, self) { unsafe withCString { unsafe unlink($0) } }
  }
}
