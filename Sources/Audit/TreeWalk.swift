// SPDX-License-Identifier: Apache-2.0
package import Posix
import Text

/// Walks the directories below the base in the order of the mailbox list, and finds the unlisted Maildirs.
///
/// Only the names of the directories on the way to the current position are held in memory.
package struct TreeWalk: ~Copyable {
  /// A directory, and those of its names that have not been visited.
  private struct Level {
    /// Relative to the base, with a slash at its end, or empty.
    let path: [UInt8]
    /// Sorted as bytes with the slash at the end, which is the order of the paths below them.
    var names: ArraySlice<[UInt8]>
    /// A symlink leads here, so a Maildir that is not listed by this path may be listed by that of the link.
    let isLinked: Bool
  }

  private let base: File
  /// The file system that holds the base.
  private let device: UInt64
  /// Younger Maildirs are no orphans: their mailboxes may not be in the list yet.
  private let start: Timestamp
  /// The targets of symlinks: mailboxes in them may be listed by the paths of the links.
  private var linked: Set<FileIdentity> = []
  private var listing = DirectoryListing()
  private var levels: [Level] = []
  /// The previous path; other mailboxes may be inside it.
  private var last: [UInt8] = []
  /// The base is the root directory, as with vmm: most of what is in it has nothing to do with mail.
  private let isRoot: Bool
  /// The directories on the way to mailboxes that could not be read, as sentences; the first hundred.
  package private(set) var problems: [String] = []

  /// How deep below the base Maildirs are searched for.
  private static let deepest = 8

  /// - Parameter start: when the list was opened.
  package init(base: Path, start: Timestamp = .coarse) throws(SystemError) {
    self.start = start
    let directory = try File(open: base, [.directory])
    device = try directory.fstat().identity.device
    self.base = directory
    isRoot = base == "/"
    open([])
  }

  /// Advances to the mailbox at `path`, and calls `found` with each Maildir before it that has no mailbox.
  ///
  /// - Parameters:
  ///   - path: relative to the base, with a slash at the end; nil at the end of the list. Must come in order.
  ///   - searches: false to advance without a search.
  package mutating func advance(to path: [UInt8]?, searches: Bool = true, found: ([UInt8]) throws -> Void) rethrows {
    if let path {
      // A mailbox inside the last one: visit the directories of the last one, which were skipped.
      if path.starts(with: last), !last.isEmpty, path != last, levels.last?.path != last { open(last, inMailbox: true) }
    }
    while let level = levels.last {
      guard let name = level.names.first else {
        levels.removeLast()
        continue
      }
      let directory = level.path + name
      if let path, path.starts(with: directory) {
        levels[levels.count - 1].names.removeFirst()
        if path == directory { break }
        open(directory)
      } else if let path, path.lexicographicallyPrecedes(directory) {
        break
      } else {
        levels[levels.count - 1].names.removeFirst()
        if searches, !level.isLinked, !(isRoot && level.path.isEmpty) {
          try search(directory, depth: levels.count, found)
        }
      }
    }
    if let path { last = path }
  }

  private mutating func open(_ path: [UInt8], inMailbox: Bool = false) {
    let names = directories(in: path).filter { !inMailbox || $0.first != UInt8(ascii: ".") }
    var isLinked = false
    if let place = Path(path.dropLast()), let status = status(of: place) { isLinked = linked.contains(status.identity) }
    levels.append(Level(path: path, names: names[...], isLinked: isLinked))
  }

  /// Finds the Maildirs at or below a directory that leads to no mailbox. Other file systems, and directories
  /// that we may not read (lost+found), are not searched.
  private mutating func search(_ path: [UInt8], depth: Int, _ found: ([UInt8]) throws -> Void) rethrows {
    guard let place = Path(path.dropLast()), let status = status(of: place), status.identity.device == device,
      !linked.contains(status.identity)
    else { return }
    let names = directories(in: path, passingOver: [Errno.EACCES])
    if names.contains(Array("cur/".utf8)), names.contains(Array("new/".utf8)) {
      if !isYoung(place) { try found(path) }
    } else if depth < Self.deepest {
      for name in names { try search(path + name, depth: depth + 1, found) }
    }
  }

  /// Whether the Maildir was made after the walk began or, without birth times, has changed since.
  private mutating func isYoung(_ place: Path) -> Bool {
    do throws(SystemError) {
      let directory = try directory(at: Self.parts(of: place))
      let changed = try directory.fstat().changed
      return (try directory.birthTime() ?? changed) > start
    } catch {
      note(error, at: place)
      return true
    }
  }

  /// Opens a directory below the base through no symlink: meanwhile its owner may replace any part of the path.
  private func directory(at parts: some Collection<ArraySlice<UInt8>>) throws(SystemError) -> File {
    var place = try File(openat: base, ".", [.pathOnly, .directory])
    for part in parts {
      guard let name = Path(part) else { preconditionFailure("a NUL that Path let in") }
      place = try File(openat: place, name, [.pathOnly, .directory, .noFollow])
    }
    return try File(openat: place, ".", [.directory])
  }

  private static func parts(of place: Path) -> [ArraySlice<UInt8>] {
    Array(place.bytes).split(separator: UInt8(ascii: "/"))
  }

  /// Nil if there is nothing.
  private mutating func status(of place: Path) -> FileStatus? {
    let parts = Self.parts(of: place)
    guard let name = parts.last.flatMap({ Path($0) }) else { return nil }
    do throws(SystemError) {
      return try directory(at: parts.dropLast()).fstatatIfThere(name)
    } catch {
      if error.number == Errno.ENOENT { return nil }
      note(error, at: place)
      return nil
    }
  }

  /// - Parameter numbers: the errors that are no problem, beside those which say that there is no directory.
  private mutating func directories(in path: [UInt8], passingOver numbers: Set<Int32> = []) -> [[UInt8]] {
    guard let place = Path(path.isEmpty ? Array(".".utf8) : path.dropLast()) else { return [] }
    do throws(SystemError) { return try directories(at: place) } catch {
      if !numbers.contains(error.number) { note(error, at: place) }
      return []
    }
  }

  private mutating func note(_ error: SystemError, at place: Path) {
    // If it is gone, or is a file, there is nothing in it.
    guard error.number != Errno.ENOENT, error.number != Errno.ENOTDIR, problems.count < 100 else { return }
    problems.append("\(place.text): \(error.shown)")
  }

  /// The names of real directories, each with a slash at the end, sorted. Targets of symlinks go to `linked`.
  private mutating func directories(at place: Path) throws(SystemError) -> [[UInt8]] {
    var names: [[UInt8]] = []
    var links: [FileIdentity] = []
    let directory = try directory(at: Self.parts(of: place))
    try listing.forEach(in: directory, size: 0) { (name, kind) throws(SystemError) in
      guard kind == .directory || kind == .symlink || kind == .unknown else { return }
      let bytes = Array(copying: name)
      guard let path = Path(bytes) else { return }
      let actual = kind == .unknown ? try directory.fstatatIfThere(path)?.kind : kind
      if actual == .symlink, let identity = Self.target(of: path, in: directory) { links.append(identity) }
      if actual == .directory { names.append(bytes + [UInt8(ascii: "/")]) }
    }
    linked.formUnion(links)
    return names.sorted { $0.lexicographicallyPrecedes($1) }
  }

  /// Nil for a symlink that leads nowhere, or to where we may not look: no Maildir of ours is there.
  private static func target(of link: Path, in directory: borrowing File) -> FileIdentity? {
    do throws(SystemError) { return try directory.fstatat(link, following: true).identity } catch { return nil }
  }
}
