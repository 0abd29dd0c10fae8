// SPDX-License-Identifier: Apache-2.0
import Posix
import Quota

/// Which messages of a Maildir count.
package struct CountingRule: Sendable {
  /// The folder that is left out, by its exact name with the dot (`.Trash`).
  package let uncountedFolder: [UInt8]?
  /// Only `new/` and `cur/` of the Maildir itself.
  package let inboxOnly: Bool

  package init(uncountedFolder: [UInt8]?, inboxOnly: Bool) {
    self.uncountedFolder = uncountedFolder
    self.inboxOnly = inboxOnly
  }
}

/// A count of the messages in a Maildir, directory by directory, of which only what changed is counted again.
///
/// Counted are the regular files in `new/` and `cur/` of the Maildir and of each real directory `.Name` in it whose
/// name does not begin with a dot. Their size is in the name (`,S=`) or else the file's.
struct MaildirCount: ~Copyable {
  private let rule: CountingRule
  private var listing = DirectoryListing()
  /// Of the Maildir itself, whose names are the folders.
  private var root: DirectoryStamp?
  private var parts: [Part] = [Part("new"), Part("cur")]
  /// Directories that we may not read: they count for nothing, and somebody should know.
  private(set) var unreadable: [Path] = []

  /// One `new/` or `cur/`. Its identity is in the stamp, so that a folder that was replaced shows as changed.
  private struct Part {
    let path: Path
    /// Nil before the first look, and where there is no such directory.
    var stamp: DirectoryStamp?
    var usage = QuotaUsage.none

    init(_ path: Path) {
      self.path = path
    }
  }

  init(_ rule: CountingRule) {
    self.rule = rule
  }

  var usage: QuotaUsage {
    var sum = QuotaUsage.none
    for part in parts { sum += part.usage }
    return sum
  }

  /// When every stamp seen can be relied on.
  var settledAt: Timestamp {
    parts.compactMap { $0.stamp?.settledAt }.reduce(root?.settledAt ?? .distantPast, max)
  }

  /// Counts every directory that is not known to be unchanged, or all of them.
  ///
  /// - Returns: whether any had to be counted.
  mutating func look(
    in maildir: borrowing Maildir, all: Bool, until deadline: Deadline
  ) throws(MaildirError) -> Bool {
    var changed = false
    if !rule.inboxOnly { changed = try lookForFolders(in: maildir, all: all) }
    for index in parts.indices {
      if deadline.hasPassed { throw .countUnfinished }
      if try lookAtPart(index, in: maildir, all: all, until: deadline) { changed = true }
    }
    return changed
  }

  private mutating func lookForFolders(in maildir: borrowing Maildir, all: Bool) throws(MaildirError) -> Bool {
    var stamp: DirectoryStamp
    do { stamp = try DirectoryStamp { () throws(SystemError) in try maildir.directory.fstat() } } catch {
      throw .system(error)
    }
    if !all, let root, root.isSettled, root == stamp { return false }
    var folders: [Path] = []
    let uncounted = rule.uncountedFolder
    do {
      stamp = try stamp.settled { () throws(SystemError) in try maildir.directory.fstat() }
      let directory = try File(openat: maildir.directory, ".", [.directory])
      try listing.forEach(in: directory, size: stamp.size) { name, kind in
        guard name[0] == UInt8(ascii: "."), kind != .regular, kind != .other else { return }
        let bytes = Array(copying: name)
        if bytes != uncounted, let folder = Path(bytes) { folders.append(folder) }
      }
    } catch { throw .system(error) }
    var found: [Part] = [parts[0], parts[1]]
    for folder in folders where try isFolder(folder, in: maildir) {
      for name in [Path("new"), "cur"] {
        let path = folder.appending(name)
        found.append(parts.first { $0.path == path } ?? Part(path))
      }
    }
    parts = found
    root = stamp
    return true
  }

  /// A real directory. A symlink to one is refused: it would count another mailbox's mail, or one message twice.
  /// One to a file is somebody's settings (`.dovecot.sieve`).
  private func isFolder(_ name: Path, in maildir: borrowing Maildir) throws(MaildirError) -> Bool {
    let kind: FileKind
    do { kind = try maildir.directory.fstatat(name).kind } catch {
      guard error.number == Errno.ENOENT else { throw .system(error) }
      return false
    }
    guard kind == .symlink else { return kind == .directory }
    guard (try? File(openat: maildir.directory, name, [.pathOnly, .directory])) != nil else { return false }
    throw .symlinkInside(Array(name.bytes))
  }

  private mutating func lookAtPart(
    _ index: Int, in maildir: borrowing Maildir, all: Bool, until deadline: Deadline
  ) throws(MaildirError) -> Bool {
    let path = parts[index].path
    do throws(SystemError) {
      let stamp = try DirectoryStamp { () throws(SystemError) in try maildir.directory.fstatat(path) }
      if stamp.kind == .symlink { throw SystemError(.fstatat, path.bytes, Errno.ELOOP) }
      guard stamp.kind == .directory else { return forget(index) }
      if !all, let known = parts[index].stamp, known.isSettled, known == stamp { return false }
      let directory = try File(openat: maildir.directory, path, [.directory, .noFollow])
      let settled = try stamp.settled { () throws(SystemError) in try directory.fstat(path) }
      parts[index].usage = try count(directory, size: settled.size, until: deadline)
      parts[index].stamp = settled
      return true
    } catch {
      switch error.number {
      case Errno.ENOENT, Errno.ENOTDIR: return forget(index)
      case Errno.EACCES:
        if !unreadable.contains(path) { unreadable.append(path) }
        return forget(index)
      case Errno.ELOOP: throw .symlinkInside(Array(path.bytes))
      case Errno.ETIMEDOUT: throw .countUnfinished
      default: throw .system(error)
      }
    }
  }

  private mutating func forget(_ index: Int) -> Bool {
    defer {
      parts[index].stamp = nil
      parts[index].usage = .none
    }
    return parts[index].stamp != nil
  }

  private mutating func count(
    _ directory: borrowing File, size: Int64, until deadline: Deadline
  ) throws(SystemError) -> QuotaUsage {
    var usage = QuotaUsage.none
    try listing.forEach(in: directory, size: size) { (name, kind) throws(SystemError) in
      guard name[0] != UInt8(ascii: "."), kind == .regular || kind == .unknown else { return }
      var bytes = MessageFileName.size(in: name)
      if bytes == nil || kind == .unknown {
        try deadline.check()
        guard let path = Path(Array(copying: name)), let status = try Self.status(path, in: directory) else { return }
        guard status.kind == .regular else { return }
        bytes = bytes ?? status.size
      }
      usage += QuotaUsage(bytes: bytes ?? 0, messages: 1)
    }
    return usage
  }

  /// Nil for a file that has gone since it was listed.
  private static func status(_ name: Path, in directory: borrowing File) throws(SystemError) -> FileStatus? {
    do { return try directory.fstatat(name) } catch {
      guard error.number == Errno.ENOENT else { throw error }
      return nil
    }
  }
}

extension Array where Element == UInt8 {
  init(copying span: Span<UInt8>) {
    self.init()
    reserveCapacity(span.count)
    for index in span.indices { append(span[index]) }
  }
}
