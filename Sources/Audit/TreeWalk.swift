// SPDX-License-Identifier: Apache-2.0
package import Posix

/// Walks the directories below the base in the order of the mailbox list, and finds the Maildirs that no mailbox has.
///
/// Only the names of the directories on the way to the present place are held in memory.
package struct TreeWalk: ~Copyable {
  /// A directory and those of its names that have not been looked at.
  private struct Level {
    /// Relative to the base, with a slash at its end, or empty.
    let path: [UInt8]
    /// In the order of their bytes with a slash behind them, which is the order of the paths below them.
    var names: ArraySlice<[UInt8]>
  }

  private let base: File
  private var listing = DirectoryListing()
  private var levels: [Level] = []
  /// The path before the present one, where mailboxes may lie inside it.
  private var last: [UInt8] = []
  /// Directories that could not be read, as sentences; the first hundred.
  package private(set) var problems: [String] = []

  /// A Maildir further down than this is not looked for.
  private static let deepest = 8

  package init(base: Path) throws(SystemError) {
    self.base = try File(open: base, [.directory])
    open([])
  }

  /// Goes on to the mailbox at `path`, and calls `found` with each Maildir before it that no mailbox has.
  ///
  /// - Parameters:
  ///   - path: relative to the base, with a slash at its end; nil for the end of the list. Paths must come in their order.
  ///   - searches: false to go there only.
  package mutating func advance(to path: [UInt8]?, searches: Bool = true, found: ([UInt8]) throws -> Void) rethrows {
    if let path {
      // Mailboxes inside of mailboxes: its directories have been passed, and are looked at now.
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
        if searches { try search(directory, depth: levels.count, found) }
      }
    }
    if let path { last = path }
  }

  private mutating func open(_ path: [UInt8], inMailbox: Bool = false) {
    let names = directories(in: path).filter { !inMailbox || $0.first != UInt8(ascii: ".") }
    levels.append(Level(path: path, names: names[...]))
  }

  /// The Maildirs at or below a directory that leads to no mailbox.
  private mutating func search(_ path: [UInt8], depth: Int, _ found: ([UInt8]) throws -> Void) rethrows {
    let names = directories(in: path)
    if names.contains(Array("cur/".utf8)), names.contains(Array("new/".utf8)) {
      try found(path)
    } else if depth < Self.deepest {
      for name in names { try search(path + name, depth: depth + 1, found) }
    }
  }

  /// The names of real directories, each with a slash at its end, sorted.
  private mutating func directories(in path: [UInt8]) -> [[UInt8]] {
    guard let place = Path(path.isEmpty ? Array(".".utf8) : path.dropLast()) else { return [] }
    var names: [[UInt8]] = []
    do throws(SystemError) {
      let directory = try File(openat: base, place, [.directory, .noFollow])
      try listing.forEach(in: directory, size: 0) { (name, kind) throws(SystemError) in
        guard kind == .directory || kind == .unknown else { return }
        let bytes = Array(copying: name)
        if kind == .unknown {
          guard let path = Path(bytes), try directory.fstatatIfThere(path)?.kind == .directory else { return }
        }
        names.append(bytes + [UInt8(ascii: "/")])
      }
    } catch {
      // It has gone, or it is a file: nothing is in it.
      if error.number != Errno.ENOENT, error.number != Errno.ENOTDIR, problems.count < 100 {
        problems.append("\(place.text): \(String(decoding: error.text, as: UTF8.self))")
      }
    }
    return names.sorted { $0.lexicographicallyPrecedes($1) }
  }
}
