// SPDX-License-Identifier: Apache-2.0
import Posix
import Quota
import Text

/// A count of the messages in a Maildir, directory by directory. Only what has changed is counted again.
///
/// The rule says what counts. The size of a message is the one in its name (`,S=`), or else the file's.
struct MaildirCount: ~Copyable {
  private let maildir: Maildir
  private let rule: CountingRule
  /// `look` throws `countUnfinished` once it has passed.
  var deadline: Deadline
  private var listing = DirectoryListing()
  /// The directories that are searched for folders: the Maildir itself, and the folders if they nest.
  private var containers: [Container] = []
  private var parts: [Part] = [Part("new"), Part("cur")]
  /// Those at the beginning of `parts` that belong to the Maildir itself.
  private static let inboxParts = 2
  /// Directories that we may not read: they add nothing, and are reported.
  private(set) var unreadable: [Path] = []
  /// Folders, or parts of them, that are symlinks and do not count by the profile.
  private(set) var linked: [Path] = []
  private let checksSizes: Bool
  /// See `lookAgain`.
  private var gain = QuotaUsage.none
  /// The number of messages whose names give a different size than the files have.
  private(set) var wrongSizes = 0
  /// One of them: its name and the file's size.
  private(set) var wrongSizeExample = ""

  /// One `new/` or `cur/`. The stamp includes its identity, so that a replaced folder shows as changed.
  private struct Part {
    let path: Path
    /// Nil before the first look, and if there is no such directory.
    var stamp: DirectoryStamp?
    var usage = QuotaUsage.none

    init(_ path: Path) {
      self.path = path
    }

    /// The `tmp/` beside a `cur/`, nil for any other part.
    var tmp: Path? {
      let cur = Array("cur".utf8)
      guard path.bytes.suffix(3).elementsEqual(cur) else { return nil }
      return Path(path.bytes.dropLast(3) + Array("tmp".utf8))
    }
  }

  private struct Container {
    let path: Path
    let stamp: DirectoryStamp
  }

  /// - Parameters:
  ///   - checksSizes: whether every file is stat'ed, even if its name has a size.
  ///   - deadline: the time by which the count must be finished.
  init(of maildir: Maildir, _ rule: CountingRule, checksSizes: Bool = false, until deadline: Deadline) {
    self.maildir = maildir
    self.rule = rule
    self.checksSizes = checksSizes
    self.deadline = deadline
  }

  var usage: QuotaUsage {
    var sum = QuotaUsage.none
    for part in parts { sum += part.usage }
    return sum
  }

  /// The time after which every stamp seen is settled.
  var settledAt: Timestamp {
    (parts.compactMap { $0.stamp?.settledAt } + containers.map { $0.stamp.settledAt }).reduce(.distantPast, max)
  }

  /// Counts what is not known, and waits until the stamps are settled.
  mutating func lookUntilSettled() throws(MaildirError) {
    _ = try look(all: false)
    while Timestamp.coarse <= settledAt, !deadline.hasPassed { waitForTick() }
  }

  /// Whether nothing has changed for a minute in the directories that were counted and in the `tmp/` beside
  /// them, where another program may have a message that it has already recorded in the ledger.
  mutating func isAtRest() throws(MaildirError) -> Bool {
    guard !containers.contains(where: { $0.stamp.isYounger(than: 60) }),
      !parts.contains(where: { $0.stamp?.isYounger(than: 60) ?? false })
    else { return false }
    for part in parts {
      guard let tmp = part.tmp else { continue }
      do throws(SystemError) {
        let directory = try File(openat: maildir.directory, tmp, [.directory, .noFollow])
        let stamp = try DirectoryStamp { () throws(SystemError) in try directory.fstat(tmp) }
        if stamp.isYounger(than: 60) { return false }
        if try StaleFiles.look(in: directory, &listing).younger > 0 { return false }
      } catch {
        // It belongs to another user, who may change it at any time.
        if error.number == Errno.EACCES { return false }
        guard error.number == Errno.ENOENT else { throw .system(error) }
      }
    }
    return true
  }

  /// Counts every directory that is not known to be unchanged, or all of them.
  ///
  /// - Returns: whether any had to be counted.
  mutating func look(all: Bool) throws(MaildirError) -> Bool {
    let foldersHaveChanged = rule.inboxOnly ? false : try lookForFolders(all: all)
    return try lookAtParts(all: all) || foldersHaveChanged
  }

  /// Counts again what has changed since a `look` that returned false.
  ///
  /// - Returns: by how much directories have grown, whatever others have lost; and whether any has changed, other than
  ///   the Maildir itself, which a new ledger changes.
  mutating func lookAgain() throws(MaildirError) -> (gain: QuotaUsage, hasChanged: Bool) {
    gain = .none
    let known = parts.count
    if !rule.inboxOnly { _ = try lookForFolders(all: false) }
    // A folder that is new is counted below; one that has gone is not.
    let hasFewer = parts.count < known
    let hasChanged = try lookAtParts(all: false)
    return (gain, hasChanged || hasFewer)
  }

  private mutating func lookAtParts(all: Bool) throws(MaildirError) -> Bool {
    var changed = false
    for index in parts.indices {
      if deadline.hasPassed { throw .countUnfinished }
      if try lookAtPart(index, all: all) { changed = true }
    }
    return changed
  }

  private mutating func lookForFolders(all: Bool) throws(MaildirError) -> Bool {
    do {
      if !all, !containers.isEmpty, try !containersHaveChanged() { return false }
    } catch { throw .system(error) }
    var found = Array(parts.prefix(Self.inboxParts))
    var folders: [Path] = ["."]
    containers = []
    while let folder = folders.popLast() {
      if deadline.hasPassed { throw .countUnfinished }
      for name in try names(in: folder) {
        let path = folder == "." ? name : folder.appending(name)
        if rule.profile.holdsMessages(name.bytes.span) {
          if !found.contains(where: { $0.path == path }) { found.append(parts.first { $0.path == path } ?? Part(path)) }
          continue
        }
        guard try isFolder(path) else { continue }
        if rule.profile.nests {
          folders.append(path)
        } else {
          for name in [Path("new"), "cur"] {
            let path = path.appending(name)
            found.append(parts.first { $0.path == path } ?? Part(path))
          }
        }
      }
    }
    parts = found
    return true
  }

  private func containersHaveChanged() throws(SystemError) -> Bool {
    for container in containers {
      let stamp: DirectoryStamp
      do {
        stamp = try DirectoryStamp { () throws(SystemError) in
          try maildir.directory.fstatat(container.path, following: rule.profile.countsLinkedFolders)
        }
      } catch {
        guard error.number == Errno.ENOENT else { throw error }
        return true
      }
      if !container.stamp.isSettled || container.stamp != stamp { return true }
    }
    return false
  }

  /// The names in `folder` that may be folders or contain messages. None if the folder has vanished or we may
  /// not read it.
  private mutating func names(in folder: Path) throws(MaildirError) -> [Path] {
    var names: [Path] = []
    let rule = rule
    do throws(SystemError) {
      let follows = rule.profile.countsLinkedFolders
      let stamp = try DirectoryStamp { () throws(SystemError) in
        try maildir.directory.fstatat(folder, following: follows)
      }
      let directory = try File(openat: maildir.directory, folder, [.directory])
      let settled = try stamp.settled { () throws(SystemError) in try directory.fstat(folder) }
      // A symlink may lead back to a directory that was already visited.
      if containers.contains(where: { $0.stamp.isSameDirectory(as: settled) }) { return [] }
      try listing.forEach(in: directory, size: settled.size) { name, kind in
        guard kind != .regular, kind != .other, rule.profile.isFolder(name) || rule.profile.holdsMessages(name) else {
          return
        }
        let bytes = Array(copying: name)
        if !rule.leavesOut(bytes), let name = Path(bytes) { names.append(name) }
      }
      containers.append(Container(path: folder, stamp: settled))
    } catch {
      switch error.number {
      case Errno.ENOENT where folder != ".": return []
      case Errno.EACCES where folder != ".":
        if !unreadable.contains(folder) { unreadable.append(folder) }
        return []
      default: throw .system(error)
      }
    }
    return names
  }

  /// Whether `path` is a folder to be counted. A symlink to a file, or to a directory that holds no messages, is some
  /// setting (`.dovecot.sieve`); a symlink to a folder is counted or noted, as the profile wants it.
  private mutating func isFolder(_ path: Path) throws(MaildirError) -> Bool {
    do throws(SystemError) {
      let kind = try maildir.directory.fstatatIfThere(path)?.kind
      guard kind == .symlink else { return kind == .directory }
      let target = try File(openat: maildir.directory, path, [.pathOnly, .directory])
      guard !rule.profile.countsLinkedFolders else { return true }
      // Courier passes it over as well.
      guard rule.profile != .courier else { return false }
      let parts = try [target.fstatatIfThere("cur"), target.fstatatIfThere("new")]
      if parts.contains(where: { $0 != nil }) { note(linked: path) }
    } catch {
      // It leads nowhere, to a file, to itself, or to where we may not go.
      guard [Errno.ENOENT, Errno.ENOTDIR, Errno.ELOOP, Errno.EACCES].contains(error.number) else {
        throw .system(error)
      }
    }
    return false
  }

  private mutating func note(linked path: Path) { if !linked.contains(path) { linked.append(path) } }

  private mutating func lookAtPart(
    _ index: Int, all: Bool
  ) throws(MaildirError) -> Bool {
    let path = parts[index].path
    let follows = rule.profile.followsSymlinks
    do throws(SystemError) {
      let stamp = try DirectoryStamp { () throws(SystemError) in
        try maildir.directory.fstatat(path, following: follows)
      }
      if stamp.kind == .symlink { throw SystemError(.fstatat, path.bytes, Errno.ELOOP) }
      guard stamp.kind == .directory else { return forget(index) }
      if !all, let known = parts[index].stamp, known.isSettled, known == stamp { return false }
      let directory = try File(openat: maildir.directory, path, follows ? [.directory] : [.directory, .noFollow])
      let settled = try stamp.settled { () throws(SystemError) in try directory.fstat(path) }
      let usage = try count(directory, size: settled.size)
      gain += usage.minus(parts[index].usage).positive
      parts[index].usage = usage
      parts[index].stamp = settled
      return true
    } catch {
      switch error.number {
      case Errno.ENOENT, Errno.ENOTDIR: return forget(index)
      case Errno.EACCES:
        if !unreadable.contains(path) { unreadable.append(path) }
        return forget(index)
      case Errno.ELOOP where index < Self.inboxParts: throw .symlinkInside(Array(path.bytes))
      case Errno.ELOOP:
        note(linked: path)
        return forget(index)
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

  private mutating func count(_ directory: borrowing File, size: Int64) throws(SystemError) -> QuotaUsage {
    var usage = QuotaUsage.none
    let rule = rule
    let profile = rule.profile
    let checksSizes = checksSizes
    var wrong = (count: 0, example: "")
    try listing.forEach(in: directory, size: size) { (name, kind) throws(SystemError) in
      let bytes = try rule.bytes(ofMessage: name, kind) { follows throws(SystemError) in
        try deadline.check()
        guard let path = Path(Array(copying: name)) else { return nil }
        return try directory.fstatatIfThere(path, following: follows)
      }
      guard let bytes else { return }
      if checksSizes, let bytes = profile.size(in: name), let path = Path(Array(copying: name)),
        let status = try directory.fstatatIfThere(path, following: profile.followsSymlinks), status.size != bytes
      {
        wrong.count += 1
        if wrong.count == 1 { wrong.example = "\(path.text): \(status.size) bytes" }
      }
      usage += QuotaUsage(bytes: bytes, messages: 1)
    }
    if wrongSizes == 0 { wrongSizeExample = wrong.example }
    wrongSizes += wrong.count
    return usage
  }
}
