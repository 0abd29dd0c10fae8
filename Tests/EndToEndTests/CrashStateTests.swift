// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Text

/// The machine stops at any moment of a delivery: whatever was not synced then may be on the disk, or not, each by
/// itself. The writes and syncs are those of the real program, recorded by strace(1).
struct CrashStateTests {
  /// The mailbox before the delivery; it holds one message of 500 bytes.
  enum Scene: CaseIterable, Sendable {
    case sound, long, overcounted, missing, broken

    var limit: Int { self == .overcounted ? 1000 : 1_000_000 }

    var ledger: String? {
      switch self {
      case .sound: "1000000S\n500 1\n"
      case .long: "1000000S\n500 1\n" + String(repeating: "0 0\n", count: 1000)
      case .overcounted: "1000S\n950 1\n0 0\n"
      case .missing: nil
      case .broken: "garbage\n"
      }
    }

    func host() throws -> MailHost {
      let host = try MailHost("virtual_mailbox_limit = \(limit)")
      try host.store("a,S=500:2,S", bytes: 500)
      if let ledger { try host.setLedger(ledger) }
      return host
    }
  }

  /// What a system call has changed.
  private enum Change {
    case write(file: Int, [UInt8])
    case name(String, file: Int)
    case rename(String, String, exchanges: Bool)
    case remove(String)
    case syncFile(Int)
    case syncDirectory(String)
  }

  /// Names, relative to the Maildir, and what the files hold.
  private typealias Image = [String: [UInt8]]

  private static let message = MailHost.message(100)

  @Test(
    "Whatever a crash leaves: an answered message is whole, the ledger has its limit, and a recount makes it exact",
    arguments: Scene.allCases)
  func crash(scene: Scene) throws {
    let host = try scene.host()
    let record = try record(host, scene)
    let images = images(record)
    print("crash states: \(scene): \(images.count) after \(record.changes.count) calls")
    #expect(problems(images, scene) == [])
    try expectExactAfterRecount(images.map(\.image), host, scene)
  }

  @Test("Without its syncs the same check finds what could be lost", arguments: Scene.allCases)
  func withoutSyncs(scene: Scene) throws {
    let record = try record(try scene.host(), scene)
    func problems(without isLeftOut: (Change) -> Bool) -> Set<String> {
      Set(self.problems(images(record, leavingOut: isLeftOut), scene))
    }
    let noFileSync = problems { if case .syncFile = $0 { true } else { false } }
    #expect(noFileSync.contains("a message is there in part"))
    // Where a ledger was written anew.
    #expect(noFileSync.contains("the ledger has no limit") == (scene != .sound && scene != .broken))
    let noDirectorySync = problems { if case .syncDirectory = $0 { true } else { false } }
    #expect(noDirectorySync == ["an answered message is lost"])
  }

  private func problems(_ images: [(image: Image, isAnswered: Bool)], _ scene: Scene) -> [String] {
    images.flatMap { image, isAnswered in
      let stored = image.filter { $0.key.hasPrefix("new/") }.map(\.value)
      var problems: [String] = []
      if stored.contains(where: { $0 != Self.message }) || stored.count > 1 {
        problems.append("a message is there in part")
      }
      if isAnswered, stored.isEmpty { problems.append("an answered message is lost") }
      // To Courier an empty file, or one without a limit, means that there is no quota.
      if let ledger = image["maildirsize"], scene != .broken, !ledger.starts(with: "\(scene.limit)S\n".utf8) {
        problems.append("the ledger has no limit")
      }
      return problems
    }
  }

  private func expectExactAfterRecount(_ images: [Image], _ host: MailHost, _ scene: Scene) throws {
    try host.sandbox.makeDirectory("base/crash")
    for (number, image) in images.enumerated() {
      try host.sandbox.makeMaildir("base/crash/\(number)")
      for (name, bytes) in image { try host.sandbox.write("base/crash/\(number)/\(name)", bytes) }
    }
    let directories = images.indices.map { host.sandbox("base/crash/\($0)") }
    // Long after, so that the mailboxes are at rest, and what is in tmp/ is old.
    let ending = try Command.run(
      MailUser.drop + FakeClock.words(ahead: "40h")
        + host.toolArguments(["recompute", "--limit=\(scene.limit)", "--maildir"] + directories))
    #expect([0, 1].contains(ending.status), "\(ending)")
    for (number, image) in images.enumerated() {
      let files = image.filter { $0.key.hasPrefix("new/") || $0.key.hasPrefix("cur/") }.map(\.value.count)
      let ledger = try #require(host.sandbox.text("base/crash/\(number)/maildirsize"))
      #expect(MailHost.total(of: ledger) == [files.reduce(0, +), files.count], "\(ledger)")
    }
  }

  /// What there was at the beginning, and what each system call of a delivery has changed below the Maildir. Files have
  /// numbers.
  private struct Record {
    var files: [[UInt8]] = [MailHost.message(500)]
    var names = ["cur/a,S=500:2,S": 0]
    var changes: [Change] = []
  }

  private func record(_ host: MailHost, _ scene: Scene) throws -> Record {
    var record = Record()
    if let ledger = scene.ledger {
      record.names["maildirsize"] = 1
      record.files.append(Array(ledger.utf8))
    }
    let strace = [
      "strace", "-y", "-xx", "-s", "8192", "-o", host.sandbox("trace"), "-e",
      "trace=openat,write,fsync,fdatasync,linkat,renameat2,unlinkat",
    ]
    let delivery = try host.deliver(Self.message, arguments: strace + host.arguments)
    #expect(delivery.status == 0, "\(delivery.log)")
    let root = host.sandbox(host.maildir)
    var (names, open) = (record.names, [Int: Int]())
    for line in try #require(host.sandbox.text("trace")).split(separator: "\n") where line.contains(" = ") {
      let texts = line.matches(of: #/"((?:\\x[0-9a-f]{2})*)"/#).map { Self.bytes($0.1) }
      let descriptors = line.matches(of: #/([0-9]+)<((?:\\x[0-9a-f]{2})*)>/#)
        .map { (number: Int($0.1) ?? -1, path: Self.bytes($0.2).text) }
      guard let last = descriptors.last, !line.contains(" = -1 ") else { continue }
      let directory = descriptors[0].path
      func inside(_ name: [UInt8], _ directory: String) -> String? {
        guard directory == root || directory.hasPrefix(root + "/") else { return nil }
        return String("\(directory)/\(name.text)".dropFirst(root.count + 1))
      }
      switch line.prefix(while: { $0 != "(" }) {
      case "openat":
        guard let name = inside(texts[0], directory) else { continue }
        if line.contains("O_TMPFILE") || line.contains("O_CREAT") {
          let file = record.files.count
          record.files.append([])
          open[last.number] = file
          guard line.contains("O_CREAT") else { continue }
          names[name] = file
          record.changes.append(.name(name, file: file))
        } else {
          open[last.number] = names[name]
        }
      case "write": if let file = open[descriptors[0].number] { record.changes.append(.write(file: file, texts[0])) }
      case "fsync", "fdatasync":
        if let file = open[descriptors[0].number] {
          record.changes.append(.syncFile(file))
        } else if let directory = inside([], directory) {
          record.changes.append(.syncDirectory(String(directory.dropLast())))
        }
      case "linkat":
        // "/proc/self/fd/9", and the directory of the new name.
        let source = texts[0].text.split(separator: "/").last.flatMap { Int($0) } ?? -1
        guard let file = open[source], let name = inside(texts[1], last.path) else { continue }
        names[name] = file
        record.changes.append(.name(name, file: file))
      case "renameat2":
        guard let old = inside(texts[0], directory), let new = inside(texts[1], last.path) else { continue }
        let exchanges = line.contains("RENAME_EXCHANGE")
        (names[old], names[new]) = (exchanges ? names[new] : nil, names[old])
        record.changes.append(.rename(old, new, exchanges: exchanges))
      case "unlinkat":
        guard let name = inside(texts[0], directory) else { continue }
        names[name] = nil
        record.changes.append(.remove(name))
      default: continue
      }
    }
    return record
  }

  /// `\x61\x62`
  private static func bytes(_ text: Substring) -> [UInt8] {
    text.split(separator: "\\x").compactMap { UInt8($0, radix: 16) }
  }

  /// Everything that may be on the disk when the machine stops after any of the calls, each once, and whether the
  /// message had been answered for.
  private func images(
    _ record: Record, leavingOut isLeftOut: (Change) -> Bool = { _ in false }
  ) -> [(image: Image, isAnswered: Bool)] {
    let changes = record.changes
    let answer = changes.lastIndex { if case .syncDirectory("new") = $0 { true } else { false } } ?? changes.count
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
        let image = self.image(changes[..<end], record) { chosen[$0] ?? 1 }
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
      case (.name(let name, _), .syncDirectory(let directory)), (.remove(let name), .syncDirectory(let directory)):
        name.hasPrefix(directory + "/")
      default: false
      }
    }
  }

  /// What is on the disk if each change has happened (1), not happened (0), or left zeros (2).
  private func image(_ changes: ArraySlice<Change>, _ record: Record, _ choice: (Int) -> Int) -> Image {
    var (files, names) = (record.files, record.names)
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
