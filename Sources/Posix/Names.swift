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

  /// Gives the unnamed `file` a name in this directory (open(2), O_TMPFILE).
  ///
  /// - Parameter descriptors: /proc/self/fd, open.
  package func linkat(
    unnamed file: borrowing File, through descriptors: Int32, as name: Path
  ) throws(SystemError) {
    let number = "\(file.descriptor)"
    _ = try systemCall(.linkat, name) {
      unsafe name.withCString { unsafe Glibc.linkat(descriptors, number, descriptor, $0, AT_SYMLINK_FOLLOW) }
    }
  }

  package func linkat(_ name: Path, as other: Path) throws(SystemError) {
    _ = try systemCall(.linkat, other) {
      unsafe name.withCString { source in
        unsafe other.withCString { unsafe Glibc.linkat(descriptor, source, descriptor, $0, 0) }
      }
    }
  }

  package enum Renaming: UInt32 {
    /// Whatever has the new name is replaced.
    case replacing = 0
    /// EEXIST when the new name exists.
    case withoutReplacing = 1
    /// Both names change places.
    case exchanging = 2
  }

  /// Renames below this directory; EINVAL where the file system cannot do it in the way asked for (NFS: any but
  /// `replacing`).
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
}

extension Path {
  /// Removes the name below `directory`, for what goes out of scope: nobody is left to be told of an error.
  package func unlink(in directory: Int32) {
    _ = try? systemCall(.unlinkat, self) { unsafe withCString { unsafe Glibc.unlinkat(directory, $0, 0) } }
  }
}
