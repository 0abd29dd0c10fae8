// SPDX-License-Identifier: Apache-2.0
import CPosix

/// An open file or directory, closed when the value goes out of scope.
///
/// Each method wraps the system call of the same name; see its manual page for the errors. The type is public because
/// Embedded Swift shows the deinitializer of a package type to no other module.
public struct File: ~Copyable, Sendable {
  package let descriptor: Int32

  /// Flags of open(2); O_CLOEXEC is always added.
  package struct Flags: OptionSet, Sendable {
    package let rawValue: Int32
    package init(rawValue: Int32) { self.rawValue = rawValue }
    /// Here, so that the compiler need not use the general one, which looks up types when it runs.
    package init(arrayLiteral flags: Self...) { rawValue = flags.reduce(0) { $0 | $1.rawValue } }
    package static let writeOnly = Flags(rawValue: O_WRONLY)
    package static let readWrite = Flags(rawValue: O_RDWR)
    package static let append = Flags(rawValue: O_APPEND)
    package static let create = Flags(rawValue: O_CREAT)
    package static let truncate = Flags(rawValue: O_TRUNC)
    package static let exclusive = Flags(rawValue: O_EXCL)
    package static let directory = Flags(rawValue: CPOSIX_O_DIRECTORY)
    package static let noFollow = Flags(rawValue: O_NOFOLLOW)
    /// Opening a FIFO must not wait for its other end.
    package static let nonBlocking = Flags(rawValue: O_NONBLOCK)
    /// An unnamed file in the named directory.
    package static let unnamed = Flags(rawValue: CPOSIX_O_TMPFILE)
    /// O_PATH: a reference to a place in the tree, through which nothing can be read.
    package static let pathOnly = Flags(rawValue: CPOSIX_O_PATH)
  }

  /// Takes ownership of `descriptor`.
  package init(owning descriptor: Int32) {
    self.descriptor = descriptor
  }

  package init(open path: Path, _ flags: Flags = [], mode: UInt32 = 0) throws(SystemError) {
    descriptor = try systemCall(.open, path) {
      unsafe path.withCString { unsafe cposix_open($0, flags.rawValue | O_CLOEXEC, mode) }
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
      unsafe name.withCString { unsafe cposix_openat(parent, $0, flags.rawValue | O_CLOEXEC, mode) }
    }
  }

  /// The whole content of a file; more than `limit` bytes is an error (`EFBIG`).
  ///
  /// A half-written table would lose mailboxes. So this waits until the file has been unchanged for a second,
  /// at most 5 s and no longer than `deadline` (`EBUSY`). A writer that pauses for longer is not noticed.
  package static func contents(
    of path: Path, limit: Int, until deadline: Deadline
  ) throws(SystemError) -> [UInt8] {
    let share = deadline.slice(seconds: 5)
    while !share.hasPassed {
      // If the path is a FIFO, opening it must not block.
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

  /// Replaces the file `path` atomically: a reader finds the whole old content or the whole new one, even
  /// after a crash.
  ///
  /// - Parameters:
  ///   - mode: the permissions of the file.
  ///   - owner: its owner, whom only root can set; nil for our own.
  ///   - group: its group; nil for our own.
  package static func replace(
    _ path: Path, with bytes: [UInt8], mode: UInt32 = 0o600, owner: UInt32? = nil, group: UInt32? = nil
  ) throws(SystemError) {
    guard let draft = Path(path.bytes + Array(".new".utf8)) else { preconditionFailure("a NUL that Path let in") }
    let file = try makeDraft(draft)
    do {
      if owner != nil || group != nil { try file.fchown(owner: owner, group: group) }
      try file.fchmod(mode, draft)
      try file.write(bytes.span)
      try file.fdatasync(draft)
      _ = try systemCall(.rename, path) {
        unsafe draft.withCString { draft in unsafe path.withCString { unsafe CPosix.rename(draft, $0) } }
      }
    } catch {
      _ = unsafe draft.withCString { unsafe unlink($0) }
      throw error
    }
  }

  /// A new file: in a directory of another user, an existing one may be a FIFO, or a second name of any file.
  private static func makeDraft(_ draft: Path) throws(SystemError) -> File {
    let flags: Flags = [.writeOnly, .create, .exclusive]
    do { return try File(open: draft, flags, mode: 0o600) } catch {
      guard error.number == Errno.EEXIST else { throw error }
    }
    // An earlier run was killed before it could remove it.
    try draft.remove()
    return try File(open: draft, flags, mode: 0o600)
  }

  deinit {
    close(descriptor)
  }

  /// Reads at most `buffer.count` bytes; 0 means end of file.
  package func read(
    into buffer: inout MutableSpan<UInt8>, until deadline: Deadline? = nil
  ) throws(SystemError) -> Int {
    try unsafe buffer.withUnsafeMutableBytes { bytes throws(SystemError) in
      try systemCall(.read, until: deadline) { unsafe CPosix.read(descriptor, bytes.baseAddress, bytes.count) }
    }
  }

  /// Reads into `buffer` after its first `offset` bytes; 0 means end of file.
  package func read(into buffer: inout [UInt8], from offset: Int) throws(SystemError) -> Int {
    let room = buffer.count - offset
    var span = buffer.mutableSpan
    return try unsafe span.withUnsafeMutableBytes { bytes throws(SystemError) in
      try systemCall(.read) { unsafe CPosix.read(descriptor, bytes.baseAddress?.advanced(by: offset), room) }
    }
  }

  /// Reads up to `count` bytes starting at `offset`; fewer only at end of file.
  package func pread(upTo count: Int, at offset: Int64 = 0) throws(SystemError) -> [UInt8] {
    try [UInt8](capacity: count) { span throws(SystemError) in
      try unsafe span.withUnsafeMutableBufferPointer { buffer, length throws(SystemError) in
        while length < count {
          let done = try systemCall(.pread) {
            unsafe CPosix.pread(
              descriptor, buffer.baseAddress?.advanced(by: length), count - length, off_t(offset) + length)
          }
          guard done > 0 else { break }
          length += done
          // A call that meets an I/O error returns the whole pages before it, and only the next call fails. So a
          // result that does not end on a page boundary is the end of the file.
          if (Int(offset) + length) % 4096 != 0 { break }
        }
      }
    }
  }

  /// Reads at most `buffer.count` bytes starting at `offset`; 0 means end of file.
  package func pread(into buffer: inout MutableSpan<UInt8>, at offset: Int64) throws(SystemError) -> Int {
    try unsafe buffer.withUnsafeMutableBytes { bytes throws(SystemError) in
      try systemCall(.pread) { unsafe CPosix.pread(descriptor, bytes.baseAddress, bytes.count, off_t(offset)) }
    }
  }

  /// Writes as many of the bytes as one write(2) accepts.
  package func writeOnce(_ bytes: Span<UInt8>) throws(SystemError) -> Int {
    try unsafe bytes.withUnsafeBytes { buffer throws(SystemError) in
      var count = buffer.count
      #if DEBUG
        if FaultPlan.current.shortensNextCall { count = max(1, count / 2) }
      #endif
      return try systemCall(.write) { unsafe CPosix.write(descriptor, buffer.baseAddress, count) }
    }
  }

  /// Writes all the bytes.
  package func write(_ bytes: Span<UInt8>) throws(SystemError) {
    var done = 0
    while done < bytes.count {
      done += try writeOnce(bytes.extracting(done..<bytes.count))
    }
  }

  /// The target of the symlink that this descriptor, opened by `pathOnly` and `noFollow`, stands for (readlinkat(2)).
  package func readSymlink(_ name: Path) throws(SystemError) -> [UInt8] {
    var target = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let count = try systemCall(.readlinkat, name) {
      unsafe target.withUnsafeMutableBytes { bytes in
        guard let start = bytes.baseAddress else { return -1 }
        return unsafe CPosix.readlinkat(descriptor, "", start.assumingMemoryBound(to: CChar.self), bytes.count)
      }
    }
    return Array(target.prefix(count))
  }

  /// Seeks back to the start, to list a directory again.
  package func rewind() throws(SystemError) {
    _ = try systemCall(.lseek) { lseek(descriptor, 0, SEEK_SET) }
  }

  package func fsync(_ name: Path? = nil) throws(SystemError) {
    _ = try systemCall(.fsync, name) { CPosix.fsync(descriptor) }
  }

  package func fdatasync(_ name: Path? = nil) throws(SystemError) {
    _ = try systemCall(.fdatasync, name) { CPosix.fdatasync(descriptor) }
  }

  /// Makes everything durable that was written to this file's file system before (syncfs(2)).
  package func syncfs() throws(SystemError) {
    _ = try systemCall(.syncfs) { CPosix.syncfs(descriptor) }
  }

  package func fchmod(_ mode: UInt32, _ name: Path? = nil) throws(SystemError) {
    _ = try systemCall(.fchmod, name) { CPosix.fchmod(descriptor, mode) }
  }

  /// Changes the file's owner and group; nil keeps what it has.
  package func fchown(owner: UInt32? = nil, group: UInt32?) throws(SystemError) {
    _ = try systemCall(.fchown) { CPosix.fchown(descriptor, owner ?? uid_t.max, group ?? gid_t.max) }
  }
}
