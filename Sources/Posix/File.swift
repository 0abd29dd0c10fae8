// SPDX-License-Identifier: Apache-2.0
import CPosix
import Glibc

/// An open file or directory, closed when its owner goes out of scope.
///
/// Each method is the system call of its name; see its manual page for the errors.
package struct File: ~Copyable {
  package let descriptor: Int32

  /// How a file is opened; O_CLOEXEC is always added.
  package struct Flags: OptionSet, Sendable {
    package let rawValue: Int32
    package init(rawValue: Int32) { self.rawValue = rawValue }
    package static let writeOnly = Flags(rawValue: O_WRONLY)
    package static let readWrite = Flags(rawValue: O_RDWR)
    package static let append = Flags(rawValue: O_APPEND)
    package static let create = Flags(rawValue: O_CREAT)
    package static let truncate = Flags(rawValue: O_TRUNC)
    package static let exclusive = Flags(rawValue: O_EXCL)
    package static let directory = Flags(rawValue: CPOSIX_O_DIRECTORY)
    package static let noFollow = Flags(rawValue: O_NOFOLLOW)
    /// A FIFO must not make us wait for its other end.
    package static let nonBlocking = Flags(rawValue: O_NONBLOCK)
    /// An unnamed file in the named directory.
    package static let unnamed = Flags(rawValue: CPOSIX_O_TMPFILE)
    /// A place in the tree only: nothing can be read through it.
    package static let pathOnly = Flags(rawValue: CPOSIX_O_PATH)
  }

  /// Takes over `descriptor`.
  package init(owning descriptor: Int32) {
    self.descriptor = descriptor
  }

  package init(open path: Path, _ flags: Flags = [], mode: UInt32 = 0) throws(SystemError) {
    descriptor = try systemCall(.open, path) {
      unsafe path.withCString { unsafe open($0, flags.rawValue | O_CLOEXEC, mode) }
    }
  }

  package init(
    openat directory: borrowing File, _ name: Path, _ flags: Flags = [], mode: UInt32 = 0
  ) throws(SystemError) {
    #if DEBUG
      if flags.contains(.unnamed), FaultPlan.current.treatsEveryFileSystemAsNetwork {
        throw SystemError(.openat, name.bytes, EOPNOTSUPP)
      }
    #endif
    let parent = directory.descriptor
    descriptor = try systemCall(.openat, name) {
      unsafe name.withCString { unsafe openat(parent, $0, flags.rawValue | O_CLOEXEC, mode) }
    }
  }

  /// The whole content of a file of at most `limit` bytes (`EFBIG`).
  ///
  /// Half of a table would mean that somebody has no mailbox. So a file that was changed less than a second ago, which
  /// may still be being written in place, is waited for, at most 5 s and until `deadline` (`EBUSY`). A writer that
  /// pauses for longer is not noticed.
  package static func contents(
    of path: Path, limit: Int, until deadline: Deadline
  ) throws(SystemError) -> [UInt8] {
    let share = deadline.share(seconds: 5)
    while !share.hasPassed {
      // A FIFO of that name must not make us wait.
      let file = try File(open: path, .nonBlocking)
      let status = try file.fstat(path)
      guard status.kind == .regular else { throw SystemError(.open, path.bytes, EINVAL) }
      guard status.size <= limit else { throw SystemError(.open, path.bytes, EFBIG) }
      if status.modified.isWithin(seconds: 1) {
        waitForTick()
        continue
      }
      let bytes = try file.pread(upTo: Int(status.size))
      let after = try file.fstat(path)
      if bytes.count == status.size, after.size == status.size, after.modified == status.modified { return bytes }
    }
    throw SystemError(.open, path.bytes, EBUSY)
  }

  /// Puts a file with these bytes in the place of `path`: whoever reads it finds the old one or the new one, whole,
  /// whatever happens meanwhile.
  ///
  /// - Parameters:
  ///   - mode: its permissions.
  ///   - group: its group; nil for our own.
  package static func replace(
    _ path: Path, with bytes: [UInt8], mode: UInt32 = 0o600, group: UInt32? = nil
  ) throws(SystemError) {
    guard let draft = Path(path.bytes + Array(".new".utf8)) else { preconditionFailure("a NUL that Path let in") }
    let file = try File(open: draft, [.writeOnly, .create, .truncate, .noFollow], mode: 0o600)
    do {
      if let group { try file.fchown(group: group) }
      try file.fchmod(mode, draft)
      try file.write(bytes.span)
      try file.fdatasync(draft)
      _ = try systemCall(.rename, path) {
        unsafe draft.withCString { draft in unsafe path.withCString { unsafe Glibc.rename(draft, $0) } }
      }
    } catch {
      _ = unsafe draft.withCString { unsafe unlink($0) }
      throw error
    }
  }

  deinit {
    close(descriptor)
  }

  /// Gives up the descriptor to whoever closes it from now on.
  package consuming func release() -> Int32 {
    let descriptor = descriptor
    discard self
    return descriptor
  }

  /// Reads at most `buffer.count` bytes; 0 is the end of the file.
  package func read(
    into buffer: inout MutableSpan<UInt8>, until deadline: Deadline? = nil
  ) throws(SystemError) -> Int {
    try unsafe buffer.withUnsafeMutableBytes { bytes throws(SystemError) in
      try systemCall(.read, until: deadline) { unsafe Glibc.read(descriptor, bytes.baseAddress, bytes.count) }
    }
  }

  /// Reads into `buffer` behind its first `offset` bytes; 0 is the end of the file.
  package func read(into buffer: inout [UInt8], from offset: Int) throws(SystemError) -> Int {
    let room = buffer.count - offset
    var span = buffer.mutableSpan
    return try unsafe span.withUnsafeMutableBytes { bytes throws(SystemError) in
      try systemCall(.read) { unsafe Glibc.read(descriptor, bytes.baseAddress?.advanced(by: offset), room) }
    }
  }

  /// Reads up to `count` bytes from `offset` on; fewer only at the end of the file.
  package func pread(upTo count: Int, at offset: Int64 = 0) throws(SystemError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var length = 0
    while length < count {
      var span = bytes.mutableSpan
      let done = try unsafe span.withUnsafeMutableBytes { buffer throws(SystemError) in
        try systemCall(.pread) {
          unsafe Glibc.pread(
            descriptor, buffer.baseAddress?.advanced(by: length), count - length, off_t(offset) + length)
        }
      }
      guard done > 0 else { break }
      length += done
      // A call gives what it has read before an I/O error, whole pages, and the next one fails. Short of a page, it was
      // the end of the file.
      if (Int(offset) + length) % 4096 != 0 { break }
    }
    bytes.removeLast(count - length)
    return bytes
  }

  /// Writes as many of the bytes as one write(2) takes.
  package func writeOnce(_ bytes: Span<UInt8>) throws(SystemError) -> Int {
    try unsafe bytes.withUnsafeBytes { buffer throws(SystemError) in
      var count = buffer.count
      #if DEBUG
        if FaultPlan.current.shortensNextCall { count = max(1, count / 2) }
      #endif
      return try systemCall(.write) { unsafe Glibc.write(descriptor, buffer.baseAddress, count) }
    }
  }

  /// Writes all the bytes.
  package func write(_ bytes: Span<UInt8>) throws(SystemError) {
    var done = 0
    while done < bytes.count {
      done += try writeOnce(bytes.extracting(done..<bytes.count))
    }
  }

  /// Goes back to the start: of a directory, to list it again.
  package func rewind() throws(SystemError) {
    _ = try systemCall(.lseek) { lseek(descriptor, 0, SEEK_SET) }
  }

  package func fsync(_ name: Path? = nil) throws(SystemError) {
    _ = try systemCall(.fsync, name) { Glibc.fsync(descriptor) }
  }

  package func fdatasync(_ name: Path? = nil) throws(SystemError) {
    _ = try systemCall(.fdatasync, name) { Glibc.fdatasync(descriptor) }
  }

  package func fchmod(_ mode: UInt32, _ name: Path? = nil) throws(SystemError) {
    _ = try systemCall(.fchmod, name) { Glibc.fchmod(descriptor, mode) }
  }

  /// Gives the file to `group`, keeping its owner.
  package func fchown(group: UInt32) throws(SystemError) {
    _ = try systemCall(.fchown) { Glibc.fchown(descriptor, uid_t.max, group) }
  }
}
