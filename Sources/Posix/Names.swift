// SPDX-License-Identifier: Apache-2.0
import CPosix
import Glibc

/// The calls that make, remove and rename names in a directory.
extension File {
  package func mkdirat(_ name: Path, mode: UInt32) throws(SystemError) {
    _ = try systemCall(.mkdirat, name) { unsafe name.withCString { unsafe Glibc.mkdirat(descriptor, $0, mode) } }
  }

  package func unlinkat(_ name: Path) throws(SystemError) {
    _ = try systemCall(.unlinkat, name) { unsafe name.withCString { unsafe Glibc.unlinkat(descriptor, $0, 0) } }
  }

  /// Gives the unnamed `file` a name in this directory, through /proc/self/fd (open(2), O_TMPFILE).
  package func linkat(unnamed file: borrowing File, as name: Path) throws(SystemError) {
    let source = "/proc/self/fd/\(file.descriptor)"
    _ = try systemCall(.linkat, name) {
      unsafe name.withCString { unsafe Glibc.linkat(AT_FDCWD, source, descriptor, $0, AT_SYMLINK_FOLLOW) }
    }
  }

  /// Whether `linkat(unnamed:as:)` can work: /proc is mounted.
  package static var canNameUnnamedFiles: Bool { isAllowed(.execution, to: "/proc/self/fd") }

  /// Gives the file `name` below this directory the name `other` as well.
  package func linkat(_ name: Path, as other: Path) throws(SystemError) {
    _ = try systemCall(.linkat, other) {
      unsafe name.withCString { source in
        unsafe other.withCString { unsafe Glibc.linkat(descriptor, source, descriptor, $0, 0) }
      }
    }
  }

  /// What happens to a file that has the new name already.
  package enum Renaming: UInt32, Sendable {
    /// Whatever has the new name is replaced.
    case replacing = 0
    /// EEXIST when the new name exists.
    case withoutReplacing = 1
    /// Both names change places.
    case exchanging = 2
  }

  /// Renames below this directory; EINVAL where the file system cannot do it in that way (NFS: any but `replacing`).
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

  /// Removes the name, for use in a `deinit`, where an error cannot be reported.
  package func unlinkIfThere(_ name: Path) {
    do { try unlinkat(name) } catch {}
  }
}
