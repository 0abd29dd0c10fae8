// SPDX-License-Identifier: Apache-2.0
import Foundation
import Text

/// What a program has written below one directory and what it has synced, recorded by strace(1), and the states in
/// which a crash of the machine may leave that directory: whatever was not synced is there, or not, each by itself.
package struct CrashRecord {
  /// Names, relative to the directory, and what the files hold.
  package typealias Image = [String: [UInt8]]

  /// What a system call has changed. Files have numbers.
  package enum Change {
    case write(file: Int, [UInt8])
    case name(String, file: Int)
    case rename(String, String, exchanges: Bool)
    case remove(String)
    case syncFile(Int)
    /// The directory's name; "" for the one that is recorded.
    case syncDirectory(String)

    package var isSyncOfFile: Bool { if case .syncFile = self { true } else { false } }
    package var isSyncOfDirectory: Bool { if case .syncDirectory = self { true } else { false } }
  }

  package private(set) var changes: [Change] = []
  private let root: String
  private var files: [[UInt8]] = []
  private let namesBefore: [String: Int]
  /// While the record is read.
  private var names: [String: Int] = [:]
  private var open: [Int: Int] = [:]

  /// Runs a program whose changes are recorded, with those of the processes that it starts.
  ///
  /// - Parameter run: is given the words that go before the program's name.
  package init(of root: String, in sandbox: Sandbox, run: (_ strace: [String]) throws -> Void) throws {
    self.root = root
    let entries = FileManager.default.subpaths(atPath: root) ?? []
    for entry in entries.sorted() {
      guard let bytes = FileManager.default.contents(atPath: "\(root)/\(entry)") else { continue }
      names[entry] = files.count
      files.append(Array(bytes))
    }
    namesBefore = names
    try sandbox.makeDirectory("traces")
    let calls =
      "openat,write,fsync,fdatasync,linkat,renameat,renameat2,unlinkat,rename,unlink,link,symlinkat,"
      + "pwrite64,writev,ftruncate,truncate,copy_file_range"
    // One file for each thread: a call is never cut in two by another one's.
    let options = ["-ff", "-ttt", "-y", "-xx", "-s", "8192", "-o", sandbox("traces/trace"), "-e", "trace=\(calls)"]
    try run(["strace"] + options)
    let lines = sandbox.list("traces").flatMap { sandbox.text("traces/\($0)")?.split(separator: "\n") ?? [] }
    for line in lines.sorted() where line.contains(" = ") && !line.contains(" = -1 ") {
      try note(line.drop { $0 != " " }.dropFirst())
    }
  }

  /// A call such as `write(5</\x2f\x61>, "\x61", 1) = 1`.
  private mutating func note(_ line: Substring) throws {
    let texts = line.matches(of: #/"((?:\\x[0-9a-f]{2})*)"/#).map { Self.bytes($0.1) }
    let descriptors = line.matches(of: #/([0-9]+|AT_FDCWD)<((?:\\x[0-9a-f]{2})*)>/#)
      .map { (number: Int($0.1) ?? -1, path: Self.bytes($0.2).text) }
    let (first, last) = (descriptors.first?.path ?? "", descriptors.last)
    /// Nil outside of the directory.
    func inside(_ name: [UInt8], _ directory: String) -> String? {
      let path = name.first == UInt8(ascii: "/") ? name.text : "\(directory)/\(name.text)"
      return path.hasPrefix(root + "/") ? String(path.dropFirst(root.count + 1)) : nil
    }
    switch line.prefix(while: { $0 != "(" }) {
    case "openat":
      guard let last else { return }
      // Also of one outside, which may have a number that was free again.
      open[last.number] = nil
      guard let name = inside(texts[0], first), inside([], last.path) != nil else { return }
      guard !line.contains("O_TRUNC") else { throw TestError("not expected: \(line)") }
      if line.contains("O_TMPFILE") || line.contains("O_CREAT") && names[name] == nil {
        open[last.number] = files.count
        if !line.contains("O_TMPFILE") {
          names[name] = files.count
          changes.append(.name(name, file: files.count))
        }
        files.append([])
      } else {
        open[last.number] = names[name]
      }
    case "write":
      guard inside([], first) != nil, let file = open[descriptors[0].number] else { return }
      guard line.hasSuffix(" = \(texts[0].count)") else { throw TestError("not written whole: \(line)") }
      changes.append(.write(file: file, texts[0]))
    case "fsync", "fdatasync":
      guard let directory = inside([], first)?.dropLast() else { return }
      if let file = open[descriptors[0].number] {
        changes.append(.syncFile(file))
      } else {
        changes.append(.syncDirectory(String(directory)))
      }
    case "linkat":
      // "/proc/self/fd/9", and the directory of the new name.
      let source = texts[0].text.split(separator: "/").last.flatMap { Int($0) } ?? -1
      guard let last, let name = inside(texts[1], last.path) else { return }
      guard let file = open[source] else { throw TestError("a link to an unknown file: \(line)") }
      names[name] = file
      changes.append(.name(name, file: file))
    case "rename", "renameat", "renameat2":
      guard let old = inside(texts[0], first), let new = inside(texts[1], last?.path ?? "") else { return }
      let exchanges = line.contains("RENAME_EXCHANGE")
      (names[old], names[new]) = (exchanges ? names[new] : nil, names[old])
      changes.append(.rename(old, new, exchanges: exchanges))
    case "unlink", "unlinkat":
      guard let name = inside(texts[0], first) else { return }
      names[name] = nil
      changes.append(.remove(name))
    default:
      // faketime(1) has a file elsewhere.
      guard !texts.contains(where: { inside($0, first) != nil }), inside([], first) == nil else {
        throw TestError("not expected: \(line)")
      }
    }
  }

  /// `\x61\x62`
  private static func bytes(_ text: Substring) -> [UInt8] {
    text.split(separator: "\\x").compactMap { UInt8($0, radix: 16) }
  }

  /// Everything that may be on the disk when the machine stops after any of the calls, each once.
  ///
  /// - Parameters:
  ///   - isLeftOut: syncs that are taken to have done nothing.
  ///   - isAnswer: the change after which the program may say that it is done.
  /// - Returns: also whether it may have said so.
  package func images(
    leavingOut isLeftOut: (Change) -> Bool = { _ in false }, answeringAfter isAnswer: (Change) -> Bool = { _ in false }
  ) -> [(image: Image, isAnswered: Bool)] {
    let answer = changes.lastIndex(where: isAnswer) ?? changes.count
    var found: [Image: Bool] = [:]
    for end in 0...changes.count {
      let pending = (0..<end).filter { !isSynced($0, changes[..<end], isLeftOut) }
      // Each may be there, or not; what is written may also be zeros.
      var choices: [[Int]] = [[]]
      for number in pending {
        var variants = [0, 1]
        if case .write = changes[number] { variants.append(2) }
        choices = choices.flatMap { choice in variants.map { choice + [$0] } }
      }
      for choice in choices {
        let chosen = Dictionary(uniqueKeysWithValues: zip(pending, choice))
        let image = image(changes[..<end]) { chosen[$0] ?? 1 }
        found[image] = found[image] ?? false || end > answer
      }
    }
    return found.map { ($0.key, $0.value) }
  }

  private func isSynced(_ number: Int, _ changes: ArraySlice<Change>, _ isLeftOut: (Change) -> Bool) -> Bool {
    changes[(number + 1)...].contains { later in
      if isLeftOut(later) { return false }
      return switch (changes[number], later) {
      case (.syncFile, _), (.syncDirectory, _): true
      case (.write(let file, _), .syncFile(let synced)): file == synced
      case (.name(let name, _), .syncDirectory(let directory)), (.remove(let name), .syncDirectory(let directory)),
        (.rename(_, let name, _), .syncDirectory(let directory)):
        Self.directory(of: name) == directory
      default: false
      }
    }
  }

  private static func directory(of name: String) -> String {
    name.lastIndex(of: "/").map { String(name[..<$0]) } ?? ""
  }

  /// What is on the disk if each change has happened (1), not happened (0), or left zeros (2).
  private func image(_ changes: ArraySlice<Change>, _ choice: (Int) -> Int) -> Image {
    var (files, names) = (files, namesBefore)
    var missing: [Int: Int] = [:]
    for (number, change) in zip(changes.indices, changes) {
      let isThere = choice(number) > 0
      switch change {
      case .write(let file, let bytes):
        guard isThere else {
          missing[file, default: 0] += bytes.count
          continue
        }
        // A hole before it reads as zeros.
        files[file] += [UInt8](repeating: 0, count: missing.removeValue(forKey: file) ?? 0)
        files[file] += choice(number) == 2 ? [UInt8](repeating: 0, count: bytes.count) : bytes
      case .name(let name, let file): if isThere { names[name] = file }
      case .rename(let old, let new, let exchanges):
        guard isThere, let file = names[old], !exchanges || names[new] != nil else { continue }
        (names[old], names[new]) = (exchanges ? names[new] : nil, file)
      case .remove(let name): if isThere { names[name] = nil }
      case .syncFile, .syncDirectory: break
      }
    }
    return names.mapValues { files[$0] }
  }
}
